"""A plan as text: one line, or a table for a terminal of 80 columns."""

from __future__ import annotations

import textwrap

from firekeras.channels.costs import SHOWN

COLUMNS, LONGEST = 80, 55  # of the whole table; of a name in it


def in_one_line(plan) -> str:
    """`<PruningPlan by fire: 23 of 184 filters, conv MACs 100% -> 71%>`."""
    cost = plan.costs_before.headline
    filters = f"{plan.num_removed} of {sum(plan.widths.values())} filters"
    says = " by its file" if plan.read_from else ""
    return (
        f"<{type(plan).__name__} by {plan.criterion}: {filters}, {SHOWN[cost]} 100% -> {_left(plan, cost):.0%}{says}>"
    )


def summary(plan) -> str:
    """A row for each layer, the totals, and the notes."""
    width = min(LONGEST, max(map(len, [*plan.widths, *SHOWN.values()]), default=0))
    rows = [_row(plan, name, width) for name in plan.widths]
    totals = [
        f"{title:{width}}  100% -> {_left(plan, cost):.1%}"
        for cost, title in SHOWN.items()
        if cost in plan.costs_before.totals
    ]
    if plan.costs_before.latency and plan.costs_after.latency is not None:
        totals.append(f"{'latency, by the table':{width}}  100% -> {_left(plan, 'latency'):.1%}")
    head = f"{'layer':{width}}  {'filters':>16}  {'gone':>5}"
    sentences = [textwrap.fill(sentence, COLUMNS) for sentence in (_what_goes(plan), *_who_says(plan), *plan.notes)]
    return "\n".join([head, *rows, "", *totals, "", *sentences])


def _what_goes(plan):
    how = f"by {plan.criterion}{how_balanced(plan.balance)}"
    return f"{plan.num_removed} of {sum(plan.widths.values())} filters go, ranked {how}."


def _who_says(plan):
    return [f"The costs are what {plan.read_from} says; count_costs counts a model's."] if plan.read_from else []


def how_balanced(balance) -> str:
    """A remark on how much the rank within the layer counted."""
    if not balance:
        return ""
    return " (balanced over layers)" if balance == 1 else f" (balanced over layers by {balance:g})"


def _row(plan, name, width):
    before = plan.widths[name]
    gone = len(plan.removed.get(name, ()))
    widths = f"{before} -> {before - gone}" if gone else f"{before}"
    return f"{_shortened(name, width):{width}}  {widths:>16}  {gone / max(1, before):>5.0%}"


def _shortened(name, length):
    """A name, without its middle if it is too long."""
    if len(name) <= length:
        return name
    tail = (length - 3) // 2
    return f"{name[: length - 3 - tail]}...{name[-tail:]}"


def _left(plan, field):
    before, after = (getattr(costs, field) for costs in (plan.costs_before, plan.costs_after))
    return after / before if before else 1.0
