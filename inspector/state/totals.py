"""Sums over the layers of a session: of all layers, and of convolutions only."""

from __future__ import annotations

import dataclasses

from inspector.state.session import Session


@dataclasses.dataclass(frozen=True)
class Total:
    """Sums over layers, before the cut or after it.

    Args:
        title: The name of the sum.
        filters, macs, params: The sums.
        before: The sums before the cut, of sums after it; `None` for sums before the cut.
    """

    title: str
    filters: int
    macs: int
    params: int
    before: Total | None = None


def totals_of(session: Session) -> list[Total]:
    """The rows: all layers, and convolutions only; each followed by the remaining costs, if known."""
    opened, measured = session.opened, session.measured
    if opened is None:
        return []
    convs = [name for name in opened.graph.filter_layers if opened.graph.layers[name].is_conv]
    before = _sums(opened.graph.widths, opened.costs, convs)
    if measured is None:
        return before
    after = _sums(session.cut.widths, session.cut.costs, convs)
    left = [dataclasses.replace(b, title=f"{a.title}, after", before=a) for a, b in zip(before, after, strict=True)]
    return [total for pair in zip(before, left, strict=True) for total in pair]


def _left_out(costs):
    """A note on layers that the MACs do not include."""
    return f" ({costs.macs_title})" if costs.uncounted else ""


def _sums(widths, costs, convs):
    params = sum(costs.by_layer[name].params for name in convs if name in costs.by_layer)
    return [
        Total("All" + _left_out(costs), sum(widths.values()), costs.macs, costs.params),
        Total("Conv", sum(widths[name] for name in convs), costs.conv_macs, params),
    ]
