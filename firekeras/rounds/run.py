"""The state of a run and its next step: the engine that `compress` and `fit` share."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import keras

from firekeras.channels import channel_graph
from firekeras.channels.check import check_weights
from firekeras.channels.costs import Costs, as_graph, costs_without
from firekeras.channels.graph import ChannelGraph
from firekeras.keras_models.devices import check_strategy
from firekeras.plan.caps import resolve_caps, without_uncapped
from firekeras.plan.favouring_macs import favouring_macs
from firekeras.plan.planning import AS_SCORED, PruningPlan, plan_pruning
from firekeras.rounds.evaluation import no_better_than_chance, too_few_to_judge
from firekeras.rounds.method import Method
from firekeras.rounds.monitor import keeps_all, lower_is_better, within_tolerance
from firekeras.rounds.pacing import CUTTING, NEGLIGIBLE, Step, pace_of
from firekeras.rounds.records import CompressionResult, RoundRecord, undone_because
from firekeras.rounds.settings import RunSettings
from firekeras.rounds.targets import Target, down_to, with_times
from firekeras.rounds.time_spent import TimeSpent
from firekeras.scores.profile import FilterScores, FireProfile

RATIO = 0.1  # for methods that ask how much goes in a round even though a cost decides


class Run:
    """The state of a run, and what it does next. Methods get it as `run`.

    Args:
        settings: `RunSettings`.
        method: The `Method`.
        model: The model that the run begins with.
        graph: Its `ChannelGraph`.
        epochs: How many epochs there are in all; None for no limit.
        train_data: As `fit` takes them; None if unknown.
        target: The `Target`. Defaults to None: the one in the settings, if any.

    Attributes:
        records: The `RoundRecord`s so far.
        baseline: The metric of the first model, settled.
        accuracy: The metric of the last accepted network.
        costs: The `Costs` of that network.
        monitor: The name of the metric.
        step: What the round in progress has to do.
        epochs_of_method: How many epochs the method has trained by itself since the last round.
        stopped_because: Why there are no more rounds; empty while there may be.
        time: A `TimeSpent`.
    """

    def __init__(
        self,
        settings: RunSettings,
        method: Method,
        model: keras.Model,
        graph: ChannelGraph,
        *,
        epochs: int | None,
        train_data: Any = None,
        target: Target | None = None,
    ):
        self.settings, self.method, self.train_data = settings, method, train_data
        self._dense = [] if method.dense else dense_alone(graph, resolve_caps(graph, settings.layer_caps))
        check_convolutions(model, graph, self._dense)
        self.original_widths, self._original_sizes = graph.widths, graph.sizes
        self.costs_before = self.costs = self.counted(graph)
        self.records: list[RoundRecord] = []
        self.baseline = self.accuracy = math.nan
        self.monitor = settings.monitor or "accuracy"
        self.stopped_because = self.exhausted = ""
        self.step = Step(0, ratio=settings.pruning_ratio or RATIO)  # until a round begins
        self.time = TimeSpent()
        self.notes: list[str] = []
        self._of_method = method.remarks(model)
        self.target = target if target is not None else self._target(model, graph)
        self.begin_leg(epochs, model)

    def _target(self, model: keras.Model, graph: ChannelGraph) -> Target | None:
        if self.settings.target is None:
            return None
        target = Target.of(self.settings.target, model, self.costs_before)
        target.check_feasible(model, graph, **self.limits)
        return target

    def begin_leg(self, epochs: int | None, model: keras.Model, after_round: int = 0) -> None:
        """Starts counting epochs and rounds: at the start of a run, and when a finished run is continued.

        Args:
            epochs: How many epochs there are; None for no limit.
            model: The network as it is now.
            after_round: How many earlier rounds do not count. Defaults to 0.
        """
        self.pace = pace_of(self.settings, self.target, epochs, self.method)
        self.leg_begins, self.exhausted, self.epochs_of_method = after_round, "", 0
        self.arrived = self.target is not None and self.target.reached(model, self.costs)
        self.start_amounts = self._amounts_before_leg()

    def _amounts_before_leg(self) -> dict[str, float]:
        """The amounts of the target's costs when the leg began; of a latency, that of the first network."""
        if self.target is None:
            return {}
        begun = self.costs if self.leg_begins else self.costs_before
        return {m: self.target.before[m] if m in self.target.timed else getattr(begun, m) for m in self.target.goals}

    # The rounds so far

    @property
    def leg(self) -> list[RoundRecord]:
        """The rounds since the run began or was last continued."""
        return self.records[self.leg_begins :]

    @property
    def number(self) -> int:
        """The number of the round in progress, or of the next one, from 1."""
        return len(self.records) + 1

    @property
    def epochs_spent(self) -> int:
        """Epochs of training so far, including those of undone rounds and of the method itself."""
        return sum(record.epochs for record in self.leg) + self.epochs_of_method

    @property
    def cuts_kept(self) -> int:
        """How many rounds cut filters and were kept."""
        return sum(record.accepted and record.filters_removed > 0 for record in self.leg)

    @property
    def has_cut(self) -> bool:
        """Whether the last accepted network has lost filters, in this leg or in an earlier one."""
        return any(record.accepted and record.filters_removed > 0 for record in self.records)

    @property
    def rounds_that_cut(self) -> int:
        """How many rounds of the whole run cut filters, kept or undone."""
        return sum(record.filters_removed > 0 for record in self.records)

    @property
    def finished(self) -> bool:
        """Whether the network was trained to the end after the last cut."""
        return bool(self.leg) and not self.leg[-1].filters_removed

    @property
    def halvings(self) -> int:
        """How often the ratio is halved at present: once more per undone round, once less per kept round."""
        count = 0
        for record in self.leg:
            count = max(0, count - 1) if record.accepted else count + 1
        return count

    @property
    def undone_in_a_row(self) -> int:
        """How many rounds in a row, counted back from the last, were undone."""
        verdicts = [record.accepted for record in reversed(self.leg)]
        return [*verdicts, True].index(True)

    @property
    def pruning_ratio(self) -> float:
        """The share of the prunable filters that the next round sets out to remove, for methods that ask."""
        return (self.settings.pruning_ratio or RATIO) * 0.5**self.halvings

    @property
    def profile(self) -> FireProfile | None:
        """The FIRE that the method measured last, if any."""
        return self.method.profile

    def counted(self, model_or_graph: keras.Model | ChannelGraph) -> Costs:
        """The `Costs` of a network, with its latency if there is a table."""
        return costs_without(with_times(as_graph(model_or_graph), self.limits))

    # What comes next

    def next_step(self) -> Step | None:
        """Decides on the next round; None if there is none, with the reason in `stopped_because`."""
        if self.rounds_that_cut >= self.settings.max_rounds:
            self.exhausted = self.exhausted or f"max_rounds={self.settings.max_rounds} is reached."
        step = self.pace.next(self)
        if isinstance(step, str):
            self.stop(step)
            return None
        self.step = step
        return step

    def stop(self, reason: str) -> None:
        """Ends the run for a reason, and says if its target is not reached."""
        self.stopped_because = reason
        if self.target is not None and not self.arrived:
            self.stopped_because += f" {self.target.missed}"

    @property
    def limits(self) -> dict:
        """The limits of every plan of the run, as arguments for `plan_pruning`."""
        latency = self.settings.latency
        return {
            **({} if latency is None else {"latency": latency}),
            "layer_caps": {**self.settings.layer_caps, **dict.fromkeys(self._dense, 0)},
            "original_widths": self._original_sizes,
            "round_to": self.settings.round_to,
            "min_keep": self.settings.min_keep,
        }

    def plan(self, model: keras.Model, scores: FilterScores) -> PruningPlan:
        """Makes a plan for the next round: by these scores, within the limits, no further than the target.

        Args:
            model: The network as it is now.
            scores: `FilterScores` or a `FireProfile`; higher scores go first.

        Returns:
            The plan. It removes nothing if nothing may go, and its notes say why.
        """
        graph, settings = channel_graph(model), self.settings
        scores = scores.without(self._dense) if self._dense else scores
        if settings.favour_macs:
            scores = favouring_macs(scores, graph, settings.favour_macs)
        limits = {**self.limits, **self._spread()}
        if self.step.goal is not None:
            return self._down_to(self.step.goal, model, graph, scores, limits)
        limits["pruning_ratio"] = self.step.ratio
        return self.target.plan(graph, scores, **limits) if self.target else plan_pruning(graph, scores, **limits)

    def _spread(self) -> dict:
        """How a plan is spread over layers: by the method's own balance, if it has one, else by the settings."""
        balance = self.method.balance
        if balance is None:
            return {"balance": self.settings.balance, "max_cut": self.settings.max_cut}
        return {"balance": balance, "max_cut": self.settings.max_cut if balance else AS_SCORED["max_cut"]}

    def _down_to(self, amounts, model, graph, scores, limits):
        if self.target is None:
            return down_to(amounts, graph, scores, **limits)
        amounts = {m: max(amount, self.target.goals.get(m, amount)) for m, amount in amounts.items()}
        return self.target.down_to(amounts, model, graph, scores, **limits)

    def worth_it(self, plan: PruningPlan) -> bool:
        """Whether a plan cuts enough to be tried; if not, `exhausted` says why, and cutting ends."""
        if not plan.removed:
            self.exhausted = " ".join(plan.notes) or "No filter that may go is left."
        elif self.step.undoes and self._is_negligible(plan):
            self.exhausted = f"The filters that may still go save less than {NEGLIGIBLE:.0%} of the MACs."
        return not self.exhausted

    def _is_negligible(self, plan):
        """Whether a cut saves next to nothing although the settings ask for more."""
        if self.method.sizes_cuts or (self.settings.pruning_ratio is not None and not self.halvings):
            return False
        saved = 1 - plan.costs_after.macs / max(1, plan.costs_before.macs)
        return saved < NEGLIGIBLE or self._takes_no_less(plan)

    def _takes_no_less(self, plan):
        """Whether half the ratio removes no fewer filters than the round that was undone."""
        last = self.leg[-1] if self.leg else None
        return last is not None and not last.accepted and plan.num_removed >= last.filters_removed

    def arrives(self, plan: PruningPlan, model: keras.Model) -> bool:
        """Whether a plan reaches the target.

        Args:
            plan: The plan.
            model: The network after the cut, since latency is measured on it.
        """
        return self.target is not None and self.target.reached(model, plan.costs_after)

    def epochs_for(self, arrives: bool) -> int:
        """How many epochs the network of this round trains."""
        return self.pace.epochs_after(self, self.step, arrives) if self.step.cuts else self.step.epochs

    @property
    def epochs_to_cut(self) -> float:
        """How many epochs a method may still train by itself before it cuts; infinity for no limit."""
        if self.pace.epochs is None:
            return math.inf
        return min(math.floor(CUTTING * self.pace.epochs), self.pace.epochs - self.step.epochs) - self.epochs_spent

    # Judging

    def accepts(self, value: float) -> bool:
        """Whether a round that ends with this metric is kept; NaN never is."""
        if not self.step.undoes:
            return not math.isnan(value)
        return within_tolerance(value, self.baseline, self.settings.tolerance, self.monitor)

    def remarks(self, unsettled: float | None, validation_data: Any) -> list[str]:
        """What the user should know of the baseline and the tolerance before any cut.

        Args:
            unsettled: The metric of the first model before it was settled; None if it was not, or is unknown.
            validation_data: The data that the baseline was measured on.
        """
        tolerance = self.settings.tolerance
        limit = keeps_all(tolerance, self.monitor) if self.target is None and self._knows_unit else None
        differs = unsettled is not None and settled_differently(unsettled, self.baseline, tolerance, self.monitor)
        chance = no_better_than_chance(self.baseline, validation_data, self.monitor)
        judged = self.baseline, validation_data, tolerance, self.monitor
        few = too_few_to_judge(*judged) if self._knows_unit and self._tolerance_decides and not chance else None
        return [*self._of_method, *(remark for remark in (limit, differs, chance, few) if remark)]

    @property
    def _knows_unit(self):
        """Whether the name of the metric says what it is; a user's function may measure anything."""
        return self.settings.evaluate is None or self.settings.monitor is not None

    @property
    def _tolerance_decides(self):
        """Whether rounds are undone by the tolerance; on the way to a target it is only reported."""
        return self.target is None or self.pace.epochs is None

    def cut_figures(self, plan: PruningPlan) -> dict[str, int]:
        """The figures of a cut, for its event."""
        return {"number": self.number, "filters_removed": plan.num_removed, **plan.costs_after.totals}

    def record(self, plan: PruningPlan, **fields: Any) -> RoundRecord:
        """The record of the round in progress, which carried out a plan; `fields` are what the run does not know."""
        ratio = plan.num_removed / max(1, plan.ranked) if self.step.ratio is None else self.step.ratio
        return RoundRecord.of(plan, number=self.number, baseline=self.baseline, pruning_ratio=ratio, **fields)

    def record_of_training(self, **fields: Any) -> RoundRecord:
        """The record of the round in progress, which trained the last accepted network to the end."""
        known = {"number": self.number, "baseline": self.baseline, "accuracy_after_cut": self.accuracy}
        return RoundRecord.of_training(self.costs, pruning_ratio=0.0, **known, **fields)

    def add(self, record: RoundRecord, arrives: bool) -> None:
        """Adds a finished round."""
        self.records.append(record)
        self.epochs_of_method = 0
        if record.accepted:
            self.accuracy, self.arrived = record.accuracy, arrives
            self.costs = record.costs if record.costs is not None else self.costs

    def undone_because(self) -> str:
        """Why the last round ended the cutting."""
        return undone_because(self.records[-1], self.monitor, self.settings.tolerance)

    def summed_up(self, model: keras.Model) -> CompressionResult:
        """The result of the rounds so far, with this model."""
        return CompressionResult(
            model=model,
            baseline=self.baseline,
            accuracy=self.accuracy,
            rounds=list(self.records),
            costs_before=self.costs_before,
            costs_after=self.costs,
            stopped_because=self.stopped_because,
            monitor=self.monitor,
            tolerance=self.settings.tolerance,
            target=self.settings.target,
            time=self.time.seconds,
            notes=list(self.notes),
        )


def dense_alone(graph: ChannelGraph, caps: Mapping[str, float]) -> list[str]:
    """The layers without a cap that are no convolutions and lose no filters together with one."""
    groups = [group for group in graph.groups if not any(graph.layers[name].is_conv for name in group)]
    return [name for group in groups for name in group if name not in caps]


def check_convolutions(model: keras.Model, graph: ChannelGraph, dense: Collection[str]) -> None:
    """Raises `ValueError` if a method that leaves `dense` layers alone would find nothing to prune."""
    free = [name for name in graph.filter_layers if not set(graph.filters(name).tolist()) <= graph.locks.keys()]
    if free and set(free) <= set(dense):
        raise ValueError(
            f"This method ranks the filters of convolutions, as its paper does, and {model.name!r} has none that may "
            f"go. Give it dense=True, or layer_caps={{{free[0]!r}: 0.5}}, to prune dense layers."
        )


def check_prunable(model, graph, layer_caps, compiled=True):
    """Checks that a model can be pruned in rounds.

    Args:
        model, graph: The model and its `ChannelGraph`.
        layer_caps: As in `plan_pruning`.
        compiled: Whether the model has to be compiled. Defaults to True.

    Raises:
        ValueError: If it cannot, or if the caps name layers that it does not have.
    """
    check_strategy(model)
    check_weights(model)
    if compiled and not model.compiled:
        raise ValueError(
            f"The model {model.name!r} is not compiled, so it cannot be fine-tuned. Compile it as for training: "
            "model.compile(optimizer, loss, metrics=['accuracy'])."
        )
    graph = without_uncapped(graph, resolve_caps(graph, layer_caps))
    if len(graph.locks) == graph.num_units:
        raise ValueError(f"The model {model.name!r} has no filter that may be removed: {graph.why_none()}.")


def settled_differently(before: float, settled: float, tolerance: float, monitor: str) -> str | None:
    """A sentence if settling a network's statistics moves its metric by more than the tolerance; else None."""
    close = all(within_tolerance(*pair, tolerance, monitor) for pair in ((before, settled), (settled, before)))
    if math.isfinite(before) and close:
        return None
    lower = lower_is_better(monitor)
    verdict = "better" if (settled < before) == lower and settled != before else "worse"
    return (
        f"With BatchNormalization's statistics measured again on training data, the network has {monitor} "
        f"{settled:.4g} instead of {before:.4g}, {verdict} than as given. The settled network is the baseline."
        + (" The old statistics lagged behind, or are of inputs in another range." if verdict == "better" else "")
    )
