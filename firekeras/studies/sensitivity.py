"""How sensitive each layer is to pruning: one layer pruned at a time, without any training (Li et al. 2017, 3.2)."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from firekeras.arguments import typed
from firekeras.channels.graph import ChannelGraph
from firekeras.data.checks import check_training_data
from firekeras.data.samples import draw_samples, in_batches
from firekeras.network import Network
from firekeras.network.masking import MaskedNetwork
from firekeras.plan.planning import AS_SCORED, plan_pruning
from firekeras.plan.selection import Ranking
from firekeras.quiet import without_retracing_warnings
from firekeras.recovery.batch_statistics import Settler
from firekeras.refusals import check_share
from firekeras.rounds.evaluation import Evaluation
from firekeras.rounds.monitor import check_tolerance, within_tolerance
from firekeras.rounds.run import check_prunable
from firekeras.scores.criteria import score_filters
from firekeras.scores.profile import FilterScores
from firekeras.studies.parallel import each_done, workers

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
PROOF = 16  # samples on which masking is compared with surgery
SETTLING, BATCH = 1024, 256  # samples to settle networks on, and the batch size
CLOSE = 1e-3  # share of the largest output: the rounding error to expect over many layers


@dataclasses.dataclass(frozen=True)
class Sensitivity:
    """The result of a sensitivity analysis, a metric by layer and share gone; `firekeras.sensitivity` has an example.

    Args:
        monitor: The name of the metric.
        baseline: The metric of the whole network, settled.
        shares: The shares that were removed, ascending, each above 0 and below 1.
        values: For each layer that can lose filters, the metric without each share, `(shares,)`. Of layers that
            lose filters together, only the first is listed.
        partners: For each layer in `values`, all layers that lose filters with it, including itself.
        positions: The size of the feature maps of each of these layers, in positions: equal ones are a stage. Defaults
            to none.
        criterion: The name of the criterion that ranked the filters; empty if unknown.
    """

    monitor: str
    baseline: float
    shares: tuple[float, ...]
    values: dict[str, np.ndarray]
    partners: dict[str, list[str]]
    positions: dict[str, int] = dataclasses.field(default_factory=dict)
    criterion: str = ""

    def rates(self, tolerance: float, by_stage: bool = False) -> dict[str, float]:
        """For each layer, the largest share up to which the metric stays within a tolerance.

        Use them as the rates of `L1Pruning`, or as the `layer_caps` of any run. One layer by itself costs
        less than all of them together: fine-tuning has to make up the difference.

        Args:
            tolerance: How far the metric may fall, from 0: absolute points (0.02 is two points), or a share of
                the baseline if lower is better.
            by_stage: Whether all layers of a stage, those of equal feature maps, get one rate, as in Li et al. (section
                3.2): the largest that at least half of them bear. Layers that do not bear it are skipped: their rate is
                0. The paper picks its rates by eye; the half is ours. Defaults to False.

        Returns:
            A share from 0 to below 1 for each layer that can lose filters; coupled layers have the same.

        Raises:
            ValueError: If the tolerance is below 0.
        """
        check_tolerance(tolerance, self.monitor)
        largest = {name: self._largest(values, tolerance) for name, values in self.values.items()}
        if by_stage:
            largest = self._of_stages(largest)
        return {partner: largest[name] for name in self.values for partner in self.partners[name]}

    def _of_stages(self, largest):
        stages: dict[Any, list[str]] = {}
        for name in largest:
            stages.setdefault(self.positions.get(name, name), []).append(name)
        rates: dict[str, float] = {}
        for names in stages.values():
            rate = sorted((largest[name] for name in names), reverse=True)[(len(names) - 1) // 2]
            rates |= {name: rate if largest[name] >= rate else 0.0 for name in names}
        return rates

    def _largest(self, values: np.ndarray, tolerance: float) -> float:
        allowed = [within_tolerance(value, self.baseline, tolerance, self.monitor) for value in values]
        return (0.0, *self.shares)[[*allowed, False].index(False)]

    def to_dict(self) -> dict:
        """Returns plain numbers and lists, for JSON."""
        values = {name: metrics.tolist() for name, metrics in self.values.items()}
        return {**dataclasses.asdict(self), "shares": list(self.shares), "values": values}


@typed
@without_retracing_warnings()
def sensitivity(
    model: keras.Model,
    data: Any,
    *,
    criterion: str | FilterScores = "l1",
    shares: Sequence[float] = SHARES,
    monitor: str | None = None,
    train_data: Any = None,
    batch_size: int | None = None,
    n_jobs: int | None = None,
    on_layer: Callable[[str, int, int], None] | None = None,
) -> Sensitivity:
    """Measures how sensitive each layer is to pruning: removes shares of its filters, one layer at a time.

    Source: Li et al., "Pruning Filters for Efficient ConvNets", ICLR 2017, section 3.2. Nothing is trained, and every
    network is settled before it is measured: BatchNormalization's statistics are measured on `train_data`, as after a
    cut in `compress`. The filters that the criterion finds most dispensable go first. They are masked: every weight
    that belongs to them, or reads them, is set to zero, so no network has to be rebuilt. Once, with half of every layer
    gone, masking is compared with surgery; if they differ (normalisation over channels), each network is really
    cut, which takes much longer.

    Args:
        model: A built, compiled Functional or Sequential model. It is not changed.
        data: Held-out data, as `evaluate` takes them. The network runs on all of them once
            for every layer and share, so pass no more than needed: a thousand samples are enough.
        criterion: The name of the criterion that ranks filters, or any `FilterScores`, such as a `FireProfile`.
            Defaults to `"l1"`.
        shares: The shares of a layer's filters to remove, each above 0 and below 1. Defaults to 0.1, 0.2,
            ..., 0.9.
        monitor: The metric of the model to measure. Defaults to None: the accuracy, else another score, else
            the loss, as in `compress`.
        train_data: Data to settle networks on, as `fit` takes them (about a thousand samples are used), and to
            measure a criterion on that needs data. Defaults to None: `data`; settling does not use its labels.
        batch_size: For arrays. Defaults to None: Keras's own.
        n_jobs: How many processes share the layers, through joblib, as in `compare`. Defaults to None: one.
        on_layer: A function that is called before each layer (with several processes, after it) with its name, its
            number from 1, and the number of layers. Defaults to None.

    Returns:
        A `Sensitivity`.

    Raises:
        ValueError: If the model is not compiled or has no such metric, a share is out of range, or
            no filter may go; or the data do not fit the model or hold NaN.

    Example:
    >>> result = firekeras.sensitivity(model, (x_val, y_val), shares=(0.25, 0.5))
    >>> result.values["conv1"].shape          # accuracy without a quarter of its filters, and without half
    (2,)
    >>> method = firekeras.methods.L1Pruning(result.rates(tolerance=0.1))
    """
    graph = Network.of(model).graph
    check_prunable(model, graph, {})
    _check_shares(shares)
    check_training_data(model, {"data": data})
    settling = data if train_data is None else train_data
    check_training_data(model, {"train_data": settling}, labels=False)
    scores = score_filters(model, criterion, data=settling, seed=0) if isinstance(criterion, str) else criterion
    turns = _turns(graph, scores)
    halves = [_without(graph, scores, units, 0.5) for units in turns.values()]
    study = _Study(model, data, settling, monitor, batch_size, scores, tuple(sorted(shares)), halves)
    monitor, baseline, values = _all_measured(study, turns, on_layer, n_jobs)
    partners = {name: group for group in graph.groups for name in group[:1] if name in turns}
    positions = {name: _positions(graph, name) for name in turns}
    in_order = {name: values[name] for name in turns}
    return Sensitivity(monitor, baseline, study.shares, in_order, partners, positions, scores.criterion)


def _positions(graph: ChannelGraph, name: str) -> int:
    """How many positions a layer's feature maps have; sizes that are open count as one."""
    return math.prod(size or 1 for size in graph.layers[name].output_shape[1:]) // graph.widths[name]


@dataclasses.dataclass(frozen=True)
class _Study:
    """All that it takes to measure layers, here or in another process; `halves` are masks without half of a layer."""

    model: keras.Model
    data: Any
    settling: Any
    monitor: str | None
    batch_size: int | None
    scores: FilterScores
    shares: tuple[float, ...]
    halves: list[np.ndarray]

    @without_retracing_warnings()
    def measured(self, turns: Mapping[str, np.ndarray], on_layer: Callable[[str], None] | None = None) -> tuple:
        """The name of the metric, that of the whole network, and by layer those without each share of it."""
        graph = Network.of(self.model).graph
        network = _network(self.model, self.halves, self.data, self.settling)
        evaluation = Evaluation(self.data, self.monitor, 0.0, batch_size=self.batch_size)
        evaluation.check_monitor(self.model)
        baseline, values = evaluation.measured(network(np.zeros(graph.num_units, bool))), {}
        for name, units in turns.items():
            if on_layer:
                on_layer(name)
            candidates = (_without(graph, self.scores, units, share) for share in self.shares)
            values[name] = np.array([evaluation.measured(network(gone)) for gone in candidates])
        return evaluation.monitor, baseline, values


def _all_measured(study, turns, on_layer, n_jobs):
    """As `_Study.measured`: each process compiles its network once, for its part of the layers."""
    numbers = itertools.count(1)

    def reported(name):
        if on_layer:
            on_layer(name, next(numbers), len(turns))

    count = min(workers(n_jobs), len(turns))
    if count == 1:
        return study.measured(turns, reported)
    parts = [dict(list(turns.items())[first::count]) for first in range(count)]
    results = []
    for result in each_done(study.measured, parts, n_jobs):
        results.append(result)
        for name in result[-1]:
            reported(name)
    monitor, baseline, _ = results[0]
    return monitor, baseline, {name: value for *_, values in results for name, value in values.items()}


def _check_shares(shares):
    for share in shares if len(shares) else (None,):
        check_share("Each of shares", share, "a share of a layer's filters", above=0, below=1)


def _turns(graph: ChannelGraph, scores: FilterScores) -> dict[str, np.ndarray]:
    """For the first layer of each group, a mask over the units of the group that may go."""
    prunable = Ranking(graph, scores, 1).prunable
    turns = {}
    for group in graph.groups:
        units = np.zeros(graph.num_units, bool)
        units[graph.units_in(group)] = True
        if (units & prunable).any():
            turns[group[0]] = units & prunable
    if not turns:
        raise ValueError(f"No filter that may go has a {scores.criterion} score. Use another criterion.")
    return turns


def _without(graph: ChannelGraph, scores: FilterScores, units: np.ndarray, share: float) -> np.ndarray:
    """The mask of the units that go if a share of these go; one filter of each layer stays."""
    turn = graph.by_layer(units)
    alone = {name: np.where(turn[name], values, np.nan) for name, values in scores.items()}
    going = units.sum() - int(units.sum() * (1 - share) + 1e-9)
    ranked = FilterScores(alone, criterion=scores.criterion, l1=scores.l1)
    plan = plan_pruning(graph, ranked, pruning_ratio=min(going / units.sum(), 1 - 1e-9), min_keep=0, **AS_SCORED)
    return graph.units_of(plan.removed)


# The network without some of its units


def _network(
    model: keras.Model, halves: Sequence[np.ndarray], data: Any, settling: Any
) -> Callable[[np.ndarray], keras.Model]:
    """A function that returns the settled network without the units of a mask: masked if that is exact, else cut."""
    samples = draw_samples(settling, SETTLING)
    exact = _masks_exactly(model, np.any(halves, axis=0), draw_samples(data, PROOF)[0])
    return _by_masking(model, samples) if exact else _by_cutting(model, samples)


def _masks_exactly(model, gone, samples):
    """Whether a masked network computes what the cut one does."""
    masked = MaskedNetwork(model)
    masked.remove(gone)
    return _same_outputs(masked.model, Network.of(model).without(gone), samples)


def _by_masking(model, settling):
    masked = MaskedNetwork(model, [x for x, *_ in in_batches(settling, BATCH)])

    def without(gone):
        masked.remove(gone)
        return masked.model

    return without


def _by_cutting(model, settling):
    def without(gone):
        network = Network.of(model).without(gone)
        Settler(network, settling[:1], batch_size=BATCH).settle()
        return network

    return without


def _same_outputs(masked: keras.Model, cut: keras.Model, samples: Sequence) -> bool:
    """Whether two networks compute the same, up to rounding."""
    outputs = (keras.tree.flatten(network.predict(samples, verbose=0)) for network in (masked, cut))
    return all(np.abs(a - b).max() <= CLOSE * np.abs(b).max() for a, b in zip(*outputs, strict=True))
