"""Zeros among the weights of the filters that are left: TF-MOT's magnitude pruning on a Keras 3 model."""

from __future__ import annotations

from firekeras.export import tfmot
from firekeras.export.bridge import Bridge
from firekeras.refusals import check_share


def sparsify(model, train_data, *, sparsity=0.5, epochs=1, learning_rate=0.01, batch_size=64, loss=None):
    """Sets the smallest weights of every convolution and dense layer to zero while it fine-tunes.

    Removing filters makes a network smaller and faster anywhere; zeros within the filters that are left make it
    smaller only once it is compressed, and faster only where the runtime looks for zeros. Depthwise kernels,
    biases and normalisation keep their values.

    Args:
        model: A built Keras 3 classifier of standard layers. It is not changed.
        train_data: `(x, y)`, arrays; `y` class numbers `(n,)`, unless `loss` says otherwise.
        sparsity: Share of each kernel's weights that will be zero, above 0 and below 1. It is come to over the
            first two thirds of the steps. Defaults to 0.5.
        epochs: Of fine-tuning. Defaults to 1.
        learning_rate: Of the first step; falls to 0 as a cosine. Defaults to 0.01.
        batch_size: Defaults to 64.
        loss: A loss of tf_keras. Defaults to sparse categorical crossentropy.

    Returns:
        A new Keras 3 model, of the same layers.

    Raises:
        ValueError: If a setting is out of range, or a layer has no counterpart in tf_keras (all are named).
        ImportError: If TF-MOT is not installed.

    Example:
    >>> sparse = firekeras.export.sparsify(pruned, (x_train, y_train), sparsity=0.5)
    >>> float((np.asarray(sparse.get_layer("conv2").kernel) == 0).mean()) >= 0.5
    True
    """
    check_share("sparsity", sparsity, above=0, below=1)
    tfmot.check_training(train_data, epochs, learning_rate, batch_size)
    tools = tfmot.load().sparsity.keras
    bridge = Bridge(model, train_data[0][:32])
    names = tfmot.kernels(bridge.legacy)
    tfmot.check_not_empty(names, model, "thin out")
    last = max(1, tfmot.num_steps(train_data, epochs, batch_size) * 2 // 3)
    schedule = tools.PolynomialDecay(0.0, sparsity, 0, last, frequency=max(1, last // 20))
    wrapped = tfmot.wrapped(bridge.legacy, names, lambda layer: tools.prune_low_magnitude(layer, schedule))
    settings = {"epochs": epochs, "learning_rate": learning_rate, "batch_size": batch_size, "loss": loss}
    tfmot.fine_tune(wrapped, model, train_data, callbacks=[tools.UpdatePruningStep()], **settings)
    return bridge.brought_back(tools.strip_pruning(wrapped))
