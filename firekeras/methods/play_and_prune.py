"""Play and Prune (Singh et al., IJCAI 2019): trains the weakest filters away, as fast as accuracy allows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from firekeras.arguments import typed
from firekeras.channels.graph import ChannelGraph
from firekeras.data.samples import draw_samples, in_batches
from firekeras.methods import papers
from firekeras.methods.penalty import FilterPenalty
from firekeras.network import Network
from firekeras.network.masking import MaskedNetwork
from firekeras.plan.planning import AS_SCORED, PruningPlan, plan_pruning
from firekeras.plan.units import over_units
from firekeras.refusals import check_number, check_share, checked_whole
from firekeras.rounds.engine import Rounds
from firekeras.rounds.method import Method, Protocol, register
from firekeras.rounds.monitor import ROUNDING, lost, within_tolerance
from firekeras.rounds.repeatable import reseed
from firekeras.rounds.run import Run
from firekeras.scores.criteria import l1_norm
from firekeras.scores.profile import FilterScores, FireProfile

ALL = 1 - 1e-9  # as a pruning ratio: as many as the limits allow
HARMLESS = 0.001  # as a tolerance: what the first threshold of a layer may cost on its own
EVENLY: dict[str, Any] = {"balance": 1.0, "max_cut": 1.0}  # strengths of different layers cannot be compared
GROWTH, MOST_GROWTH = 1.25, 10.0
CALIBRATION_SAMPLES, CALIBRATION_BATCH = 1024, 256


@register("play_and_prune")
class PlayAndPrune(Method):
    """Two players take turns: one removes filters, the other watches accuracy and sets the pace.

    Source: Singh et al., "Play and Prune", IJCAI 2019. From its abstract: pruning and fine-tuning are one process.
    Adaptive filter pruning minimises the number of filters while the pruning rate controller maintains accuracy; the
    user gives an error tolerance instead of a ratio. Here that is `tolerance`, and `pruning_ratio` is not used. In a
    run to a `target` within a number of epochs, the rest of the way is cut at once, by removing the weakest filters
    of each layer, when the epochs for cutting are used up or no more filters fall below the thresholds.

    The paper's equations were not accessible. From memory: the weakest filters of each layer are
    trained for an epoch under an l1 penalty, those below their layer's threshold are cut, and both
    penalty and threshold are multiplied by how far accuracy lies above the tolerated level; below that level
    the network is only fine-tuned. Everything else is our design:

    - The controller's factor is `1 - lost / tolerance`, from 0 to 2: 1 at no loss, 0 at the tolerance. With an
      infinite tolerance it is always 1, and the row of a comparison says that the controller is off.
    - A filter's strength is the mean |w| of its weights. Their sum would shrink as earlier layers lose
      channels, and set off cascades. Filters that only go together count as one.
    - Only filters that were penalised are cut.
    - The first threshold of a layer is the highest that, applied to this layer alone, costs at most 0.1 points
      on the validation data (0.1% of a loss), settled. Coupled layers share one threshold.
    - After `patience` epochs without a cut, each further epoch raises thresholds and penalty by a
      quarter, the penalty at most tenfold. A round that is undone halves the thresholds of the
      layers that it cut.
    - Cutting ends after `give_up` epochs without a cut, either because nothing falls below the thresholds
      or because accuracy does not recover; when the epochs for cutting, including those under the penalty, are
      used up; and when the run's own settings (`backtracks`, `max_rounds`, `target`, caps) end it.

    A round consists of as many such epochs as it takes until something can go, the cut, and then recovery,
    fine-tuning and judgement as in every run. All epochs count towards those of the run. With
    `epochs_per_round=0` such epochs follow each other directly. Undoing a round also undoes the epochs
    before its cut.

    Args:
        share: The share of each layer's filters that are penalised, and may go, at a time, above 0 and up
            to 1, but at least one filter. Defaults to 0.1.
        penalty: The coefficient of the l1 norms at no loss of accuracy, above 0. Defaults to 5e-4.
        delta: A factor for all thresholds, above 0. Defaults to 1.
        patience: Epochs without a cut before thresholds and penalty grow, at least 0. Defaults to 3.
        give_up: Epochs without a cut after which cutting ends, at least 1. Defaults to 10.
        penalise_bn: Whether gamma and beta behind the filters are penalised too: behind a
            BatchNormalization, small weights alone do not make an output small. Defaults to False.
        dense: Whether units of Dense layers go too, even if no cap names their layer. Defaults to False: filters of
            convolutions alone.

    Attributes:
        details: About the last round: `pressure`, the controller's factor; `penalty`, the coefficient; and
            `epochs`, how many it took; or `at_once`, if it cut the rest of the way to the target.

    Raises:
        ValueError: If a number is out of range.

    Example:
    >>> method = firekeras.methods.PlayAndPrune(penalty=2e-3)  # for firekeras.compress(..., method=method)
    >>> method.description()
    {'class': 'PlayAndPrune', ..., 'penalty': 0.002, ...}
    """

    sizes_cuts = True
    protocols: Mapping[str, Protocol] = {"paper": papers.PLAY_AND_PRUNE}

    @typed
    def __init__(
        self,
        share: float = 0.1,
        *,
        penalty: float = 5e-4,
        delta: float = 1.0,
        patience: int = 3,
        give_up: int = 10,
        penalise_bn: bool = False,
        dense: bool = False,
    ):
        check_share("share", share, above=0)
        check_number("penalty", penalty, above=0)
        check_number("delta", delta, above=0)
        self.share, self.penalty, self.delta = share, penalty, delta
        self.penalise_bn, self.dense = penalise_bn, dense
        self.patience = checked_whole("patience", patience, 0)
        self.give_up = checked_whole("give_up", give_up, 1)
        self.details: dict = {}
        self._memory = Memory()
        self._move = Move()

    def variant(self, tolerance: float) -> str:
        """Without an end to the tolerance the controller's factor is 1 in every epoch."""
        return "controller off" if math.isinf(tolerance) else ""

    def unread(self) -> tuple[str, ...]:
        """How much goes and where: thresholds decide that."""
        return ("pruning_ratio", "balance", "max_cut", "favour_macs")

    def prepare(self, model: keras.Model, run: Rounds) -> keras.Model:
        """A copy of the network, trained until there is something to cut, or until it gives up."""
        if not run.records:
            self._memory = Memory(first_thresholds(model, run))
        elif not run.records[-1].accepted:
            self._memory.back_off()
        copy = Network.of(model).copy(compiled=model.compiled)
        reseed(copy, run.settings.seed, len(run.records))
        with FilterPenalty(copy, self.penalise_bn) as penalty:
            self._play(copy, penalty, run)
        return copy

    def plan(self, model: keras.Model, run: Run) -> PruningPlan:
        """Removes all filters that were penalised and are now below their layer's threshold."""
        if self._move.at_once:
            return self._rest(model, run)
        plan = self._fallen(model, run)
        plan.notes = self._move.notes or plan.notes
        groups = Network.of(model).graph.groups
        self._memory.touched = [group[0] for group in groups if not plan.removed.keys().isdisjoint(group)]
        return plan

    def _fallen(self, model, run):
        """All that was penalised and is below its layer's threshold now."""
        graph, strength = strengths(model)
        limits = self.delta * self._move.pressure * self._memory.of_units(graph)
        return plan_of(run, graph, self._move.candidates & (strength < limits), strength)

    def _rest(self, model, run):
        """The rest of the way to the target."""
        graph, strength = strengths(model)
        plan = plan_of(run, graph, np.ones(graph.num_units, bool), strength, EVENLY)
        plan.notes.append(f"The rest of the way to the target was cut at once. {self._move.at_once}")
        return plan

    def state(self) -> dict:
        """What the next round needs to know of the earlier ones."""
        return dataclasses.asdict(self._memory)

    def restore(self, profile: FireProfile | None, state: dict) -> None:
        """Restores the state of an interrupted run."""
        self._memory = Memory(**state)

    def _play(self, copy, penalty, run):
        """Plays one epoch after another until something can be cut."""
        accuracy = run.accuracy
        for idle in range(self.give_up):
            if run.epochs_to_cut < 1:
                return self._end("The epochs for cutting are used up.", run)
            self._move = self._next_move(copy, run, accuracy, idle)
            if self._move.notes:
                return None
            self._train(copy, penalty, run)
            if self._move.notes or self._fallen(copy, run).removed:
                return None
            accuracy = run.judged(copy)
        return self._end(self._why_given_up(accuracy, run), run)

    def _end(self, why, run):
        """Ends the training away of filters: the rest of the way to a target is cut at once; else cutting is over."""
        if run.step.undoes:
            self._move = Move(notes=[why])
        else:
            self._move, self.details = Move(at_once=why), {"at_once": True}
            self._memory.touched = []  # it goes by no threshold

    def _next_move(self, copy, run, accuracy, idle):
        pressure = pressure_at(accuracy, run)
        if pressure and idle and idle >= self.patience:
            self._memory.grow()
        candidates, notes = self._weakest(copy, run)
        coefficient = pressure * self.penalty * self._memory.growth
        self.details = {"pressure": pressure, "penalty": coefficient, "epochs": idle + 1}
        return Move(pressure, coefficient, candidates, notes)

    def _weakest(self, model, run):
        """The units to penalise: the weakest of each group, as far as the limits allow; or why there are none."""
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
        penalty.set(0 * self._move.candidates)  # the copy is measured without the penalty
        if not math.isfinite(loss):
            self._move = Move(notes=["Training under the penalty diverged: its loss is not a number."])

    def _why_given_up(self, accuracy, run):
        if pressure_at(accuracy, run):
            return f"In {self.give_up} epochs under the penalty no filter fell below its layer's threshold."
        return f"In {self.give_up} epochs without a cut {run.monitor} did not recover to within the tolerance."


@dataclasses.dataclass
class Memory:
    """The state that carries over from round to round.

    Args:
        thresholds: For each group of coupled layers, by the name of its first layer, the mean |w| below which
            filters go at no loss of accuracy.
        growth: The factor of the penalty, from 1 to 10. Defaults to 1.
        touched: The groups that the last round cut, by the name of the first layer.
    """

    thresholds: dict[str, float] = dataclasses.field(default_factory=dict)
    growth: float = 1.0
    touched: list[str] = dataclasses.field(default_factory=list)

    def of_units(self, graph: ChannelGraph) -> np.ndarray:
        """The threshold of each unit, `(num_units,)`."""
        thresholds = np.zeros(graph.num_units)
        for group in graph.groups:
            thresholds[graph.units_in(group)] = self.thresholds.get(group[0], 0.0)
        return thresholds

    def grow(self):
        """Raises the penalty and the thresholds."""
        self.thresholds = {name: GROWTH * threshold for name, threshold in self.thresholds.items()}
        self.growth = min(GROWTH * self.growth, MOST_GROWTH)

    def back_off(self):
        """Halves the thresholds of the groups that the last round cut, since it cut too much."""
        self.thresholds.update({name: self.thresholds[name] / 2 for name in self.touched})
        self.touched = []


@dataclasses.dataclass
class Move:
    """One epoch of the game.

    Args:
        pressure: The controller's factor, from 0 to 2.
        coefficient: The coefficient of the penalty.
        candidates: The units that are penalised and may go afterwards, as a mask `(num_units,)`.
        notes: Why nothing more can go; empty if something can.
        at_once: Why the rest of the way to the target is cut now; empty if it is not.
    """

    pressure: float = 0.0
    coefficient: float = 0.0
    candidates: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((), bool))
    notes: list[str] = dataclasses.field(default_factory=list)
    at_once: str = ""


def pressure_at(accuracy: float, run: Run) -> float:
    """The controller's factor: 1 at the baseline, 0 at the tolerance and below it, at most 2."""
    worse, tolerance = lost(accuracy, run.baseline, run.monitor), run.settings.tolerance
    if not tolerance or math.isnan(worse):
        return float(worse <= ROUNDING)
    if tolerance - worse <= ROUNDING:
        return 0.0
    return min(max(1 - worse / tolerance, 0.0), 2.0)


def first_thresholds(model: keras.Model, run: Run) -> dict[str, float]:
    """For each group, the highest threshold that is harmless if applied to this group alone."""
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


def longest(units: np.ndarray, harmless: Callable[[np.ndarray], bool]) -> int:
    """How many of the units, counted from the first, may go without harm: found by bisection, and never all."""
    low, high = 0, len(units) - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if harmless(units[:middle]) else (low, middle - 1)
    return low


def strengths(model):
    """The channel graph, and the mean |w| of the filters of each unit, `(num_units,)`."""
    network = Network.of(model)
    kernels = network.filter_kernels().items()
    means = {name: l1_norm(kernel) * kernel.shape[-1] / kernel.size for name, kernel in kernels}
    return network.graph, over_units(network.graph, means)


def free_units(graph, strength):
    """Yields (first layer, unlocked units, the weakest first) for each group that has any."""
    for group in graph.groups:
        units = np.setdiff1d(graph.units_in(group), list(graph.locks))
        if units.size:
            yield group[0], units[np.argsort(strength[units], kind="stable")]


def plan_of(
    run: Run, graph: ChannelGraph, units: np.ndarray, strength: np.ndarray, spread: Mapping[str, Any] = AS_SCORED
) -> PruningPlan:
    """The plan that removes these units, the weakest first, as far as the run's limits and target allow."""
    why = "it is not among the weakest, or not yet below the layer's threshold"
    values = graph.by_layer(np.where(units, -strength, np.nan))
    scores = FilterScores(values, criterion="play_and_prune", reasons=dict.fromkeys(values, why))
    make = run.target.plan if run.target else plan_pruning
    return make(graph, scores, pruning_ratio=ALL, **{**run.limits, **spread})
