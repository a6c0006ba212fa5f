"""What models output, by their losses and last layers: logits or probabilities, or one score of two classes."""

from __future__ import annotations

from firekeras.keras_models.internals import maker
from firekeras.keras_models.loss_names import has_binary_loss


def gives_logits(network) -> bool:
    """Whether the last layer outputs logits, not probabilities, judging by its activation."""
    last = maker(network.outputs[0])
    while getattr(last, "outputs", None) and hasattr(last, "layers"):
        last = maker(last.outputs[0])
    activation = getattr(getattr(last, "activation", None), "__name__", type(last).__name__.lower())
    return activation not in ("softmax", "sigmoid")


def tells_two_apart(network) -> bool:
    """Whether a model has one output of one score, for two classes: by its loss, or if it has none, by a sigmoid."""
    shapes = [tuple(tensor.shape) for tensor in network.outputs]
    one_score = len(shapes) == 1 and len(shapes[0]) == 2 and shapes[0][1] == 1
    return one_score and (has_binary_loss(network.loss) if network.compiled else not gives_logits(network))
