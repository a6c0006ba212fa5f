"""Image classifiers that the command line fine-tunes: one output of class scores, labels as class numbers."""

from __future__ import annotations

import keras

from firekeras.data.scale import TRIED, suspected_range
from firekeras.datasets.dataset import draw
from firekeras.export.running import open_runtime, run
from firekeras.keras_models.losses import gives_logits, is_loss
from firekeras.refusals import check_number


def check_classes(network, dataset):
    """Raises `ValueError` unless the network outputs one score per class of the data."""
    shapes = [tuple(tensor.shape) for tensor in network.outputs]
    if len(shapes) != 1 or len(shapes[0]) != 2 or shapes[0][1] < 2:
        raise ValueError(
            f"Expected a model with one output of class scores, (batch, classes). Received: outputs of shape {shapes}. "
            "For other tasks use firekeras.compress in Python, with your own loss and metric."
        )
    highest = int(max(dataset.y_train.max(), dataset.y_test.max()))
    if highest >= shapes[0][1]:
        raise ValueError(
            f"The data have classes up to {highest}, counted from 0, but the model has only {shapes[0][1]}. "
            "Give the data that it was trained on."
        )


def suspicion(network, dataset) -> str | None:
    """A sentence if a classifier does far better on the training images in another range of values; else None."""
    shapes = [tuple(tensor.shape) for tensor in network.outputs]
    classes = shapes[0][1] if len(shapes) == 1 and len(shapes[0]) == 2 else 0
    fits = tuple(network.inputs[0].shape[1:]) == dataset.x_train.shape[1:]
    if len(network.inputs) > 1 or not fits or not 1 < classes > dataset.y_train.max():
        return None

    def accuracy(x, y):
        scores = run(open_runtime(network), [x], batch_size=32)[0]
        return float((scores.argmax(axis=1) == y).mean())

    drawn = draw(dataset.y_train, TRIED, seed=0)
    return suspected_range(accuracy, dataset.x_train[drawn], dataset.y_train[drawn])


def prepare(network, learning_rate):
    """Compiles a network for fine-tuning unless it is compiled with a loss that takes class numbers."""
    if learning_rate is not None:
        check_number("--learning-rate", learning_rate, above=0)
    if not network.compiled or is_loss(network.loss, "categoricalcrossentropy"):
        compile_for_tuning(network, learning_rate or 0.01)


def compile_for_tuning(network, learning_rate):
    """Compiles a classifier: SGD with Nesterov momentum 0.9, sparse categorical crossentropy, accuracy."""
    network.compile(
        keras.optimizers.SGD(learning_rate, momentum=0.9, nesterov=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=gives_logits(network)),
        metrics=["accuracy"],
    )
