"""Scores and limits in, a plan out: which filters go. Pure arithmetic: no data, no model run."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from firekeras.channels.costs import Costs, as_graph, costs_without
from firekeras.plan import plan_file
from firekeras.plan.caps import resolve_caps
from firekeras.plan.selection import MEASURES, Limits, Ranking, Selection, selected_at_once
from firekeras.plan.summary import how_balanced, in_one_line, summary
from firekeras.plan.verdicts import Verdicts
from firekeras.plan.widening import narrowest_cut, widened_because
from firekeras.refusals import is_number, nearest
from firekeras.scores.profile import FilterScores

COSTS = tuple(MEASURES)
BALANCE, MAX_CUT = 1.0, 0.5  # what plan_pruning does by itself
AS_SCORED: dict[str, Any] = {
    "balance": 0.0,
    "max_cut": 1.0,
}  # by the scores alone, over all layers together, as the papers rank


@dataclasses.dataclass(repr=False)
class PruningPlan:
    """Which filters of which layers go, and why each goes or stays.

    Args:
        removed: For each layer that loses filters, which, ascending; coupled layers too.
        widths: For each layer with filters, how many it had.
        costs_before: `Costs` of the network as it was.
        costs_after: `Costs` of the network without the removed filters, exact.
        criterion: What the scores were.
        verdicts: For each layer, one sentence per filter, as an index into `sentences`, `(filters,)`.
        sentences: The sentences that verdicts point to.
        scores: For each layer, what its filters scored (coupled ones: their mean), `(filters,)`.
        ranks: For each layer, the filters' places in the order in which they go, from 1; 0 for no place.
        ranked: How many filters have a place.
        notes: What a user should know of the plan as a whole, such as why nothing goes.
        balance: How much a filter's place within its layer counted in that order, 0 to 1.

    Example:
    >>> plan = firekeras.plan_pruning(model, scores, pruning_ratio=0.05)
    >>> plan.removed["conv1"]
    array([ 3, 17])
    >>> plan.explain("conv1", 17)
    """

    removed: dict[str, np.ndarray]
    widths: dict[str, int]
    costs_before: Costs
    costs_after: Costs
    criterion: str
    verdicts: dict[str, np.ndarray]
    sentences: list[str]
    scores: dict[str, np.ndarray]
    ranks: dict[str, np.ndarray]
    ranked: int
    notes: list[str]
    balance: float = 0.0

    def __repr__(self):
        return in_one_line(self)

    def summary(self) -> str:
        """What goes from each layer and what that saves, as a table for a terminal of 80 columns."""
        return summary(self)

    @property
    def num_removed(self) -> int:
        """How many filters go, over all layers."""
        return sum(filters.size for filters in self.removed.values())

    def explain(self, layer: str, filter: int) -> str:
        """One sentence: why this filter goes, or stays.

        Raises:
            ValueError: If there is no such layer or filter; names the nearest.
        """
        width = self.widths[known_layer(layer, self.widths)]
        if not 0 <= filter < width:
            raise ValueError(f"Layer {layer!r} has filters 0 to {width - 1}. Received: filter={filter}.")
        goes = "goes" if filter in self.removed.get(layer, ()) else "stays"
        return f"Filter {filter} of {layer} {goes}: {self._place(layer, filter)}{self._verdict(layer, filter)}."

    def _verdict(self, layer, filter):
        return self.sentences[int(self.verdicts[layer][filter])]

    def _place(self, layer, filter):
        rank = int(self.ranks[layer][filter])
        if not rank:
            return ""
        place = f"ranks {rank} of {self.ranked}{how_balanced(self.balance)}"
        return f"its {self.criterion} score of {self.scores[layer][filter]:.4g} {place}; "

    def save(self, path):
        """Writes the plan as JSON: whole, or not at all."""
        plan_file.save(self, path)

    @classmethod
    def load(cls, path) -> PruningPlan:
        """Reads a plan; raises `ValueError` if there is no such file, or none of a plan, or a damaged one."""
        return cls(**plan_file.load(path))

    @classmethod
    def of(cls, selection: Selection, notes: Iterable[str] = ()) -> PruningPlan:
        """The plan that a selection of units amounts to, with what else a user should know of it."""
        graph, ranking = selection.graph, selection.ranking
        verdicts = Verdicts(selection)
        sentences, by_unit = verdicts.by_unit()
        return cls(
            removed=graph.removed_filters(selection.gone),
            widths=graph.widths,
            costs_before=costs_without(graph),
            costs_after=costs_without(graph, selection.gone),
            criterion=ranking.source.criterion,
            verdicts=graph.by_layer(by_unit),
            sentences=sentences,
            scores=graph.by_layer(ranking.scores),
            ranks=graph.by_layer(ranking.places()),
            ranked=ranking.filters,
            notes=[*graph.notes, *notes, *verdicts.notes()],
            balance=float(ranking.balance),
        )


def plan_pruning(
    model_or_graph,
    scores: FilterScores,
    *,
    pruning_ratio: float = 0.05,
    layer_caps: Mapping[str, float] | None = None,
    target: Mapping[str, float] | None = None,
    round_to: int = 1,
    min_keep: float = 0.1,
    original_widths: Mapping[str, int] | None = None,
    balance: float = BALANCE,
    max_cut: float = MAX_CUT,
    measure: str | None = None,
) -> PruningPlan:
    """Decides which filters go: those that score highest among the filters of their layer.

    Exactly `pruning_ratio` of the prunable filters go, ties included: of equal places the one with
    the smaller l1 norm goes first, then the one that comes first. Filters that can only go together
    count one each; a unit of them that would overshoot is passed over. The paper ranks the filters of
    all layers together (FIREPruning, section 3.3.2): that is `balance=0, max_cut=1`.

    Args:
        model_or_graph: A model, or its `ChannelGraph` (planning then needs no Keras).
        scores: `FilterScores`: higher goes first, NaN stays.
        pruning_ratio: Share of the prunable filters to remove, from 0 to below 1. Defaults to 0.05.
        layer_caps: For some layers, which share of their original filters may go in total, 0 to 1
            (0 leaves a layer alone): by name, pattern or type, `{"conv1": 0.5, "block1_*": 0.3,
            "Dense": 0}`, the more particular one winning. Coupled layers share the tightest.
        target: Instead of the ratio: `{"macs": 0.5}`, `{"conv_macs": ...}` or `{"params": ...}`, the
            share of the network's present costs to come down to.
        round_to: Widths that change become a multiple of this. Defaults to 1.
        min_keep: No layer falls under this share of its original width, nor under one filter; nor do the
            channels that a split, slice or branch takes of it. Defaults to 0.1.
        original_widths: For each layer (and part) the width that caps and `min_keep` refer to, such as
            `graph.sizes` of the first model. Defaults to the present widths.
        balance: The weight of a filter's place within its own layer against its place among all, 0 to
            1 (see `firekeras.plan.balance`). Defaults to 1, by which layers lose about the same share and
            none is starved.
        max_cut: No layer loses more than this share of its present filters in this plan, above 0, up to
            1; one filter, or one step of `round_to`, may always go. Where the ratio or the target cannot
            be had with it, it is widened, and `notes` say so; caps do not widen it. Defaults to 0.5.
        measure: A cost, as in `target`: filters whose removal saves nothing of it stay, and do not count,
            such as those of Dense layers for `"conv_macs"`. Defaults to the target's.

    Returns:
        A `PruningPlan`. Where nothing can go, its `notes` say why.

    Raises:
        ValueError: If a number is out of its range, a layer or a measure does not exist, the scores are
            of another model, or the target cannot be reached (with the best that can).

    Example:
    >>> plan = firekeras.plan_pruning(model, scores, pruning_ratio=0.3, layer_caps={"conv1": 0.5})
    """
    graph = as_graph(model_or_graph)
    check_limits(pruning_ratio, round_to, min_keep)
    check_spread(balance, max_cut, measure)
    _check_scores(graph, scores)
    caps = resolve_caps(graph, layer_caps or {})
    limits = Limits.of(graph, caps, min_keep, original_widths or {})
    saved = checked_target(target)[0] if target is not None and not measure else measure
    ranking = Ranking(graph, scores, int(round_to), balance, saved)
    if target is None:
        return _take(ranking, limits, pruning_ratio, max_cut)
    return _reach(ranking, limits, target, max_cut)


def known_layer(name, names):
    """The name, if it is one of `names`; else raises `ValueError` with the nearest."""
    if name in names:
        return name
    near = nearest(name, names)
    hint = f" Did you mean {near!r}?" if near else ""
    raise ValueError(f"There is no layer with filters named {name!r}.{hint}")


def check_limits(pruning_ratio, round_to, min_keep):
    """Raises `ValueError` for numbers out of their range."""
    if not is_number(pruning_ratio) or not 0 <= pruning_ratio < 1:
        raise ValueError(
            "pruning_ratio is the share of filters to remove, from 0 to below 1 (0.05 is 5%). "
            f"Received: {pruning_ratio!r}."
        )
    if not is_number(min_keep) or not 0 <= min_keep <= 1:
        raise ValueError(f"min_keep is the share of a layer's filters that must stay, 0 to 1. Received: {min_keep!r}.")
    if not is_number(round_to) or round_to < 1 or round_to % 1:
        raise ValueError(f"round_to is a whole number from 1 on, such as 8. Received: {round_to!r}.")


def check_spread(balance, max_cut, measure=None):
    """Raises `ValueError` for what says how a plan is spread over layers, where that is out of its range."""
    if not is_number(balance) or not 0 <= balance <= 1:
        raise ValueError(
            f"balance is the weight of a filter's place within its own layer, 0 to 1. Received: {balance!r}."
        )
    if not is_number(max_cut) or not 0 < max_cut <= 1:
        raise ValueError(
            "max_cut is the share of a layer's present filters that may go in one plan, above 0, up to 1 (1 turns it "
            f"off). Received: {max_cut!r}."
        )
    if measure is not None and measure not in COSTS:
        raise ValueError(f"measure is one of {COSTS}, or None. Received: {measure!r}.")


def _check_scores(graph, scores):
    if not isinstance(scores, FilterScores):
        raise ValueError(
            "scores are FilterScores, as score_filters, measure_fire or FireDetector.predict give them. Received: "
            f"{type(scores).__name__}."
        )
    for name, values in scores.items():
        width = graph.filters(known_layer(name, graph.filter_layers)).size
        if values.size != width:
            raise ValueError(
                f"The scores are of another model: layer {name!r} has {width} filters, the scores hold {values.size}. "
                "Score the model that you are about to prune."
            )


def _take(ranking, limits, ratio, max_cut) -> PruningPlan:
    """The plan that removes as many filters as a ratio stands for."""
    selection, cut = selected_at_once(ranking, limits, ranking.budget(ratio), max_cut)
    return PruningPlan.of(selection, widened_because(f"pruning_ratio={ratio:g}", max_cut, cut))


def _reach(ranking, limits, target, max_cut) -> PruningPlan:
    """The plan that removes fewest filters and reaches the target."""
    measure, share = checked_target(target)
    before = getattr(costs_without(ranking.graph), measure)

    def selected(cut, budget):
        return Selection(ranking, limits.at_once(ranking.graph, cut, ranking.round_to), budget)

    @functools.cache
    def cost(cut, budget):
        return getattr(costs_without(ranking.graph, selected(cut, budget).gone), measure)

    goal, low, high = share * before, 0, ranking.filters
    cut = narrowest_cut(lambda cut: -cost(cut, high), max_cut, -goal)
    if cost(cut, high) > goal:
        raise ValueError(
            f"target {dict(target)} cannot be reached: with these caps and min_keep the least is "
            f"{measure}={cost(cut, high) / max(1, before):.3f}. Loosen the caps, lower min_keep, or ask for less."
        )
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if cost(cut, middle) <= goal else (middle + 1, high)
    return PruningPlan.of(selected(cut, low), widened_because(f"the target {dict(target)}", max_cut, cut))


def checked_target(target, known=COSTS):
    """The measure and the share of a target `{measure: share}`, or `ValueError`."""
    measure, share = next(iter(target.items())) if isinstance(target, Mapping) and len(target) == 1 else ("", 0)
    if measure not in known or not is_number(share) or not 0 < share <= 1:
        raise ValueError(
            f"target is one of {known} with a share above 0, up to 1, such as {{'macs': 0.5}}. Received: {target!r}."
        )
    return measure, share
