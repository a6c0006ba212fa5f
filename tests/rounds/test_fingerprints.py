"""Fingerprints: the same for the same, another for anything that changes what a run does."""

import keras
import networks
import numpy as np
import pytest
import tensorflow as tf

from firekeras.rounds import fingerprints
from firekeras.rounds.fingerprints import of_data, of_weights

X, Y = np.arange(24.0, dtype="float32").reshape(6, 4), np.arange(6)


@pytest.mark.parametrize(
    "other",
    [
        (X, Y[::-1]),
        (X + 1, Y),
        (X.astype("float64"), Y),
        (X.reshape(6, 2, 2), Y),
        (X[:5], Y[:5]),
        (X, Y, np.ones(6)),
        X,
    ],
)
def test_data_are_known_by_their_values_order_types_and_shapes(other):
    assert of_data((X, Y)) == of_data((X.copy(), Y.copy())) != of_data(other)


def test_of_large_arrays_samples_count_and_of_data_in_batches_their_kind(monkeypatch):
    monkeypatch.setattr(fingerprints, "WHOLE", 48)
    changed = X.copy()
    changed[1] = 9
    assert of_data((X, Y)) == of_data((changed, Y)) != of_data((X, Y[::-1]))
    batches = tf.data.Dataset.from_tensor_slices((X, Y)).batch(2)
    assert of_data(batches) == of_data(batches.shuffle(4)) != of_data(batches.take(2))
    assert of_data((np.array(["a", None]),)) != of_data((np.array(["b", None]),))


def test_weights_are_known_again_after_a_file(tmp_path):
    model = networks.two_convs()
    model.save(tmp_path / "m.keras")
    before = of_weights(model)
    assert of_weights(keras.models.load_model(tmp_path / "m.keras")) == before
    model.layers[-1].set_weights([w + 1 for w in model.layers[-1].get_weights()])
    assert of_weights(model) != before
