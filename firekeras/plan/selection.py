"""Which units are removed: in the order of a ranking, within a budget and the limits of each layer."""

from __future__ import annotations

import collections
import dataclasses
import functools
import itertools
import math

import numpy as np

from firekeras.channels.costs import COSTS, costs_of_units
from firekeras.channels.graph import ChannelGraph
from firekeras.plan.balance import blended
from firekeras.plan.quick import Kinds
from firekeras.plan.units import over_units
from firekeras.plan.widening import narrowest_cut
from firekeras.scores.profile import FilterScores

LEAST_WORTH = 1e-3  # of the largest worth of a unit; what brings nothing still has its turn


@dataclasses.dataclass(frozen=True)
class Limits:
    """How many channels each layer and part may lose now, and the sentence on why the others stay."""

    allowed: np.ndarray
    sentences: list[str]

    @classmethod
    def of(cls, graph: ChannelGraph, caps, min_keep, original) -> Limits:
        """Limits from caps and `min_keep`, over a whole run, in the order of `graph.sizes`."""
        pairs = [cls._of_layer(name, width, original.get(name, width), caps.get(name, 1), min_keep)
                 for name, width in graph.widths.items()]  # fmt: skip
        pairs += [cls._of_part(name, size, original.get(name, size), min_keep)
                  for name, size in itertools.islice(graph.sizes.items(), len(pairs), None)]  # fmt: skip
        return cls(np.array([allowed for allowed, _ in pairs], "int64"), [sentence for _, sentence in pairs])

    @staticmethod
    def _of_part(name, size, original, min_keep):
        floor = _floor(min_keep, original)
        sentence = (
            f"it is in {name}, which takes only a part of the channels and is at its smallest: at least {floor} of its "
            f"{original} stay"
        )
        return max(0, size - floor), sentence

    @staticmethod
    def _of_layer(name, width, original, cap, min_keep):
        floor = _floor(min_keep, original)
        capped = original - math.floor(cap * original + 1e-9)
        if capped > floor:
            sentence = f"the cap of {cap:.0%} on {name} is reached: at least {capped} of its {original} filters stay"
        else:
            sentence = f"{name} is at its smallest: at least {floor} of its {original} filters stay"
        return max(0, width - max(floor, capped)), sentence

    def at_once(self, graph: ChannelGraph, max_cut: float, step: int = 1) -> Limits:
        """Tighter limits: no layer loses more than a share of its current filters in one plan.

        One step is always allowed: one filter, a unit of coupled filters, or a step of `round_to`.
        """
        if max_cut >= 1:
            return self
        most = _most_at_once(graph, max_cut, step)
        sentences = [
            kept if allowed <= few else _at_once(name, width, few, max_cut)
            for kept, allowed, few, (name, width) in zip(
                self.sentences, self.allowed, most, graph.sizes.items(), strict=True
            )
        ]
        return Limits(np.minimum(self.allowed, np.array(most, "int64")), sentences)


def _floor(min_keep, original):
    """How many channels must stay."""
    return max(1, math.ceil(min_keep * original - 1e-9))


def _most_at_once(graph, max_cut, step) -> list[int]:
    """How many filters each layer may lose in one plan; parts are not limited further."""
    pairs = zip(graph.most_held, graph.widths.values(), strict=True)
    most = [max(step, held, math.floor(max_cut * size + 1e-9)) for held, size in pairs]
    return [*most, *list(graph.sizes.values())[len(most) :]]


def _at_once(name, width, most, max_cut):
    return f"{name} loses at most {most} of its {width} filters in one plan (max_cut={max_cut:g})"


@dataclasses.dataclass(frozen=True)
class Block:
    """Units that are removed in one step: one unit, or as many as bring a width to the next multiple."""

    units: np.ndarray
    size: int


class Ranking:
    """All prunable units, in the order of removal.

    Args:
        graph: The channel graph.
        scores: The scores.
        round_to: Widths become multiples of this.
        balance: The weight of a filter's rank within its layer against its rank among all, 0 to 1.
            Defaults to 0: by the scores alone.
        measure: A name in `COSTS`: units whose removal saves none of it stay. Defaults to none.
        helps: A mask over units: all others stay too. Defaults to none.
        first: A mask over units that go before all others. Defaults to none.
        saves: What the plan is for, in the sentences on units that would not help. Defaults to the measure.
        worth: How much the removal of a filter of each unit brings, `(num_units,)`: what brings more goes earlier. The
            share of better-placed filters that a unit leaves behind counts divided by the square root of its worth.
            Defaults to none.
    """

    def __init__(
        self,
        graph: ChannelGraph,
        scores: FilterScores,
        round_to: int,
        balance: float = 0.0,
        measure: str | None = None,
        *,
        helps: np.ndarray | None = None,
        first: np.ndarray | None = None,
        saves: str = "",
        worth: np.ndarray | None = None,
    ):
        self.graph, self.source, self.round_to, self.balance = graph, scores, round_to, balance
        self.saves = saves or (COSTS[measure].title if measure else "")
        self._worth = worth
        self._first = np.zeros(graph.num_units, bool) if first is None else first
        self.scores = over_units(graph, scores)
        self.l1 = np.nan_to_num(over_units(graph, scores.l1))
        unlocked = np.ones(graph.num_units, bool)
        unlocked[list(graph.locks)] = False
        self.idle = costs_of_units(graph, measure) == 0 if measure else np.zeros(graph.num_units, bool)
        if helps is not None:
            self.idle |= ~helps
        self.prunable = unlocked & ~self.idle & np.isfinite(self.scores)
        self.ragged: dict[int, str] = {}
        self.order = self._ordered()
        self.filters = int(graph.unit_sizes[self.prunable].sum())

    @functools.cached_property
    def kinds(self) -> Kinds:
        """The prunable units by the layers that hold them."""
        limited = self.graph.limited_by
        return Kinds([limited[unit] for unit in self.order.tolist()], self.graph.unit_sizes[self.order])

    @functools.cached_property
    def blocks(self) -> list[Block]:
        """The steps, in order."""
        return self._single_units() if self.round_to == 1 else self._multiples()

    def _ordered(self):
        units = np.flatnonzero(self.prunable)
        place = blended(np.where(self.prunable, self.scores, np.nan), self.graph, self.balance)
        if self._worth is not None:
            place = (place - 1) / np.sqrt(np.maximum(self._worth, LEAST_WORTH * self._worth.max(initial=1e-12)))
        return units[np.lexsort((units, self.l1[units], -place[units], ~self._first[units]))]

    def budget(self, ratio) -> int:
        """The number of filters for a ratio: rounded half up, at least one unless the ratio is 0."""
        return max(1, math.floor(ratio * self.filters + 0.5)) if ratio else 0

    def places(self) -> np.ndarray:
        """The rank of each unit's first filter in the global order, from 1; 0 for unranked units."""
        place = np.zeros(self.graph.num_units, "int64")
        sizes = self.graph.unit_sizes[self.order]
        place[self.order] = np.cumsum(sizes) - sizes + 1
        return place

    def _single_units(self):
        return [Block(self.order[k : k + 1], int(self.graph.unit_sizes[u])) for k, u in enumerate(self.order)]

    def _multiples(self):
        place = self.places()
        blocks = [block for group in self.graph.groups for block in self._blocks_of(group, place)]
        return sorted(
            blocks, key=lambda block: place[block.units].max()
        )  # a block is removed when its last unit would be

    def _blocks_of(self, group, place):
        """Steps that reduce the widths of coupled layers from multiple to multiple."""
        cells = _cells([self.graph.filters(name) for name in group])
        if len(cells) > 1 and any(cell.size % self.round_to for cell in cells):
            names = ", ".join(group)
            sentence = (
                f"the widths of {names} depend on each other: not all of their parts are multiples of {self.round_to}"
            )
            self.ragged.update(dict.fromkeys(np.concatenate(cells).tolist(), sentence))
            return []
        return [step for cell in cells for step in self._steps(cell, place)]

    def _steps(self, units, place):
        """The first step leaves a multiple of these units, and so does each that follows."""
        ranked = units[place[units] > 0]
        ranked = ranked[np.argsort(place[ranked])]
        first = units.size % self.round_to or self.round_to
        edges = [0, *range(first, ranked.size + 1, self.round_to)]
        steps = [ranked[a:b] for a, b in itertools.pairwise(edges)]
        return [Block(step, int(self.graph.unit_sizes[step].sum())) for step in steps]


def _cells(layers):
    """The units of coupled layers, by the layers that hold them and how often: each layer's width is a sum of cells."""
    units = np.unique(np.concatenate(layers))
    held = np.stack([np.bincount(np.searchsorted(units, layer), minlength=units.size) for layer in layers])
    _, cell = np.unique(held, axis=1, return_inverse=True)
    return [units[cell.ravel() == number] for number in range(cell.max() + 1)]


class Selection:
    """One pass down the ranking: takes what fits the budget and the limits, and knows why the rest stays.

    The pass needs no loop if steps are single units and each layer holds units of one kind.

    Args:
        ranking: The prunable units, in order.
        limits: How many channels each layer and part may lose.
        budget: How many filters to remove in total.

    Attributes:
        gone: The units that are removed, a mask `(num_units,)`.
    """

    def __init__(self, ranking: Ranking, limits: Limits, budget: int):
        self.ranking, self.graph, self.limits, self.budget = ranking, ranking.graph, limits, budget
        self.gone = np.zeros(self.graph.num_units, bool)
        self._why: dict[int, str] = {}
        self._allowed = limits.allowed.tolist()
        self._left = budget
        self._at_once = ranking.round_to == 1 and ranking.kinds.apart
        if self._at_once:
            self.gone[ranking.order[ranking.kinds.taken(self._allowed, budget)]] = True
        else:
            self._take_in_order()
        if budget and not self.gone.any() and ranking.round_to > 1:
            self._take_one_block()
        self.num_gone = int(self.graph.unit_sizes[self.gone].sum())

    def _take_in_order(self):
        for block in self.ranking.blocks:
            if not self._left:
                break
            if block.size > self._left:
                self._keep(block, self._overshoots(block.size))
            elif self._fits(block):
                self._take(block)

    def _take_one_block(self):
        """A step of `round_to` may be larger than the budget; one is taken anyway."""
        fitting = (block for block in self.ranking.blocks if self._fits(block))
        for block in itertools.islice(fitting, 1):
            self._take(block)

    def _fits(self, block):
        full = next((layer for layer, count in self._needs(block) if count > self._allowed[layer]), None)
        if full is not None:
            self._keep(block, self.limits.sentences[full])
        return full is None

    def _needs(self, block):
        """How many channels a block takes from each layer and part."""
        held = self.graph.limited_by
        if block.units.size == 1:
            return held[block.units[0]]
        total: collections.Counter = collections.Counter()
        for unit in block.units:
            total.update(dict(held[unit]))
        return total.items()

    def _take(self, block):
        self.gone[block.units] = True
        for layer, count in self._needs(block):
            self._allowed[layer] -= count
        self._left = max(0, self._left - block.size)

    def _keep(self, block, sentence):
        self._why.update(dict.fromkeys(block.units.tolist(), sentence))

    def _overshoots(self, size):
        return f"its {size} filters only go together, and would exceed the {self.budget} to go"

    @functools.cached_property
    def why(self) -> dict[int, str]:
        """Why each unit stays although its turn came, in the order of the ranking."""
        if not self._at_once:
            return self._why
        kinds, order = self.ranking.kinds, self.ranking.order.tolist()
        kept = kinds.kept(self._allowed, self.budget, self.gone[self.ranking.order])
        sizes, sentences = self.graph.unit_sizes, self.limits.sentences
        return {
            order[place]: self._overshoots(int(sizes[order[place]])) if full is None else sentences[full]
            for place, full in kept
        }


def selected_at_once(ranking: Ranking, limits: Limits, budget: int, max_cut: float) -> tuple[Selection, float]:
    """The selection if no layer loses more than a share in one plan, unless the budget needs more; and that share.

    Args:
        ranking: The prunable units, in order.
        limits: How many channels each layer and part may lose.
        budget: How many filters to remove in total.
        max_cut: The share to start with.
    """
    selected = functools.cache(
        lambda cut: Selection(ranking, limits.at_once(ranking.graph, cut, ranking.round_to), budget)
    )
    cut = narrowest_cut(lambda cut: selected(cut).num_gone, max_cut, budget)
    return selected(cut), cut
