"""Classifiers that the command line fine-tunes: one output of class scores, or of one score for two classes."""

from __future__ import annotations

import keras
import numpy as np

from firekeras.cli.defaults import UNCOMPILED
from firekeras.data.scale import TRIED, Range, suspected_range
from firekeras.datasets.dataset import draw
from firekeras.export.running import open_runtime, run
from firekeras.keras_models.loss_names import has_binary_loss, has_one_hot_loss, has_regression_loss
from firekeras.keras_models.losses import gives_logits, tells_two_apart
from firekeras.recovery.batch_statistics import settled_copy
from firekeras.refusals import check_number

MOMENTUM = 0.9


def check_classes(network, dataset):
    """Raises `ValueError` unless the network outputs one score per class of the data, or one for two classes."""
    classes = _classes(network)
    if classes < 2:
        shapes = [tuple(tensor.shape) for tensor in network.outputs]
        raise ValueError(
            "Expected a model with one output of class scores, (batch, classes), or (batch, 1) with a binary "
            f"crossentropy as its loss. Received: outputs of shape {shapes}. For other tasks use firekeras.compress in "
            "Python, with your own loss and metric."
        )
    highest = int(max(dataset.y_train.max(), dataset.y_test.max()))
    if highest >= classes:
        raise ValueError(
            f"The data have classes up to {highest}, counted from 0, but the model has only {classes}. "
            "Give the data that it was trained on."
        )


def _classes(network):
    """How many classes a network tells apart; 0 if it is no classifier with one output."""
    shapes = [tuple(tensor.shape) for tensor in network.outputs]
    if tells_two_apart(network):
        return 2
    return shapes[0][1] if len(shapes) == 1 and len(shapes[0]) == 2 and shapes[0][1] > 1 else 0


def suspicion(network, dataset, given: Range | None) -> str | None:
    """A sentence if a classifier does far better on the training images in another range of values; else None.

    Args:
        network: The classifier.
        dataset: The images, in the range that they are used in.
        given: What brought them into it, as of `suspected_range`.
    """
    fits = tuple(network.inputs[0].shape[1:]) == dataset.x_train.shape[1:]
    if len(network.inputs) > 1 or not fits or not 1 < _classes(network) > dataset.y_train.max():
        return None

    def accuracy(x, y):
        return _accuracy(network, x, y)

    def settled(x, y):
        return _accuracy(settled_copy(network, x), x, y)

    drawn = draw(dataset.y_train, TRIED, seed=0)
    return suspected_range(accuracy, dataset.x_train[drawn], dataset.y_train[drawn], settled, given)


def _accuracy(network, x, y):
    scores = run(open_runtime(network), [x], batch_size=32)[0]
    return float((_answers(network, scores) == y).mean())


def _answers(network, scores):
    """The classes of the highest scores; of one score, class 1 if more speaks for it than against it."""
    even = 0 if gives_logits(network) else 0.5
    return scores.argmax(axis=1) if scores.shape[1] > 1 else scores[:, 0] > even


def prepare(network, learning_rate) -> str:
    """Compiles a network for fine-tuning if it is not compiled.

    Returns:
        A sentence about what trains it then; empty if it trains as it was compiled.
    """
    if learning_rate is not None:
        check_number("--learning-rate", learning_rate, above=0)
    if network.compiled:
        return ""
    rate = learning_rate or UNCOMPILED
    compile_for_tuning(network, rate)
    return f"The model was not compiled: it trains by SGD with a momentum of {MOMENTUM} and a rate of {rate:g}."


def compile_for_tuning(network, learning_rate):
    """Compiles a classifier: SGD with Nesterov momentum 0.9, a crossentropy of class numbers, accuracy."""
    losses = keras.losses
    loss = losses.BinaryCrossentropy if tells_two_apart(network) else losses.SparseCategoricalCrossentropy
    optimizer = keras.optimizers.SGD(learning_rate, momentum=MOMENTUM, nesterov=True)
    network.compile(optimizer, loss(from_logits=gives_logits(network)), metrics=["accuracy"])


def labels_for(network, classes: np.ndarray) -> np.ndarray:
    """The labels that a compiled classifier trains and is judged on.

    Args:
        network: The classifier.
        classes: A class number for each image, `(images,)`.

    Returns:
        The class numbers; or one-hot rows, float32 `(images, classes)`, if its loss compares each score with one.
    """
    loss = network.loss
    by_row = has_one_hot_loss(loss) or has_binary_loss(loss) or has_regression_loss(loss)
    one_hot = by_row and network.compiled and not tells_two_apart(network)
    return keras.utils.to_categorical(classes, _classes(network)) if one_hot else classes
