"""Which units go: ranked over all layers together, within a budget and the limits of each layer."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np

from firekeras.channels.graph import ChannelGraph
from firekeras.profile import FilterScores


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

    def places(self) -> np.ndarray:
        """The place of each unit's first filter in the global order, from 1; 0 for no place."""
        place = np.zeros(self.graph.num_units, "int64")
        sizes = self.graph.unit_sizes[self.order]
        place[self.order] = np.cumsum(sizes) - sizes + 1
        return place

    def _single_units(self):
        return [Block(self.order[k : k + 1], int(self.graph.unit_sizes[u])) for k, u in enumerate(self.order)]

    def _multiples(self):
        place = self.places()
        blocks = [block for group in self.graph.groups for block in self._blocks_of(group, place)]
        return [block for _, block in sorted(blocks, key=lambda pair: pair[0])]

    def _blocks_of(self, group, place):
        """Steps in which the width of coupled layers goes down from multiple to multiple."""
        layers = [self.graph.filters(name) for name in group]
        units = np.unique(np.concatenate(layers))
        if not all(_evenly_holds(layer, units) for layer in layers):
            names = ", ".join(group)
            sentence = f"the widths of {names} depend on each other: they cannot be multiples of {self.round_to}"
            self.ragged.update(dict.fromkeys(units.tolist(), sentence))
            return []
        ranked = units[place[units] > 0]
        ranked = ranked[np.argsort(place[ranked])]
        first = units.size % self.round_to or self.round_to
        edges = [0, *range(first, ranked.size + 1, self.round_to)]
        steps = [ranked[a:b] for a, b in itertools.pairwise(edges)]
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

    def verdicts(self):
        """The sentences that explain, and for each unit the index of its own, `(num_units,)`."""
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

    def notes(self) -> list[str]:
        """Why nothing goes, where something was to go."""
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
