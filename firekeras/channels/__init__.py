"""The channel graph: which slices of which weights must go together, and why some may not.

`graph` holds the result as plain data; `labels` what the tracking counts in; `trace` runs a model
on labels by the `rules`; `walk` goes through Keras's graph.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from firekeras.channels.graph import ChannelGraph


def channel_graph(model) -> ChannelGraph:
    """Finds out which filters of a model go together, which cannot go, and why.

    Args:
        model: A built Functional or Sequential `keras.Model`. It is not changed.

    Returns:
        A `ChannelGraph`: plain data, no Keras in it.

    Raises:
        ValueError: If the model is subclassed, not built, or holds what surgery cannot honour.

    Example:
    >>> graph = firekeras.channel_graph(model)
    >>> graph.groups                  # layers that are pruned together
    [['conv1'], ['conv2'], ['scores']]
    >>> graph.lock("scores", 0)       # why a filter cannot go
    'scores (Dense) takes a softmax over these channels, so that each depends on all'
    """
    return traced(model).graph.copy()


def traced(model):
    """The `Trace` of a model, after checking that it can be one; made once while nothing of the model changes."""
    from firekeras.channels import rules, trace  # noqa: F401  (registers the rules)
    from firekeras.channels.check import check_model
    from firekeras.channels.memory import remembered

    check_model(model)
    return remembered(model, trace.trace_model)


def rule(*operations):
    """Registers a rule for a layer type; see `firekeras.channels.registry.rule`."""
    from firekeras.channels import registry

    return registry.rule(*operations)


def filter_kernels(model) -> dict[str, np.ndarray]:
    """The weights of each layer's filters, `(*taps, input channels, filters)`, in topological order."""
    trace = traced(model)
    return {name: trace.kernels[name]() for name in trace.graph.filter_layers}
