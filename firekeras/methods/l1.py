"""Pruning Filters for Efficient ConvNets (Li et al., ICLR 2017): in each layer the filters of small l1 norm go."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from firekeras.methods.l1_norms import convolution_kernels, greedy_orders, independent_orders, ranked_layers
from firekeras.methods.l1_presets import known_preset, preset_rates
from firekeras.network.network import Network
from firekeras.plan.caps import resolve_caps
from firekeras.plan.planning import AS_SCORED, PruningPlan, plan_pruning
from firekeras.refusals import check_one_of, check_share
from firekeras.rounds.method import Method, register
from firekeras.rounds.targets import LATENCIES
from firekeras.scores.profile import FilterScores

SELECTIONS = ("independent", "greedy")
NOT_ALONE, NO_CONVOLUTION = "no filter goes by its own norm", "filters are those of no convolution"
ALL = 1 - 1e-9  # as a pruning ratio: whatever has a score


@register("l1")
class L1Pruning(Method):
    """Removes the same share of every layer, or a rate of each: those filters whose weights are smallest.

    All goes at once, down to the rates or to the run's target, and the network is trained once after
    that (section 3.4); without rates and target, `pruning_ratio` of every layer goes in each round.
    Convolutions alone are pruned, and of residual blocks only what no addition joins with other layers.

    Args:
        rates: Share of its original filters that each layer loses, 0 to 1: for all layers alike, by
            layer (names, patterns and types, as in `layer_caps`; what is not named stays), or of a
            network of table 1 by its name, such as `"resnet56-b"`. Defaults to none: all layers lose
            the same share, as much as the target asks for.
        selection: `"independent"` ranks by all weights of a filter; `"greedy"` leaves out those that
            read what goes from the layers before (section 3.2). Defaults to `"independent"`.
        iterative: Whether only one layer goes in each round, from the first on, so that the network is
            trained between any two (section 3.4). Defaults to False.
        shortcuts: Whether the last convolutions of residual blocks are pruned too, by the norms of the
            1x1 projection that their stage begins with (section 3.3). Defaults to False.

    Raises:
        ValueError: If there is no such selection or preset, or a rate is out of its range.

    Example:
    >>> result = firekeras.compress(model, train, validation, method=L1Pruning("resnet56-b"), epochs=40, tolerance=1)
    """

    def __init__(
        self,
        rates: float | str | Mapping[str, float] | None = None,
        *,
        selection: str = "independent",
        iterative: bool = False,
        shortcuts: bool = False,
    ):
        check_one_of("selection", selection, SELECTIONS)
        if isinstance(rates, str):
            known_preset(rates)
        else:
            _check_rates(rates)
        self.rates, self.selection, self.iterative, self.shortcuts = rates, selection, iterative, shortcuts

    def plan(self, model, run) -> PruningPlan:
        """The plan for the next round."""
        network = Network.of(model)
        kernels = convolution_kernels(network)
        layers = ranked_layers(network, kernels, self.shortcuts)
        quotas = _quotas(layers, self._rates(network.graph, kernels, layers), run.original_widths)
        plan = self._cut(model, run, network.graph, _scores(network.graph, layers, independent_orders(layers), quotas))
        if self.selection == "independent":
            return plan
        counts = {name: filters.size for name, filters in plan.removed.items()}
        scores = _scores(network.graph, layers, greedy_orders(layers, counts), quotas)
        return self._cut(model, run, network.graph, scores)

    def check(self, model, train_data):
        """Raises `ValueError` where the rates are not for this network."""
        network = Network.of(model)
        kernels = convolution_kernels(network)
        self._rates(network.graph, kernels, ranked_layers(network, kernels, self.shortcuts))

    def _rates(self, graph, kernels, layers) -> Mapping[str, float]:
        """The rate of each layer that has one."""
        names = [layer.name for layer in layers]
        if self.rates is None or isinstance(self.rates, (int, float)):
            return dict.fromkeys(names, 1.0 if self.rates is None else float(self.rates))
        rates = preset_rates(self.rates, kernels) if isinstance(self.rates, str) else self.rates
        stuck = [name for name, rate in rates.items() if rate and name in graph.filter_layers and name not in names]
        if stuck:
            raise ValueError(
                f"The rate of {stuck[0]!r} cannot be met: it is no convolution, its filters must stay, or they go only "
                f"together with those of other layers. Layers with filters of their own: {names}."
            )
        return resolve_caps(graph, rates)

    def _cut(self, model, run, graph, scores) -> PruningPlan:
        if self.rates is None and (run.target is None or run.target.measure in LATENCIES):
            self._check_ends()
            return run.plan(model, scores)
        plan = _limited(run, graph, scores)
        if self.iterative:
            scores = _first_layer_alone(graph, scores, plan.removed)
            plan = _limited(run, graph, scores)
        if run.halvings and plan.removed:
            return _limited(run, graph, scores, 0.5**run.halvings * plan.num_removed / plan.ranked)
        return plan

    def _check_ends(self):
        if self.iterative:
            raise ValueError(
                "iterative=True goes through the layers once, so that it has to know how far: give rates, or a target "
                "of MACs or parameters."
            )


def _check_rates(rates):
    given = rates.values() if isinstance(rates, Mapping) else [] if rates is None else [rates]
    for rate in given:
        check_share("A rate", rate, "the share of filters that go, one for all or by layer, or a preset's name")


def _quotas(layers, rates, original) -> dict[str, tuple[int, int, int]]:
    """For each layer its original width, how many of its filters shall go in all, and how many went."""
    quotas = {}
    for layer in layers:
        width = original[layer.name]
        keep = int(width * (1 - rates.get(layer.name, 0)) + 1e-9)
        quotas[layer.name] = width, width - keep, width - layer.makes.size
    return quotas


def _scores(graph, layers, orders, quotas) -> FilterScores:
    """Scores by which all layers that have the same rate lose the same share, and none more than its rate."""
    scores = np.full(graph.num_units, np.nan)
    for layer in layers:
        _, quota, lost = quotas[layer.name]
        going = layer.makes[orders[layer.name][: max(0, quota - lost)]]
        scores[going] = 1 - (lost + np.arange(going.size)) / quota
    kinds = {name: graph.layers[name].is_conv for name in graph.filter_layers}
    reasons = {name: NOT_ALONE if is_conv else NO_CONVOLUTION for name, is_conv in kinds.items()}
    reasons |= {name: f"{quota} of {width} filters shall go in all" for name, (width, quota, _) in quotas.items()}
    return FilterScores(graph.by_layer(scores), criterion="l1", reasons=reasons)


def _first_layer_alone(graph, scores, removed) -> FilterScores:
    """The scores of what goes from the first layer of all that lose something; none for the rest."""
    turn = graph.by_layer(graph.units_of(dict(list(removed.items())[:1])))
    values = {name: np.where(turn[name], scores[name], np.nan) for name in scores}
    return FilterScores(
        values, criterion=scores.criterion, reasons=dict.fromkeys(scores, "its layer's turn comes later")
    )


def _limited(run, graph, scores, ratio=ALL) -> PruningPlan:
    """A plan within the limits of the run, and no further than its target."""
    make = run.target.plan if run.target else plan_pruning
    return make(graph, scores, **{**run.limits, **AS_SCORED, "pruning_ratio": ratio})
