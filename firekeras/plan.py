"""Scores and limits in, a plan out: which filters go. Pure arithmetic: no data, no model run."""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
from collections.abc import Mapping

import numpy as np

from firekeras.atomic import write_text
from firekeras.channels.graph import ChannelGraph
from firekeras.costs import Costs, LayerCosts, as_graph, costs_without
from firekeras.profile import FilterScores

FORMAT, VERSION = "firekeras.plan", 1


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
        write_text(path, json.dumps({"format": FORMAT, "version": VERSION, **_to_dict(self)}))

    @classmethod
    def load(cls, path) -> PruningPlan:
        """Reads a plan; raises `ValueError` where the file is not one, of another version, or damaged."""
        return _load(path)


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
            (0 leaves a layer alone). Coupled layers share the tightest of their caps.
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
    _check_numbers(pruning_ratio, round_to, min_keep)
    _check_scores(graph, scores)
    caps = _checked_caps(graph, layer_caps or {})
    limits = Limits.of(graph, caps, min_keep, original_widths or {})
    ranking = Ranking(graph, scores, round_to)
    if target is None:
        return Selection(ranking, limits, ranking.budget(pruning_ratio)).plan()
    return _reach(ranking, limits, target)


def known_layer(name, names):
    """The name, if it is one of `names`; else raises `ValueError` with the nearest."""
    if name in names:
        return name
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"There is no layer with filters named {name!r}.{hint}")


def _check_numbers(pruning_ratio, round_to, min_keep):
    if not 0 <= pruning_ratio < 1:
        raise ValueError(
            f"pruning_ratio is the share of filters to remove, from 0 to below 1 (0.05 is 5%). Received: {pruning_ratio}."
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


def _checked_caps(graph, caps):
    for name, cap in caps.items():
        known_layer(name, graph.filter_layers)
        if not 0 <= cap <= 1:
            raise ValueError(
                f"A layer cap is the share of a layer's filters that may go, 0 to 1. Received: {cap} for {name!r}."
            )
    return caps


@dataclasses.dataclass(frozen=True)
class Limits:
    """How many filters each layer may lose now, and the sentence that says what keeps the others."""

    allowed: np.ndarray
    sentences: list[str]

    @classmethod
    def of(cls, graph: ChannelGraph, caps, min_keep, original) -> Limits:
        """Limits from caps and `min_keep`, in the order of `graph.filter_layers`."""
        pairs = [cls._of_layer(name, width, original.get(name, width), caps.get(name, 1), min_keep)
                 for name, width in graph.widths.items()]  # fmt: skip
        return cls(np.array([allowed for allowed, _ in pairs], "int64"), [sentence for _, sentence in pairs])

    @staticmethod
    def _of_layer(name, width, original, cap, min_keep):
        floor = max(1, math.ceil(min_keep * original - 1e-9))
        capped = original - math.floor(cap * original + 1e-9)
        if capped > floor:
            sentence = f"the cap of {cap:.0%} on {name} is reached: at least {capped} of its {original} filters stay"
        else:
            sentence = f"{name} is at its smallest: at least {floor} of its {original} filters stay"
        return max(0, width - max(floor, capped)), sentence


@dataclasses.dataclass(frozen=True)
class Block:
    """Units that go in one step: one unit, or as many as bring a width to the next multiple."""

    units: np.ndarray
    size: int


class Ranking:
    """All that may go, in the order in which it goes.

    Args:
        graph: The channel graph.
        scores: The scores.
        round_to: Widths go down in multiples of this.
    """

    def __init__(self, graph: ChannelGraph, scores: FilterScores, round_to: int):
        self.graph, self.source, self.round_to = graph, scores, round_to
        self.scores = _mean_over_units(graph, scores)
        self.l1 = np.nan_to_num(_mean_over_units(graph, scores.l1))
        unlocked = np.ones(graph.num_units, bool)
        unlocked[list(graph.locks)] = False
        self.prunable = unlocked & np.isfinite(self.scores)
        self.ragged: dict[int, str] = {}
        units = np.flatnonzero(self.prunable)
        self.order = units[np.lexsort((units, self.l1[units], -self.scores[units]))]
        self.blocks = self._single_units() if round_to == 1 else self._multiples()
        self.filters = int(graph.unit_sizes[self.prunable].sum())

    def budget(self, ratio) -> int:
        """How many filters a ratio stands for: rounded half up, at least one unless the ratio is 0."""
        return max(1, math.floor(ratio * self.filters + 0.5)) if ratio else 0

    def _single_units(self):
        return [Block(self.order[k : k + 1], int(self.graph.unit_sizes[u])) for k, u in enumerate(self.order)]

    def _multiples(self):
        place = np.zeros(self.graph.num_units, "int64")
        place[self.order] = np.arange(1, self.order.size + 1)
        blocks = [block for group in self.graph.groups for block in self._blocks_of(group, place)]
        return [block for _, block in sorted(blocks, key=lambda pair: pair[0])]

    def _blocks_of(self, group, place):
        """Steps in which the width of coupled layers goes down from multiple to multiple."""
        layers = [self.graph.filters(name) for name in group]
        units = np.unique(np.concatenate(layers))
        if not all(_evenly_holds(layer, units) for layer in layers):
            sentence = f"the widths of {', '.join(group)} depend on each other and cannot be kept at multiples of {self.round_to}"
            self.ragged.update(dict.fromkeys(units.tolist(), sentence))
            return []
        ranked = units[place[units] > 0]
        ranked = ranked[np.argsort(place[ranked])]
        first = units.size % self.round_to or self.round_to
        edges = [0, *range(first, ranked.size + 1, self.round_to)]
        steps = [ranked[a:b] for a, b in zip(edges, edges[1:], strict=False)]
        return [(self._key(step, place), Block(step, int(self.graph.unit_sizes[step].sum()))) for step in steps]

    def _key(self, units, place):
        return (-self.scores[units].mean(), place[units].max())


def _evenly_holds(layer, units):
    held, counts = np.unique(layer, return_counts=True)
    return held.size == units.size and (counts == counts[0]).all()


def _mean_over_units(graph, by_layer):
    """For each unit the mean over its filters, NaN where one of them has no value, `(num_units,)`."""
    total = np.zeros(graph.num_units)
    for name in graph.filter_layers:
        units = graph.filters(name)
        np.add.at(total, units, by_layer.get(name, np.full(units.size, np.nan)))
    return total / np.maximum(graph.unit_sizes, 1)


class Selection:
    """One pass down the ranking: takes what fits the budget and the limits, and notes why the rest stays."""

    def __init__(self, ranking: Ranking, limits: Limits, budget: int):
        self.ranking, self.graph, self.limits, self.budget = ranking, ranking.graph, limits, budget
        self.gone = np.zeros(self.graph.num_units, bool)
        self.why: dict[int, str] = {}
        self.allowed = limits.allowed.copy()
        self._layer_of = _layers_of_units(self.graph)
        self.left = budget
        self._take_in_order()
        if budget and not self.gone.any() and ranking.round_to > 1:
            self._take_one_block()

    def _take_in_order(self):
        for block in self.ranking.blocks:
            if not self.left:
                break
            if block.size > self.left:
                self._keep(
                    block,
                    f"the {block.size} filters that only go together would be more than the {self.budget} that may go",
                )
            elif self._fits(block):
                self._take(block)

    def _take_one_block(self):
        """A step of `round_to` may be larger than the budget; one is taken all the same."""
        for block in self.ranking.blocks:
            if self._fits(block):
                return self._take(block)
        return None

    def _fits(self, block):
        wanted = np.bincount(np.concatenate([self._layer_of[u] for u in block.units]), minlength=self.allowed.size)
        full = np.flatnonzero(wanted > self.allowed)
        if full.size:
            self._keep(block, self.limits.sentences[full[0]])
        return not full.size

    def _take(self, block):
        self.gone[block.units] = True
        np.subtract.at(self.allowed, np.concatenate([self._layer_of[u] for u in block.units]), 1)
        self.left = max(0, self.left - block.size)

    def _keep(self, block, sentence):
        self.why.update(dict.fromkeys(block.units.tolist(), sentence))

    def plan(self) -> PruningPlan:
        """The plan that this selection amounts to."""
        graph, ranking = self.graph, self.ranking
        sentences, verdicts = self._verdicts()
        rank = np.zeros(graph.num_units, "int64")
        sizes = graph.unit_sizes[ranking.order]
        rank[ranking.order] = np.cumsum(sizes) - sizes + 1
        return PruningPlan(
            removed=graph.removed_filters(self.gone),
            widths=graph.widths,
            costs_before=costs_without(graph),
            costs_after=costs_without(graph, self.gone),
            criterion=ranking.source.criterion,
            verdicts={name: verdicts[graph.filters(name)] for name in graph.filter_layers},
            sentences=sentences,
            scores={name: ranking.scores[graph.filters(name)] for name in graph.filter_layers},
            ranks={name: rank[graph.filters(name)] for name in graph.filter_layers},
            ranked=ranking.filters,
            notes=[*graph.notes, *self._notes()],
        )

    def _verdicts(self):
        index: dict[str, int] = {}
        verdicts = [index.setdefault(self._sentence(unit), len(index)) for unit in range(self.graph.num_units)]
        return list(index), np.array(verdicts, "int64")

    def _sentence(self, unit):
        """The end of a sentence that begins with "Filter 3 of conv1 goes: " or "stays: "."""
        if self.gone[unit]:
            return f"{int(self.graph.unit_sizes[self.gone].sum())} go{self._partners(unit)}"
        if unit in self.graph.locks:
            return self.graph.locks[unit]
        if not self.ranking.prunable[unit]:
            return self._unscored(unit)
        if unit in self.ranking.ragged:
            return self.ranking.ragged[unit]
        return self.why.get(unit, f"{int(self.graph.unit_sizes[self.gone].sum())} others go before it")

    def _partners(self, unit):
        layers = [self.graph.filter_layers[k] for k in dict.fromkeys(self._layer_of[unit].tolist())]
        return f"; with it go its partners in {_listed(layers)}" if len(layers) > 1 else ""

    def _unscored(self, unit):
        for k in self._layer_of[unit]:
            name = self.graph.filter_layers[k]
            reason = self.ranking.source.reasons.get(name)
            if reason:
                return f"it has no {self.ranking.source.criterion} score, since in {name} {reason}"
        return f"it has no {self.ranking.source.criterion} score"

    def _notes(self):
        if self.gone.any() or not self.budget:
            return []
        if not self.ranking.filters:
            reasons = list(dict.fromkeys(self._sentence(u) for u in range(self.graph.num_units)))
            return [f"Nothing goes, because no filter may: {'; '.join(reasons[:3])}."]
        why = list(dict.fromkeys(self.why.values()))
        return [f"Nothing goes, because of every filter that may: {'; '.join(why[:3])}."]


def _listed(names, most=3):
    more = f" and {len(names) - most} more layers" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _layers_of_units(graph):
    """For each unit the layers that it has filters in (by number, once per filter)."""
    units = [graph.filters(name) for name in graph.filter_layers]
    layer = np.repeat(np.arange(len(units)), [u.size for u in units])
    flat = np.concatenate([*units, np.zeros(0, "int64")])
    order = np.argsort(flat, kind="stable")
    return np.split(layer[order], np.cumsum(graph.unit_sizes)[:-1])


def _reach(ranking, limits, target) -> PruningPlan:
    """The plan that removes fewest filters and reaches the target."""
    ((measure, share),) = _checked_target(target)
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
    return Selection(ranking, limits, low).plan()


def _checked_target(target):
    known = ("conv_macs", "macs", "params")
    if len(target) != 1 or next(iter(target)) not in known or not 0 < next(iter(target.values())) <= 1:
        raise ValueError(
            f"target is one of {known} with a share above 0, up to 1, such as {{'macs': 0.5}}. Received: {target}."
        )
    return target.items()


def _to_dict(plan):
    def lists(arrays):
        return {name: array.tolist() for name, array in arrays.items()}

    return {
        "removed": lists(plan.removed),
        "widths": plan.widths,
        "costs_before": dataclasses.asdict(plan.costs_before),
        "costs_after": dataclasses.asdict(plan.costs_after),
        "criterion": plan.criterion,
        "verdicts": lists(plan.verdicts),
        "sentences": plan.sentences,
        "scores": {name: [None if math.isnan(s) else s for s in a.tolist()] for name, a in plan.scores.items()},
        "ranks": lists(plan.ranks),
        "ranked": plan.ranked,
        "notes": plan.notes,
    }


def _load(path):
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not a pruning plan, or is damaged: {error}.") from error
    if not isinstance(data, dict) or data.pop("format", None) != FORMAT:
        raise ValueError(f'{path} is not a pruning plan: expected JSON with "format": {FORMAT!r}.')
    if data.pop("version", None) != VERSION:
        raise ValueError(f"{path} is a plan of another version; this firekeras reads version {VERSION}.")
    try:
        return _from_dict(data)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a whole pruning plan: {error}.") from error


def _from_dict(data):
    def arrays(key, dtype):
        return {name: np.array(values, dtype) for name, values in data[key].items()}

    fields = {
        **data,
        **{key: arrays(key, "int64") for key in ("removed", "verdicts", "ranks")},
        "scores": arrays("scores", "float64"),
        **{key: _costs(data[key]) for key in ("costs_before", "costs_after")},
    }
    return PruningPlan(**fields)


def _costs(data):
    return Costs(**{**data, "by_layer": {name: LayerCosts(**c) for name, c in data["by_layer"].items()}})
