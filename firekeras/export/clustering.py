"""Few distinct weights per layer, which compress well: TF-MOT's weight clustering for Keras 3 models."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

from firekeras.arguments import typed
from firekeras.export import tfmot
from firekeras.export.bridge import Bridge
from firekeras.refusals import checked_whole


@typed
def cluster(
    model: keras.Model,
    train_data: Any,
    *,
    clusters: int = 16,
    epochs: int = 1,
    learning_rate: float = 0.001,
    batch_size: int = 64,
    loss: Any = None,
) -> keras.Model:
    """Reduces the weights of every convolution and dense layer to a few shared values, and fine-tunes these.

    The network does not get faster, and its file gets smaller only when compressed (zip): 16 values take 4 bits.
    Depthwise kernels, biases and normalization keep their values, and so do kernels with no more weights than
    `clusters`. Zero weights, as after `sparsify`, stay zero.

    Args:
        model: A built Keras 3 classifier of standard layers. It is not changed.
        train_data: `(x, y)`, arrays; `y` class numbers `(n,)`, unless `loss` says otherwise.
        clusters: The number of distinct values per kernel, at least 2. Defaults to 16.
        epochs: Epochs of fine-tuning. Defaults to 1.
        learning_rate: Learning rate of the first step; it falls to 0 along a cosine. Defaults to 0.001.
        batch_size: Batch size of fine-tuning. Defaults to 64.
        loss: A loss of tf_keras. Defaults to sparse categorical crossentropy.

    Returns:
        A new Keras 3 model with the same layers.

    Raises:
        ValueError: If a setting is out of range, or a layer has no counterpart in tf_keras (names all of them).
        ImportError: If TF-MOT is not installed.

    Example:
    >>> clustered = firekeras.export.cluster(pruned, (x_train, y_train), clusters=16)
    >>> np.unique(clustered.get_layer("conv2").kernel).size <= 16
    True
    """
    clusters = checked_whole("clusters", clusters, 2)
    training = tfmot.checked_training(train_data, epochs, learning_rate, batch_size)
    tools = tfmot.load().clustering.keras
    bridge = Bridge(model, train_data[0][:32])
    names = [name for name in tfmot.kernels(bridge.legacy) if _weights(bridge.legacy.get_layer(name)) > clusters]
    tfmot.check_not_empty(names, model, "cluster")
    wrapped = tfmot.wrapped(bridge.legacy, names, lambda layer: _clustered(layer, clusters))
    tfmot.fine_tune(wrapped, model, train_data, loss=loss, **training)
    return bridge.brought_back(tools.strip_clustering(wrapped))


def _clustered(layer, clusters):
    tools = tfmot.load().clustering.keras
    start, zeros = tools.CentroidInitialization.KMEANS_PLUS_PLUS, bool((np.asarray(layer.kernel) == 0).any())
    return tools.cluster_weights(layer, clusters, start, preserve_sparsity=zeros)


def _weights(layer):
    return math.prod(layer.kernel.shape)
