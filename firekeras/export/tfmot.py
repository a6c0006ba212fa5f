"""Access to TF-MOT: loads it without side effects, fine-tunes tf_keras models, and checks arguments first."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings

import numpy as np

from firekeras.arguments import short
from firekeras.export.formats.format import needed
from firekeras.keras_models.losses import gives_logits
from firekeras.refusals import check_number, checked_whole


def load():
    """The TF-MOT package; its import makes later child processes use Keras 2 as Keras, which is undone here."""
    needed("tf_keras")
    kept = os.environ.get("TF_USE_LEGACY_KERAS")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # about distutils, which it uses to compare versions
            return needed("tensorflow_model_optimization")
    finally:
        os.environ.pop("TF_USE_LEGACY_KERAS", None)
        if kept is not None:
            os.environ["TF_USE_LEGACY_KERAS"] = kept


def fine_tune(tuned, model, train_data, *, epochs, learning_rate, batch_size, loss, callbacks=()):
    """Trains a tf_keras model: SGD, Nesterov momentum 0.9, learning rate falling to 0 along a cosine.

    Args:
        tuned: The tf_keras model.
        model: The Keras 3 model that it came from, which determines whether outputs are logits.
        train_data: `(x, y)`.
        epochs, learning_rate, batch_size, loss: As in `sparsify`.
        callbacks: Callbacks of tf_keras.
    """
    import tf_keras

    rate = tf_keras.optimizers.schedules.CosineDecay(learning_rate, max(1, num_steps(train_data, epochs, batch_size)))
    if loss is None:
        loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=gives_logits(model))
    _check_loss(loss)
    tuned.compile(tf_keras.optimizers.SGD(rate, momentum=0.9, nesterov=True), loss)
    x, y = train_data
    with _without_warnings():
        history = tuned.fit(x, y, epochs=epochs, batch_size=batch_size, verbose=0, callbacks=list(callbacks))
    if not np.isfinite(history.history["loss"]).all():
        raise ValueError(
            f"Fine-tuning with TF-MOT diverged: losses {history.history['loss']}. Lower `learning_rate` (received "
            f"{learning_rate})."
        )


def _check_loss(loss):
    import tf_keras

    try:
        known = callable(tf_keras.losses.get(loss))
    except (ValueError, TypeError):
        known = False
    if not known:
        raise ValueError(f"loss must be a loss of tf_keras, an object or its name. Received: {short(loss)}.")


@contextlib.contextmanager
def _without_warnings():
    """Hides TensorFlow's warnings that original kernels have no gradients: TF-MOT trains copies of them."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def num_steps(train_data, epochs, batch_size) -> int:
    """The number of training steps."""
    return -(-len(train_data[0]) // batch_size) * epochs


def checked_training(train_data, epochs, learning_rate, batch_size) -> dict:
    """The settings by name, for `fine_tune`; `ValueError` if TF-MOT's functions do not take them or the data."""
    if not (isinstance(train_data, tuple) and len(train_data) == 2 and len(train_data[0]) == len(train_data[1]) > 0):
        raise ValueError(
            f"`train_data` is a tuple of arrays (x, y), as many labels as samples. Received: {short(train_data)}."
        )
    check_number("learning_rate", learning_rate, above=0)
    whole = {"epochs": checked_whole("epochs", epochs, 1), "batch_size": checked_whole("batch_size", batch_size, 1)}
    return {**whole, "learning_rate": float(learning_rate)}


def kernels(legacy) -> list[str]:
    """The names of layers with a kernel that TF-MOT can thin out or cluster: dense and convolutions."""
    kinds = ("Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "Conv3DTranspose", "Dense")
    return [layer.name for layer in legacy.layers if type(layer).__name__ in kinds and layer.trainable]


def check_not_empty(names, model, what):
    """Raises `ValueError` if there is nothing to work on."""
    if not names:
        raise ValueError(f"The model {model.name!r} has no trainable convolution or dense layer to {what}.")


def wrapped(legacy, names, wrap):
    """A copy of the model with the named layers replaced by `wrap(layer)`."""
    import tf_keras

    return tf_keras.models.clone_model(
        legacy, clone_function=lambda layer: wrap(layer) if layer.name in names else layer
    )
