"""Scores and limits in, a plan out: which filters go. Pure arithmetic: no data, no model run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from firekeras.costs import Costs, as_graph, costs_without
from firekeras.names import nearest
from firekeras.plan import plan_file
from firekeras.plan.caps import resolve_caps
from firekeras.plan.selection import Limits, Ranking, Selection
from firekeras.profile import FilterScores

COSTS = ("conv_macs", "macs", "params")


@dataclasses.dataclass
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
        ranks: For each layer, the filters' places in the global order, from 1; 0 for no place.
        ranked: How many filters have a place.
        notes: What a user should know of the plan as a whole, such as why nothing goes.

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
    verdicts: dict[str, np.ndarray] = dataclasses.field(repr=False)
    sentences: list[str] = dataclasses.field(repr=False)
    scores: dict[str, np.ndarray] = dataclasses.field(repr=False)
    ranks: dict[str, np.ndarray] = dataclasses.field(repr=False)
    ranked: int
    notes: list[str]

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
        return f"its {self.criterion} score of {self.scores[layer][filter]:.4g} ranks {rank} of {self.ranked}; "

    def save(self, path):
        """Writes the plan as JSON: whole, or not at all."""
        plan_file.save(self, path)

    @classmethod
    def load(cls, path) -> PruningPlan:
        """Reads a plan; raises `ValueError` where the file is not one, of another version, or damaged."""
        return cls(**plan_file.load(path))

    @classmethod
    def of(cls, selection: Selection) -> PruningPlan:
        """The plan that a selection of units amounts to."""
        graph, ranking = selection.graph, selection.ranking
        sentences, verdicts = selection.verdicts()
        return cls(
            removed=graph.removed_filters(selection.gone),
            widths=graph.widths,
            costs_before=costs_without(graph),
            costs_after=costs_without(graph, selection.gone),
            criterion=ranking.source.criterion,
            verdicts=graph.by_layer(verdicts),
            sentences=sentences,
            scores=graph.by_layer(ranking.scores),
            ranks=graph.by_layer(ranking.places()),
            ranked=ranking.filters,
            notes=[*graph.notes, *selection.notes()],
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
) -> PruningPlan:
    """Decides which filters go, ranking those of all layers together (FIREPruning, section 3.3.2).

    Exactly `pruning_ratio` of the prunable filters go, ties included: of equal scores the one with
    the smaller l1 norm goes first, then the one that comes first. Filters that can only go together
    count one each; a unit of them that would overshoot is passed over.

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
        min_keep: No layer falls under this share of its original width, nor under one filter.
            Defaults to 0.1.
        original_widths: For each layer the width that caps and `min_keep` refer to. Defaults to
            the present widths.

    Returns:
        A `PruningPlan`. Where nothing can go, its `notes` say why.

    Raises:
        ValueError: If a number is out of its range, a layer does not exist, the scores are of
            another model, or the target cannot be reached (with the best that can).

    Example:
    >>> plan = firekeras.plan_pruning(model, scores, pruning_ratio=0.3, layer_caps={"conv1": 0.5})
    """
    graph = as_graph(model_or_graph)
    check_limits(pruning_ratio, round_to, min_keep)
    _check_scores(graph, scores)
    caps = resolve_caps(graph, layer_caps or {})
    limits = Limits.of(graph, caps, min_keep, original_widths or {})
    ranking = Ranking(graph, scores, int(round_to))
    if target is None:
        return PruningPlan.of(Selection(ranking, limits, ranking.budget(pruning_ratio)))
    return _reach(ranking, limits, target)


def known_layer(name, names):
    """The name, if it is one of `names`; else raises `ValueError` with the nearest."""
    if name in names:
        return name
    near = nearest(name, names)
    hint = f" Did you mean {near!r}?" if near else ""
    raise ValueError(f"There is no layer with filters named {name!r}.{hint}")


def check_limits(pruning_ratio, round_to, min_keep):
    """Raises `ValueError` for numbers out of their range."""
    if not 0 <= pruning_ratio < 1:
        raise ValueError(
            "pruning_ratio is the share of filters to remove, from 0 to below 1 (0.05 is 5%). "
            f"Received: {pruning_ratio}."
        )
    if not 0 <= min_keep <= 1:
        raise ValueError(f"min_keep is the share of a layer's filters that must stay, 0 to 1. Received: {min_keep}.")
    if int(round_to) != round_to or round_to < 1:
        raise ValueError(f"round_to is a whole number from 1 on, such as 8. Received: {round_to}.")


def _check_scores(graph, scores):
    for name, values in scores.items():
        width = graph.filters(known_layer(name, graph.filter_layers)).size
        if values.size != width:
            raise ValueError(
                f"The scores are of another model: layer {name!r} has {width} filters, the scores hold {values.size}. "
                "Score the model that you are about to prune."
            )


def _reach(ranking, limits, target) -> PruningPlan:
    """The plan that removes fewest filters and reaches the target."""
    measure, share = checked_target(target)
    goal = share * getattr(costs_without(ranking.graph), measure)

    def cost(budget):
        return getattr(costs_without(ranking.graph, Selection(ranking, limits, budget).gone), measure)

    low, high = 0, ranking.filters
    if cost(high) > goal:
        best = cost(high) / max(1, getattr(costs_without(ranking.graph), measure))
        raise ValueError(
            f"target {dict(target)} cannot be reached: with these caps and min_keep the least is {measure}={best:.3f}. "
            "Loosen the caps, lower min_keep, or ask for less."
        )
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if cost(middle) <= goal else (middle + 1, high)
    return PruningPlan.of(Selection(ranking, limits, low))


def checked_target(target, known=COSTS):
    """The measure and the share of a target `{measure: share}`, or `ValueError`."""
    if len(target) != 1 or next(iter(target)) not in known or not 0 < next(iter(target.values())) <= 1:
        raise ValueError(
            f"target is one of {known} with a share above 0, up to 1, such as {{'macs': 0.5}}. Received: {target}."
        )
    return next(iter(target.items()))
