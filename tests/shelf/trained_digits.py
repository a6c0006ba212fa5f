"""A network trained on scikit-learn's digits, and how well files of it do."""

import keras
import pytest
from compiling import compiling

from firekeras import datasets, zoo
from firekeras.cli import classifier
from firekeras.export.running import open_runtime, run


@pytest.fixture(scope="session")
def digits():
    """A trained network, which tests leave as it is, and its data."""
    keras.utils.set_random_seed(0)
    data = datasets.load_dataset("digits")
    model = zoo.digits_cnn()
    steps = 6 * -(-len(data.x_train) // 32)
    classifier.compile_for_tuning(model, keras.optimizers.schedules.CosineDecay(0.05, steps))
    with compiling(True):
        model.fit(data.x_train, data.y_train, batch_size=32, epochs=6, verbose=0)
    return model, data


def accuracy(path, data):
    """The share of the test images that a file classifies correctly."""
    return float((run(open_runtime(path), [data.x_test])[0].argmax(axis=1) == data.y_test).mean())
