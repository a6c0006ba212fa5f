"""Pruning Filters for Efficient ConvNets (Li et al., ICLR 2017): removes the filters of small l1 norm in each layer."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from firekeras.arguments import typed
from firekeras.channels.graph import ChannelGraph
from firekeras.methods import papers
from firekeras.methods.l1_norms import (
    RankedLayer,
    convolution_kernels,
    greedy_orders,
    independent_orders,
    ranked_layers,
)
from firekeras.methods.l1_presets import known_preset, paper_rates, preset_rates
from firekeras.network import Network
from firekeras.plan.caps import resolve_caps
from firekeras.plan.planning import AS_SCORED, PruningPlan, plan_pruning
from firekeras.refusals import check_one_of, check_share
from firekeras.rounds.method import Method, Protocol, register
from firekeras.rounds.run import Run
from firekeras.scores.profile import FilterScores

SELECTIONS = ("independent", "greedy")
NOT_ALONE, NO_CONVOLUTION = "no filter goes by its own norm", "the layer is not a convolution"
ALL = 1 - 1e-9  # as a pruning ratio: everything that has a score
PAPER = "paper"  # as rates: those of the paper's network of this depth
Rates = float | Mapping[str, float] | None


@register("l1")
class L1Pruning(Method):
    """Removes the filters with the smallest weights: the same share of every layer, or a rate per layer.

    Source: Li et al., "Pruning Filters for Efficient ConvNets", ICLR 2017. Everything goes at once, down to the rates
    or to the run's target, and the network is trained once after that, for all epochs (section 3.4). The `tolerance`
    undoes nothing then: the result only says whether it holds. With neither rates nor a target, `pruning_ratio` of
    every layer goes in each round. Only convolutions are pruned, and in residual blocks
    only those that no addition couples with other layers.

    Args:
        rates: The share of its original filters that each layer loses, from 0 to 1: one number for all layers; a
            share by layer (names, patterns and types, as in `layer_caps`); the name of a network in the paper's
            table 1, such as `"resnet56-b"`; or `"paper"`: the smallest network of this depth in that table, unless the
            run has a target. Layers without a rate stay as they are. Layers whose filters cannot go
            on their own are passed over, with a note, so the rates of a `firekeras.sensitivity` fit every network.
            `min_keep` holds too; a note says where it keeps more than a rate asks for. Defaults to None: all layers
            lose the same share, as much as the target asks for.
        selection: `"independent"` ranks by all weights of a filter; `"greedy"` ignores those that
            read channels that earlier layers lose (section 3.2). Defaults to `"independent"`.
        iterative: Whether each round prunes only one layer, beginning with the first, so that the network is
            trained after each (section 3.4). Defaults to False.
        shortcuts: Whether the last convolutions of residual blocks are pruned too, by the norms of the
            1x1 projection that their stage begins with (section 3.3). Defaults to False; the preset `"resnet34-c"`
            turns it on.

    Raises:
        ValueError: If there is no such selection or preset, or a rate is out of range.

    Example:
    >>> method = firekeras.methods.L1Pruning({"conv1": 0.5})
    >>> result = firekeras.compress(model, train, validation, method=method, epochs=1)
    >>> result.model.get_layer("conv1").filters
    4
    """

    protocols: Mapping[str, Protocol] = {"paper": papers.LI}

    @typed
    def __init__(
        self,
        rates: float | str | Mapping[str, float] | None = None,
        *,
        selection: str = "independent",
        iterative: bool = False,
        shortcuts: bool = False,
    ):
        check_one_of("selection", selection, SELECTIONS)
        if isinstance(rates, str) and rates != PAPER:
            shortcuts = shortcuts or bool(known_preset(rates).projections)
        elif rates != PAPER:
            _check_rates(rates)
        self.rates, self.selection, self.iterative, self.shortcuts = rates, selection, iterative, shortcuts

    def plan(self, model: keras.Model, run: Run) -> PruningPlan:
        """The plan for the next round."""
        network = Network.of(model)
        kernels = convolution_kernels(network)
        layers = ranked_layers(network, kernels, self.shortcuts)
        rates = self._rates(kernels, run.target)
        quotas = _quotas(layers, _by_layer(rates, network.graph, layers), run.original_widths)
        cut = functools.partial(self._cut, model, run, network.graph, rates)
        plan = self._ranked(cut, network.graph, layers, quotas)
        if rates is not None:
            plan.notes = self._notes(rates, network.graph, layers, plan, quotas, run)
        return plan

    def _ranked(self, cut, graph, layers, quotas):
        """The plan by independent norms, or by those that this plan leaves."""
        plan = cut(_scores(graph, layers, independent_orders(layers), quotas))
        if self.selection == "independent":
            return plan
        counts = {name: filters.size for name, filters in plan.removed.items()}
        return cut(_scores(graph, layers, greedy_orders(layers, counts), quotas))

    def _notes(self, rates, graph, layers, plan, quotas, run):
        """What the rates ask for and this plan does not do; or, once nothing is left to do, that they are met."""
        left = {name: quota - lost for name, (_, quota, lost) in quotas.items() if quota > lost}
        at_once = run.target is None and not run.halvings and not self.iterative
        notes = list(plan.notes)
        if _met(quotas) and not left:
            notes = [f"The rates are met: {', '.join(_met(quotas))}."]
        elif not plan.removed or at_once:
            notes += _short(left, plan.removed, run.limits["min_keep"])
        return notes + _passed_over(rates, graph, layers)

    def unread(self) -> tuple[str, ...]:
        """How much goes and where: rates decide that."""
        return () if self.rates is None else ("pruning_ratio", "balance", "max_cut", "favour_macs")

    def one_shot(self, target: Any) -> bool:
        """Whether all goes in one cut, which the rates or the target size."""
        sized = self.rates is not None or (target is not None and target.counted is not None)
        return sized and not self.iterative

    def check(self, model: keras.Model, train_data: Any) -> None:
        """Raises `ValueError` if the rates do not fit this network."""
        if self.rates == PAPER:
            return  # there may be a target, which takes their place
        network = Network.of(model)
        kernels = convolution_kernels(network)
        _by_layer(self._rates(kernels), network.graph, ranked_layers(network, kernels, self.shortcuts))

    def _rates(self, kernels: Mapping[str, np.ndarray], target: Any = None) -> Rates:
        """The rates, those of a preset by layer; None if the target decides."""
        if self.rates == PAPER:
            return paper_rates(kernels) if target is None else None
        return preset_rates(self.rates, kernels) if isinstance(self.rates, str) else self.rates

    def _cut(
        self, model: keras.Model, run: Run, graph: ChannelGraph, rates: Rates, scores: FilterScores
    ) -> PruningPlan:
        if rates is None and (run.target is None or run.target.counted is None):
            return self._share_of_each_layer(model, run, scores)
        if self.iterative:
            scores = _first_layer_alone(graph, scores, _limited(run, graph, scores).removed)
        return _less_after_undone_rounds(run, graph, scores)

    def _share_of_each_layer(self, model: keras.Model, run: Run, scores: FilterScores) -> PruningPlan:
        """The run's ratio in each round: nothing says how far it goes."""
        if self.iterative:
            raise ValueError(
                "iterative=True goes through the layers once, so it has to know how much to remove: give rates, or a "
                "target of MACs or parameters."
            )
        return run.plan(model, scores)


def _by_layer(rates: Rates, graph: ChannelGraph, layers: Sequence[RankedLayer]) -> Mapping[str, float]:
    """The rate of each layer that has one."""
    names = [layer.name for layer in layers]
    if not isinstance(rates, Mapping):
        return dict.fromkeys(names, 1.0 if rates is None else float(rates))
    by_layer = resolve_caps(graph, rates)
    if rates and not by_layer.keys() & set(names):
        raise ValueError(
            f"The rate of {next(iter(rates))!r} cannot be met: it is not a convolution, its filters must stay, or "
            f"they go only together with those of other layers. Layers with filters of their own: {names}."
        )
    return by_layer


def _check_rates(rates):
    shares = rates.values() if isinstance(rates, Mapping) else [] if rates is None else [rates]
    for rate in shares:
        check_share("A rate", rate, "the share of filters that go, one for all or by layer, or a preset's name")


def _quotas(
    layers: Iterable[RankedLayer], rates: Mapping[str, float], original: Mapping[str, int]
) -> dict[str, tuple[int, int, int]]:
    """For each layer its original width, how many of its filters are to go in all, and how many have gone."""
    quotas = {}
    for layer in layers:
        width = original[layer.name]
        keep = int(width * (1 - rates.get(layer.name, 0)) + 1e-9)
        quotas[layer.name] = width, width - keep, width - layer.makes.size
    return quotas


def _met(quotas):
    return [f"{name} has lost {lost} of {width} filters" for name, (width, quota, lost) in quotas.items() if quota]


def _short(left, removed, min_keep):
    """That limits of the run keep filters which the rates would remove, if they do."""
    short = {name: count - len(removed.get(name, ())) for name, count in left.items()}
    kept = [f"{count} more of {name}" for name, count in short.items() if count > 0]
    return [f"The rates ask for {', '.join(kept)}: min_keep={min_keep:g}, caps or round_to keep them."] if kept else []


def _passed_over(rates, graph, layers):
    """That layers have a rate of their own and no filter to rank, if there are such."""
    ranked = {layer.name for layer in layers}
    given = rates if isinstance(rates, Mapping) else {}
    names = [name for name, rate in given.items() if rate and name in graph.filter_layers and name not in ranked]
    if not names:
        return []
    return [
        f"Rates that do not count: {', '.join(names)}. Only convolutions are pruned whose filters may go on their "
        "own, not together with those of other layers."
    ]


def _scores(
    graph: ChannelGraph,
    layers: Iterable[RankedLayer],
    orders: Mapping[str, np.ndarray],
    quotas: Mapping[str, tuple[int, int, int]],
) -> FilterScores:
    """Scores that make layers of the same rate lose the same share, and no layer more than its rate."""
    scores = np.full(graph.num_units, np.nan)
    for layer in layers:
        _, quota, lost = quotas[layer.name]
        going = layer.makes[orders[layer.name][: max(0, quota - lost)]]
        scores[going] = 1 - (lost + np.arange(going.size)) / quota
    kinds = {name: graph.layers[name].is_conv for name in graph.filter_layers}
    reasons = {name: NOT_ALONE if is_conv else NO_CONVOLUTION for name, is_conv in kinds.items()}
    reasons |= {name: f"{quota} of {width} filters are to go in all" for name, (width, quota, _) in quotas.items()}
    return FilterScores(graph.by_layer(scores), criterion="l1", reasons=reasons)


def _first_layer_alone(graph: ChannelGraph, scores: FilterScores, removed: Mapping[str, np.ndarray]) -> FilterScores:
    """The scores of the filters that go from the first layer that loses any; NaN for all others."""
    turn = graph.by_layer(graph.units_of(dict(list(removed.items())[:1])))
    values = {name: np.where(turn[name], scores[name], np.nan) for name in scores}
    return FilterScores(
        values, criterion=scores.criterion, reasons=dict.fromkeys(scores, "its layer's turn comes later")
    )


def _less_after_undone_rounds(run: Run, graph: ChannelGraph, scores: FilterScores) -> PruningPlan:
    """All that has a score; after undone rounds half of it, a quarter, ..."""
    plan = _limited(run, graph, scores)
    if run.halvings and plan.removed:
        return _limited(run, graph, scores, 0.5**run.halvings * plan.num_removed / plan.ranked)
    return plan


def _limited(run: Run, graph: ChannelGraph, scores: FilterScores, ratio: float = ALL) -> PruningPlan:
    """A plan within the limits of the run, and no further than its target."""
    make = run.target.plan if run.target else plan_pruning
    return make(graph, scores, **{**run.limits, **AS_SCORED, "pruning_ratio": ratio})
