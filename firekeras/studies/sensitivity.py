"""What each layer's filters are worth: one layer pruned at a time, without any training (Li et al. 2017, 3.2)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import keras
import numpy as np

from firekeras.data.samples import draw_samples, in_batches
from firekeras.network.masking import MaskedNetwork
from firekeras.network.network import Network
from firekeras.plan.planning import AS_SCORED, plan_pruning
from firekeras.plan.selection import Ranking
from firekeras.recovery.batch_statistics import Settler
from firekeras.refusals import check_share
from firekeras.rounds.evaluation import Evaluation
from firekeras.rounds.monitor import check_tolerance, within_tolerance
from firekeras.rounds.run import check_prunable
from firekeras.scores.criteria import score_filters
from firekeras.scores.profile import FilterScores

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
PROOF = 16  # samples on which masking is held against surgery
SETTLING, BATCH = 1024, 256  # samples on which networks are settled, and how many of them at a time
CLOSE = 1e-3  # of the largest output: what rounding may come to over many layers


@dataclasses.dataclass(frozen=True)
class Sensitivity:
    """A metric by layer and share of its filters that are gone.

    Args:
        monitor: The name of the metric.
        baseline: That of the whole network, settled.
        shares: The shares that were taken out, ascending.
        values: For each layer that can lose filters, the metric without each share, `(shares,)`; of
            layers that lose them together only the first.
        partners: For each of these, all layers that lose filters with it, itself included.

    Example:
    >>> found = sensitivity(model, (x_val, y_val))
    >>> result = firekeras.compress(model, train, validation, method=L1Pruning(found.rates(0.02)))
    """

    monitor: str
    baseline: float
    shares: tuple[float, ...]
    values: dict[str, np.ndarray]
    partners: dict[str, list[str]]

    def rates(self, tolerance: float) -> dict[str, float]:
        """For each layer, the largest share up to which the metric stays within a tolerance.

        They can be the rates of `L1Pruning`, or the `layer_caps` of any run. Layers by themselves lose
        less than all of them together: fine-tuning has to make up for that.

        Args:
            tolerance: How far the metric may fall, from 0 on: absolute points (0.02 is two points), a share of
                the baseline where lower is better.

        Raises:
            ValueError: If it is below 0.
        """
        check_tolerance(tolerance, self.monitor)
        largest = {name: self._largest(values, tolerance) for name, values in self.values.items()}
        return {partner: largest[name] for name in self.values for partner in self.partners[name]}

    def _largest(self, values, tolerance) -> float:
        allowed = [within_tolerance(value, self.baseline, tolerance, self.monitor) for value in values]
        return (0.0, *self.shares)[[*allowed, False].index(False)]

    def to_dict(self) -> dict:
        """Plain numbers and lists, for JSON."""
        values = {name: one.tolist() for name, one in self.values.items()}
        return {**dataclasses.asdict(self), "shares": list(self.shares), "values": values}


def sensitivity(
    model,
    data,
    *,
    criterion: str | FilterScores = "l1",
    shares: Sequence[float] = SHARES,
    monitor: str | None = None,
    train_data=None,
    batch_size: int | None = None,
    on_layer: Callable[[str, int, int], None] | None = None,
) -> Sensitivity:
    """Measures what each layer's filters are worth: takes shares of them out, one layer at a time.

    Nothing is trained, and every network is settled before it is measured: BatchNormalization's statistics are
    measured on `train_data`, as after a cut in `compress`. The filters that the criterion ranks lowest go
    first. They are masked: every weight that belongs to them, or reads them, is set to zero, so that nothing is
    built again. Once, with half of every layer gone, that is held against surgery; if both differ
    (normalisation over channels), each network is cut for real, which takes much longer.

    Args:
        model: A built, compiled Functional or Sequential model. It is not changed.
        data: Held-out data, as `evaluate` takes them. All of them are run through the network once
            for every layer and share: a thousand samples are enough.
        criterion: What ranks filters, by name, or any `FilterScores`, such as a `FireProfile`.
            Defaults to `"l1"`.
        shares: Which shares of a layer's filters go, each above 0 and below 1. Defaults to 0.1, 0.2,
            ..., 0.9.
        monitor: Which of the model's metrics to measure. Defaults to None: the accuracy, else another score, else
            the loss, as in `compress`.
        train_data: What networks are settled on, as `fit` takes them, a thousand samples of it, and what a
            criterion that needs data is measured on. Defaults to None: `data`, whose labels settling does not
            look at.
        batch_size: For arrays. Defaults to Keras's own.
        on_layer: A function that is called before each layer with its name, its number from 1, and the number of
            layers. Defaults to none.

    Returns:
        A `Sensitivity`.

    Raises:
        ValueError: If the model is not compiled or has no such metric, a share is out of its range, or
            no filter may go.

    Example:
    >>> found = sensitivity(model, (x_val, y_val))
    >>> found.values["conv1"]                 # accuracy without 10%, 20%, ..., 90% of its filters
    """
    graph = Network.of(model).graph
    check_prunable(model, graph, {})
    _check_shares(shares)
    known = data if train_data is None else train_data
    scores = score_filters(model, criterion, data=known, seed=0) if isinstance(criterion, str) else criterion
    turns = _turns(graph, scores)
    network = _network(model, [_without(graph, scores, units, 0.5) for units in turns.values()], data, known)
    evaluation = Evaluation(data, monitor, 0.0, batch_size=batch_size)
    baseline, values = evaluation.measured(network(np.zeros(graph.num_units, bool))), {}
    for number, (name, units) in enumerate(turns.items(), start=1):
        if on_layer:
            on_layer(name, number, len(turns))
        candidates = (_without(graph, scores, units, share) for share in sorted(shares))
        values[name] = np.array([evaluation.measured(network(gone)) for gone in candidates])
    partners = {name: group for group in graph.groups for name in group[:1] if name in turns}
    return Sensitivity(evaluation.monitor, baseline, tuple(sorted(shares)), values, partners)


def _check_shares(shares):
    for share in shares or (None,):
        check_share("Each of shares", share, "a share of a layer's filters", above=0, below=1)


def _turns(graph, scores) -> dict[str, np.ndarray]:
    """By the first of each group of layers: a mask over those of its units that may go."""
    prunable = Ranking(graph, scores, 1).prunable
    turns = {}
    for group in graph.groups:
        units = np.zeros(graph.num_units, bool)
        units[np.concatenate([graph.filters(name) for name in group])] = True
        if (units & prunable).any():
            turns[group[0]] = units & prunable
    if not turns:
        raise ValueError(f"No filter that may go has a {scores.criterion} score. Use another criterion.")
    return turns


def _without(graph, scores, units, share) -> np.ndarray:
    """The mask of the units that go where a share of these do; in each layer one filter stays."""
    mine = graph.by_layer(units)
    alone = {name: np.where(mine[name], values, np.nan) for name, values in scores.items()}
    going = units.sum() - int(units.sum() * (1 - share) + 1e-9)
    ranked = FilterScores(alone, criterion=scores.criterion, l1=scores.l1)
    plan = plan_pruning(graph, ranked, pruning_ratio=min(going / units.sum(), 1 - 1e-9), min_keep=0, **AS_SCORED)
    return graph.units_of(plan.removed)


# The network without some of its units


def _network(model, halves, data, known) -> Callable[[np.ndarray], keras.Model]:
    """Gives the network without the units of a mask, settled: masked if that is the same, else cut."""
    settling = draw_samples(known, SETTLING)
    exact = _masks_exactly(model, np.any(halves, axis=0), draw_samples(data, PROOF)[0])
    return _by_masking(model, settling) if exact else _by_cutting(model, settling)


def _masks_exactly(model, gone, samples):
    """Whether a masked network computes what the cut one does."""
    masked = MaskedNetwork(model)
    masked.remove(gone)
    return _alike(masked.model, Network.of(model).without(gone), samples)


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


def _alike(one, other, samples) -> bool:
    """Whether two networks compute the same, but for rounding."""
    outputs = (keras.tree.flatten(network.predict(samples, verbose=0)) for network in (one, other))
    return all(np.abs(a - b).max() <= CLOSE * np.abs(b).max() for a, b in zip(*outputs, strict=True))
