"""The channel graph: which slices of which weights have to be removed together, and which have to stay, and why.

`graph` holds the result as plain data; `labels` are what channels are tracked by; `trace` runs a model on labels,
applying the `rules`; `walk` visits the calls of Keras's graph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from firekeras.arguments import typed

if TYPE_CHECKING:
    import keras

    from firekeras.channels.graph import ChannelGraph


@typed
def channel_graph(model: keras.Model) -> ChannelGraph:
    """Finds out which filters of a model have to be removed together, which cannot be removed, and why.

    Args:
        model: A built Functional or Sequential `keras.Model`. It is not changed.

    Returns:
        A `ChannelGraph`: plain data, no Keras in it.

    Raises:
        ValueError: If the model is subclassed, not built, or holds something that surgery cannot preserve.

    Example:
    >>> graph = firekeras.channel_graph(model)
    >>> graph.groups                  # layers that are pruned together
    [['conv1'], ['conv2'], ['scores']]
    >>> graph.lock("scores", 0)       # why a filter cannot go
    'scores (Dense) takes a softmax over these channels, so each depends on all'
    """
    return traced(model).graph.copy()


def traced(model):
    """The `Trace` of a model, checked first; it is computed once as long as the model does not change."""
    from firekeras.channels import rules, trace  # noqa: F401  (registers the rules)
    from firekeras.channels.check import check_model
    from firekeras.channels.lite import steps  # noqa: F401  (registers the steps)
    from firekeras.channels.memory import remembered

    check_model(model)
    return remembered(model, trace.trace_model)


def rule(*operations: type) -> Callable[[Any], Any]:
    """Registers a rule for layer types; see `firekeras.channels.registry.rule`."""
    from firekeras.channels import registry

    return registry.rule(*operations)
