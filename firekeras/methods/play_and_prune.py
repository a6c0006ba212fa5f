"""Play and Prune (Singh et al., IJCAI 2019): the weakest filters are trained away, as fast as accuracy allows."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from firekeras.data.samples import draw_samples, in_batches
from firekeras.methods.penalty import FilterPenalty
from firekeras.network.masking import MaskedNetwork
from firekeras.network.network import Network
from firekeras.plan.planning import AS_SCORED, PruningPlan, plan_pruning
from firekeras.plan.units import over_units
from firekeras.refusals import check_number, check_share, check_whole
from firekeras.rounds.method import Method, register
from firekeras.rounds.monitor import lost, within_tolerance
from firekeras.rounds.repeatable import reseed
from firekeras.scores.criteria import l1_norm
from firekeras.scores.profile import FilterScores

ALL = 1 - 1e-9  # as a pruning ratio: as many as the limits let go
HARMLESS = 0.001  # as a tolerance: what the first threshold of a layer may cost on its own
EVENLY: dict[str, Any] = {"balance": 1.0, "max_cut": 1.0}  # strengths of different layers do not compare
GROWTH, MOST_GROWTH = 1.25, 10.0
CALIBRATION_SAMPLES, CALIBRATION_BATCH = 1024, 256


@register("play_and_prune")
class PlayAndPrune(Method):
    """Two players take turns: one removes filters, the other one watches accuracy and sets the pace.

    From the paper's abstract: pruning and fine-tuning are one process. Adaptive filter pruning
    minimises the number of filters, the pruning rate controller keeps accuracy; the user gives an error
    tolerance, and no ratio. Here that is `tolerance`, and `pruning_ratio` plays no part. In a run to a
    `target` within so many epochs, what is still missing goes at once when the epochs for cutting are over,
    or nothing more falls below the thresholds: of each layer the weakest filters.

    The paper's equations were not accessible. From memory of it: the weakest filters of each layer are
    trained for an epoch under an l1 penalty, those below their layer's threshold are cut, and both
    penalty and threshold are multiplied by how far accuracy lies above what is tolerated; below that
    there is only fine-tuning. All else is ours:

    - The controller's word is `1 - lost / tolerance`, from 0 to 2: 1 at no loss, 0 at the tolerance.
    - A filter's strength is the mean |w| of its weights. Their sum shrinks as earlier layers lose
      channels, and would set off cascades. Filters that only go together count as one.
    - Only what was penalised is cut.
    - A layer's first threshold is the highest that, used on this layer alone, costs 0.1 point at most
      on the validation data (0.1% of a loss), settled. Coupled layers have one.
    - After `patience` epochs without a cut, each further one raises thresholds and penalty by a
      quarter, the penalty to ten times at most. A round that is undone halves the thresholds of the
      layers that it cut.
    - Cutting ends after `give_up` epochs without a cut, be it that nothing falls below the thresholds
      or that accuracy does not come back; with the epochs for cutting, the penalty's among them; and if
      the run's own settings (`backtracks`, `max_rounds`, `target`, caps) end it.

    A round is as many such epochs as it takes until something goes, the cut, and then recovery,
    fine-tuning and judgement as in every run. All epochs count among those of the run. With
    `epochs_per_round=0` one such epoch follows on the other. A round that is undone takes back the epochs
    before its cut, too.

    Args:
        share: Share of each layer's filters that are penalised, and may go, at a time: above 0, up
            to 1, and at least one filter. Defaults to 0.1.
        penalty: Coefficient of the l1 norms at no loss of accuracy, above 0. Defaults to 5e-4.
        delta: What thresholds are multiplied by, above 0. Defaults to 1.
        patience: Epochs without a cut before thresholds and penalty grow, from 0 on. Defaults to 3.
        give_up: Epochs without a cut that end the run, from 1 on. Defaults to 10.
        penalise_bn: Whether gamma and beta behind the filters are penalised too: behind a
            BatchNormalization small weights alone make no output small. Defaults to False.

    Attributes:
        details: Of the last round: `pressure`, the controller's word; `penalty`, the coefficient; and
            `epochs`, how many it took; `at_once` if it took all that was missing to the target.

    Raises:
        ValueError: If a number is out of its range.

    Example:
    >>> method = PlayAndPrune(penalty=2e-3)
    >>> result = firekeras.compress(model, train, validation, method=method, tolerance=0.01)
    """

    def __init__(self, share=0.1, *, penalty=5e-4, delta=1.0, patience=3, give_up=10, penalise_bn=False):
        check_share("share", share, above=0)
        check_number("penalty", penalty, above=0)
        check_number("delta", delta, above=0)
        check_whole("patience", patience, 0)
        check_whole("give_up", give_up, 1)
        self.share, self.penalty, self.delta = share, penalty, delta
        self.patience, self.give_up, self.penalise_bn = patience, give_up, penalise_bn
        self.details: dict = {}
        self._memory = Memory()
        self._move = Move()

    def prepare(self, model, run):
        """A copy of the network, trained until there is something to cut, or no hope of it."""
        if not run.records:
            self._memory = Memory(first_thresholds(model, run))
        elif not run.records[-1].accepted:
            self._memory.give_way()
        copy = Network.of(model).copy(compiled=model.compiled)
        reseed(copy, run.settings.seed, len(run.records))
        with FilterPenalty(copy, self.penalise_bn) as penalty:
            self._play(copy, penalty, run)
        return copy

    def plan(self, model, run) -> PruningPlan:
        """What goes: all that was penalised and is below its layer's threshold now."""
        if self._move.at_once:
            return self._rest(model, run)
        graph, strength = strengths(model)
        limits = self.delta * self._move.pressure * self._memory.of_units(graph)
        plan = plan_of(run, graph, self._move.candidates & (strength < limits), strength)
        plan.notes = self._move.notes or plan.notes
        self._memory.touched = [group[0] for group in graph.groups if not plan.removed.keys().isdisjoint(group)]
        return plan

    def _rest(self, model, run):
        """All that is missing to the target."""
        graph, strength = strengths(model)
        plan = plan_of(run, graph, np.ones(graph.num_units, bool), strength, EVENLY)
        plan.notes.append(f"What was missing to the target went at once. {self._move.at_once}")
        return plan

    def state(self) -> dict:
        """What the next round goes by."""
        return dataclasses.asdict(self._memory)

    def restore(self, profile, state):
        """Takes up what a run that was broken off went by."""
        self._memory = Memory(**state)

    def _play(self, copy, penalty, run):
        """Epochs, one after the other, until something goes."""
        accuracy = run.accuracy
        for idle in range(self.give_up):
            if run.epochs_to_cut < 1:
                return self._end("The epochs for cutting are over.", run)
            self._move = self._next_move(copy, run, accuracy, idle)
            if self._move.notes:
                return None
            self._train(copy, penalty, run)
            if self._move.notes or self.plan(copy, run).removed:
                return None
            accuracy = run.judged(copy)
        return self._end(self._no_hope(accuracy, run), run)

    def _end(self, why, run):
        """Nothing more is trained away: what a target asks for goes at once, else cutting is over."""
        if run.step.undoes:
            self._move = Move(notes=[why])
        else:
            self._move, self.details = Move(at_once=why), {"at_once": True}

    def _next_move(self, copy, run, accuracy, idle):
        pressure = pressure_at(accuracy, run)
        if pressure and idle and idle >= self.patience:
            self._memory.grow()
        candidates, notes = self._weakest(copy, run)
        coefficient = pressure * self.penalty * self._memory.growth
        self.details = {"pressure": pressure, "penalty": coefficient, "epochs": idle + 1}
        return Move(pressure, coefficient, candidates, notes)

    def _weakest(self, model, run):
        """The units to press: the weakest of each group, as far as the limits let them go; or why there are none."""
        graph, strength = strengths(model)
        weak = np.zeros(graph.num_units, bool)
        for _, units in free_units(graph, strength):
            step = units.size % run.settings.round_to or run.settings.round_to
            weak[units[: max(step, math.floor(self.share * units.size + 1e-9))]] = True
        plan = plan_of(run, graph, weak, strength)
        return graph.units_of(plan.removed), [] if plan.removed else plan.notes

    def _train(self, copy, penalty, run):
        penalty.set(self._move.coefficient * self._move.candidates)
        loss = run.train_for_method(copy)
        penalty.set(0 * self._move.candidates)  # what is measured on the copy is the network alone
        if not math.isfinite(loss):
            self._move = Move(notes=["Training under the penalty diverged: its loss is not a number."])

    def _no_hope(self, accuracy, run):
        if pressure_at(accuracy, run):
            return f"In {self.give_up} epochs under the penalty no filter fell below its layer's threshold."
        return f"In {self.give_up} epochs without a cut {run.monitor} did not come back within the tolerance."


@dataclasses.dataclass
class Memory:
    """What goes on from round to round.

    Args:
        thresholds: For each group of coupled layers, by the first of them, the mean |w| below which
            filters go at no loss of accuracy.
        growth: What the penalty is multiplied by.
        touched: The groups that the last round cut.
    """

    thresholds: dict[str, float] = dataclasses.field(default_factory=dict)
    growth: float = 1.0
    touched: list[str] = dataclasses.field(default_factory=list)

    def of_units(self, graph) -> np.ndarray:
        """The threshold of each unit, `(num_units,)`."""
        found = np.zeros(graph.num_units)
        for group in graph.groups:
            found[units_of_group(graph, group)] = self.thresholds.get(group[0], 0.0)
        return found

    def grow(self):
        """Presses harder, and lets more go."""
        self.thresholds = {name: GROWTH * threshold for name, threshold in self.thresholds.items()}
        self.growth = min(GROWTH * self.growth, MOST_GROWTH)

    def give_way(self):
        """What the last round cut was too much."""
        self.thresholds.update({name: self.thresholds[name] / 2 for name in self.touched})
        self.touched = []


@dataclasses.dataclass
class Move:
    """One epoch of the game.

    Args:
        pressure: The controller's word, 0 to 2.
        coefficient: Of the penalty.
        candidates: The units that are penalised, and may go after it, a mask `(num_units,)`.
        notes: Why nothing more can go; empty if something can.
        at_once: Why all that is missing to the target goes now; empty if it does not.
    """

    pressure: float = 0.0
    coefficient: float = 0.0
    candidates: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((), bool))
    notes: list[str] = dataclasses.field(default_factory=list)
    at_once: str = ""


def pressure_at(accuracy, run) -> float:
    """The controller's word: 1 at the baseline, 0 at the tolerance and below it, 2 at the most."""
    worse = lost(accuracy, run.baseline, run.monitor)
    if not run.settings.tolerance or math.isnan(worse):
        return float(worse <= 0)
    return min(max(1 - worse / run.settings.tolerance, 0.0), 2.0)


def first_thresholds(model, run) -> dict[str, float]:
    """For each group the highest threshold that is harmless when used on this group alone."""
    samples = draw_samples(run.train_data, CALIBRATION_SAMPLES)
    masked = MaskedNetwork(model, [x for x, *_ in in_batches(samples, CALIBRATION_BATCH)])
    graph, strength = strengths(model)
    base = _measured_without(masked, [], run)

    def harmless(units):
        value = _measured_without(masked, units, run)
        return within_tolerance(value, base, HARMLESS, run.monitor)

    return {name: float(strength[units[longest(units, harmless)]]) for name, units in free_units(graph, strength)}


def _measured_without(masked, units, run):
    gone = np.zeros(masked.graph.num_units, bool)
    gone[units] = True
    masked.remove(gone)
    return run.evaluation.measured(masked.model)


def longest(units, harmless) -> int:
    """How many of the units, from the first on, may go so that it is harmless; by bisection, and never all."""
    low, high = 0, len(units) - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if harmless(units[:middle]) else (low, middle - 1)
    return low


def strengths(model):
    """The channel graph, and the mean |w| of the filters of each unit, `(num_units,)`."""
    network = Network.of(model)
    kernels = {name: network.kernel(name) for name in network.graph.filter_layers}
    means = {name: l1_norm(kernel) * kernel.shape[-1] / kernel.size for name, kernel in kernels.items()}
    return network.graph, over_units(network.graph, means)


def free_units(graph, strength):
    """Yields (first layer, units that are not locked, the weakest first) of each group that has some."""
    for group in graph.groups:
        units = np.setdiff1d(units_of_group(graph, group), list(graph.locks))
        if units.size:
            yield group[0], units[np.argsort(strength[units], kind="stable")]


def units_of_group(graph, group) -> np.ndarray:
    """The units of a group of coupled layers, ascending."""
    return np.unique(np.concatenate([graph.filters(name) for name in group]))


def plan_of(run, graph, units, strength, spread=AS_SCORED) -> PruningPlan:
    """The plan that lets these units go, the weakest first, as far as the run's limits and target allow."""
    why = "it is not among the weakest, or not yet below the layer's threshold"
    values = graph.by_layer(np.where(units, -strength, np.nan))
    scores = FilterScores(values, criterion="play_and_prune", reasons=dict.fromkeys(values, why))
    make = run.target.plan if run.target else plan_pruning
    return make(graph, scores, pruning_ratio=ALL, **{**run.limits, **spread})
