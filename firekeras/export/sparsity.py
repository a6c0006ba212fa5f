"""Zeros among the remaining weights: TF-MOT's magnitude pruning for Keras 3 models."""

from __future__ import annotations

from typing import Any

import keras

from firekeras.arguments import typed
from firekeras.export import tfmot
from firekeras.export.bridge import Bridge
from firekeras.refusals import check_share


@typed
def sparsify(
    model: keras.Model,
    train_data: Any,
    *,
    sparsity: float = 0.5,
    epochs: int = 1,
    learning_rate: float = 0.01,
    batch_size: int = 64,
    loss: Any = None,
) -> keras.Model:
    """Sets the smallest weights of every convolution and dense layer to zero during fine-tuning.

    Removing filters makes a network smaller and faster everywhere; zeros within the remaining filters make it
    smaller only when compressed, and faster only if the runtime exploits zeros. Depthwise kernels, biases and
    normalization keep their values.

    Args:
        model: A built Keras 3 classifier of standard layers. It is not changed.
        train_data: `(x, y)`, arrays; `y` class numbers `(n,)`, unless `loss` says otherwise.
        sparsity: Share of each kernel's weights that will be zero, above 0 and below 1. It is reached over the
            first two thirds of the steps. Defaults to 0.5.
        epochs: Epochs of fine-tuning. Defaults to 1.
        learning_rate: Learning rate of the first step; it falls to 0 along a cosine. Defaults to 0.01.
        batch_size: Batch size of fine-tuning. Defaults to 64.
        loss: A loss of tf_keras. Defaults to sparse categorical crossentropy.

    Returns:
        A new Keras 3 model with the same layers.

    Raises:
        ValueError: If a setting is out of range, or a layer has no counterpart in tf_keras (names all of them).
        ImportError: If TF-MOT is not installed.

    Example:
    >>> sparse = firekeras.export.sparsify(pruned, (x_train, y_train), sparsity=0.5)
    >>> float((np.asarray(sparse.get_layer("conv2").kernel) == 0).mean()) >= 0.5
    True
    """
    check_share("sparsity", sparsity, above=0, below=1)
    training = tfmot.checked_training(train_data, epochs, learning_rate, batch_size)
    tools = tfmot.load().sparsity.keras
    bridge = Bridge(model, train_data[0][:32])
    names = tfmot.kernels(bridge.legacy)
    tfmot.check_not_empty(names, model, "thin out")
    last = max(1, tfmot.num_steps(train_data, training["epochs"], training["batch_size"]) * 2 // 3)
    schedule = tools.PolynomialDecay(0.0, sparsity, 0, last, frequency=max(1, last // 20))
    wrapped = tfmot.wrapped(bridge.legacy, names, lambda layer: tools.prune_low_magnitude(layer, schedule))
    tfmot.fine_tune(wrapped, model, train_data, loss=loss, callbacks=[tools.UpdatePruningStep()], **training)
    return bridge.brought_back(tools.strip_pruning(wrapped))
