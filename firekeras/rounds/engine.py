"""Rounds: remove a few filters, fine-tune, and go on for as long as accuracy stays within a tolerance."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import keras

from firekeras import methods, model_file
from firekeras.channels import channel_graph
from firekeras.channels.check import check_weights
from firekeras.costs import count_costs
from firekeras.data import check_training_data
from firekeras.devices import check_strategy
from firekeras.plan.caps import resolve_caps
from firekeras.plan.planning import AS_SCORED, PruningPlan, plan_pruning
from firekeras.profile import FireProfile
from firekeras.report.progress import RoundsOnTerminal
from firekeras.report.tensorboard import TensorBoardRounds
from firekeras.rounds.evaluation import Evaluation, warn_unless_held_out
from firekeras.rounds.fine_tuning import EpochEvents, FineTuning
from firekeras.rounds.journal import Journal
from firekeras.rounds.records import CompressionResult, RoundRecord, undone_because
from firekeras.rounds.repeatable import reseed, seed_round
from firekeras.rounds.settings import RunSettings
from firekeras.rounds.survivors import Survivors
from firekeras.rounds.targets import Target
from firekeras.rounds.weighing import weighed
from firekeras.surgery import prune


def compress(
    model, train_data, validation_data, *, method="fire", run_dir=None, tensorboard=None, verbose=1, **settings
) -> CompressionResult:
    """Prunes and fine-tunes in rounds, for as long as accuracy stays within a tolerance.

    Args:
        model: A built, compiled model, with a metric to watch. It is not changed.
        train_data: What FIRE is measured on and fine-tuning trains on: `(x, y)`, or a data set.
        validation_data: Held-out data that no training step sees, as `fit` takes them.
        method: `"fire"`, or a method object such as `FirePruning(mode="measured")`.
        run_dir: A new folder that gets the model of each round, and events as they happen: a run that
            is killed loses the round in progress at most, and `resume=True` goes on with it. Defaults to
            none.
        tensorboard: A folder for TensorBoard: costs, accuracy and a heatmap of FIRE per round.
            Defaults to none.
        verbose: 0 shows nothing, 1 a line per round, 2 the epochs too. Defaults to 1.
        **settings: `resume`; fields of `firekeras.rounds.settings.RunSettings`, such as `tolerance`,
            `pruning_ratio`, `layer_caps`, `target`, `epochs_per_round`, `max_rounds`; and arguments for
            `model.fit`.

    Returns:
        A `CompressionResult`; its `model` is a plain Keras model.

    Raises:
        ValueError: For a model that cannot be pruned or is not compiled, data that do not fit, settings
            that do not exist or are out of range, a target out of reach: before any training.

    Example:
    >>> result = firekeras.compress(model, (x_train, y_train), (x_val, y_val), tolerance=0.01)
    >>> result.model.save("pruned.keras")
    """
    writer = TensorBoardRounds(tensorboard) if tensorboard else None
    with RoundsOnTerminal(verbose) as shown:
        settings["on_event"] = shown.event
        rounds = compression_rounds(model, train_data, validation_data, method=method, run_dir=run_dir, **settings)
        for record in rounds:
            if writer:
                writer.write(record, rounds.profile)
    return rounds.result()


class compression_rounds(Iterator):  # noqa: N801 (used as a function: it is a generator with a result)
    """The rounds of `compress`, one at a time: stop iterating to stop.

    A method is given this object as its `run`, and asks it for what it needs.

    Args:
        model, train_data, validation_data, method, run_dir: As in `compress`.
        resume: Whether to go on with the run in `run_dir`, with the same settings. Defaults to False.
        on_event: A function that is told what happens as it happens, each time a dict, as the lines of
            `events.jsonl` have them. Defaults to none.
        source: Where model and data came from, for `run.json`. Defaults to none.
        **settings: As in `compress`.

    Yields:
        A `RoundRecord` per round. A round below the tolerance is undone, and tried again with half
        the ratio, and layers balanced, up to `backtracks` times.

    Attributes:
        best: The last accepted model; `accuracy` is its metric, `baseline` that of the first model.
        records: The `RoundRecord`s so far.
        fine_tuning: What trains the network of each round, for methods that train one of their own.
        stopped_because: Why there is no further round, in words; empty while there may be one.

    Example:
    >>> for record in firekeras.compression_rounds(model, train, validation):
    ...     if record.macs < budget:
    ...         break
    >>> record.model.save("pruned.keras")
    """

    def __init__(
        self,
        model,
        train_data,
        validation_data,
        *,
        method="fire",
        run_dir=None,
        resume=False,
        on_event: Callable[[dict], None] | None = None,
        source: dict | None = None,
        **settings,
    ):
        self.settings = RunSettings.of(model, settings)
        self.train_data, self.validation_data = train_data, validation_data
        self.method = methods.get(method)
        self._journal = Journal(run_dir, on_event, source)
        self._journal.check(resume)
        self._graph = channel_graph(model)
        self._check(model)
        self.original_widths, self.costs_before = self._graph.widths, count_costs(self._graph)
        self._described = methods.described(self.method)
        self.evaluation = Evaluation.of(self.settings, validation_data)
        self.fine_tuning = FineTuning(self.settings, train_data, model)
        self.target = self._target(model)
        self.best, self.stopped_because = model, ""
        self.records: list[RoundRecord] = []
        self._survivors = Survivors(self.original_widths)
        self._resume() if resume else self._start()

    def _check(self, model):
        check_prunable(model, self._graph, self.settings.layer_caps, compiled=not self.settings.trains_by_itself)
        data = {"train_data": self.train_data, "validation_data": self.validation_data}
        check_training_data(model, data, labels=not self.settings.trains_by_itself)
        warn_unless_held_out(self.train_data, self.validation_data)

    def _target(self, model) -> Target | None:
        if self.settings.target is None:
            return None
        target = Target.of(self.settings.target, model, self.costs_before)
        target.check_feasible(model, self._graph, **self.limits)
        return target

    def _start(self):
        self.baseline = self.evaluation.measured(self.best)
        self._journal.begin(self._description(self.baseline), self.best)

    def _resume(self):
        directory = self._journal.resume(self._description(None))
        self.baseline = directory.settings["baseline"]
        self.best = model_file.load_model(directory.newest_model())
        rounds = directory.rounds()
        self.records = [RoundRecord.from_event(event, self.best) for event in rounds]
        self._survivors.cut(_removed_so_far(rounds))
        profile = directory.newest_profile()
        methods.restore(self.method, FireProfile.load(profile) if profile else None, directory.state())
        self._journal.last_profile = self.profile

    def _description(self, baseline) -> dict:
        """What `run.json` says."""
        costs = {name: getattr(self.costs_before, name) for name in ("conv_macs", "macs", "params")}
        settings = self.settings
        return {
            "backend": keras.backend.backend(),
            "model": self.best.name,
            "method": self._described,
            "settings": settings.to_dict(),
            "monitor": settings.monitor,
            "tolerance": settings.tolerance,
            "target": settings.target,
            "max_rounds": settings.max_rounds,
            "baseline": baseline,
            "costs": costs,
            "widths": self.original_widths,
        }

    @property
    def accuracy(self) -> float:
        """The metric of the last accepted model."""
        return next((record.accuracy for record in reversed(self.records) if record.accepted), self.baseline)

    @property
    def rejections(self) -> int:
        """How many rounds were undone so far."""
        return sum(not record.accepted for record in self.records)

    @property
    def pruning_ratio(self) -> float:
        """The share of the prunable filters that the next round goes for."""
        return self.settings.pruning_ratio * 0.5**self.rejections

    @property
    def profile(self) -> FireProfile | None:
        """The FIRE that the method measured last, if it measures."""
        return getattr(self.method, "profile", None)

    @property
    def limits(self) -> dict:
        """What every plan of the run keeps to, as `plan_pruning` takes it."""
        return {
            "layer_caps": self.settings.layer_caps,
            "original_widths": self.original_widths,
            "round_to": self.settings.round_to,
            "min_keep": self.settings.min_keep,
        }

    def plan(self, model, scores) -> PruningPlan:
        """A plan for the next round: by these scores, within the limits, no further than the target."""
        limits, graph = {"pruning_ratio": self.pruning_ratio, **self.limits, **AS_SCORED}, channel_graph(model)
        make = self.target.plan if self.target else plan_pruning
        return make(graph, weighed(scores, graph, self.settings, self.rejections), **limits)

    def __iter__(self):
        return self

    def __next__(self) -> RoundRecord:
        if self.stopped_because:
            raise StopIteration
        try:
            seed_round(self.settings.seed, len(self.records))
            model, plan = self._next_plan()
            record = self._round(model, plan) if plan else None
        except BaseException as error:
            self._journal.broken_off(error)
            raise
        if record is None:
            self._journal.tell("stop", reason=self.stopped_because)
            raise StopIteration
        return record

    def _next_plan(self) -> tuple[keras.Model, PruningPlan | None]:
        """The network to cut and the plan for it; no plan where there shall be no further round."""
        self.stopped_because = self._reason_to_stop()
        if self.stopped_because:
            return self.best, None
        model = methods.prepared(self.method, self.best, self)
        plan = self.method.plan(model, self)
        if not plan.removed:
            self.stopped_because = " ".join(plan.notes) or "Nothing was left to remove."
        elif self._was_undone(plan):
            self.stopped_because = self._undone()
        return model, None if self.stopped_because else plan

    def _reason_to_stop(self) -> str:
        if self.target and self.target.reached(self.best, count_costs(self.best)):
            return f"The target {dict(self.settings.target or {})} is reached."
        if self.rejections > self.settings.backtracks:
            return self._undone()
        if len(self.records) >= self.settings.max_rounds:
            return f"max_rounds={self.settings.max_rounds} is reached"
        if self._journal.stop_wanted():
            return f"It was asked to stop after round {len(self.records)}."
        return ""

    def _undone(self):
        return undone_because(self.records[-1], self.settings.monitor, self.settings.tolerance)

    def _was_undone(self, plan) -> bool:
        """Whether half the ratio comes to no fewer filters than the round that was undone took."""
        last = self.records[-1] if self.records else None
        return last is not None and not last.accepted and plan.num_removed >= last.filters_removed

    def _round(self, model, plan) -> RoundRecord:
        start = time.monotonic()
        candidate = prune(model, plan)
        reseed(candidate, self.settings.seed, len(self.records))
        plan.notes.extend(self.fine_tuning.recover(model, candidate, plan))
        after_cut = self.evaluation.measured(candidate)
        self._tell_cut(plan, after_cut)
        loss = self.fine_tuning.train(candidate, [EpochEvents(self._tell_epoch)])
        accuracy = self.evaluation.measured(candidate) if math.isfinite(loss) else math.nan
        accepted = self.evaluation.accepts(accuracy, self.baseline)
        record = RoundRecord.of(
            plan,
            number=len(self.records) + 1,
            accepted=accepted,
            accuracy_after_cut=after_cut,
            accuracy=accuracy,
            baseline=self.baseline,
            seconds=time.monotonic() - start,
            model=candidate if accepted else self.best,
            pruning_ratio=self.pruning_ratio,
            details=getattr(self.method, "details", {}),
        )
        self._tell_round(record, plan)
        self.best = record.model
        self.records.append(record)
        return record

    def _tell_cut(self, plan, after_cut):
        costs = {name: getattr(plan.costs_after, name) for name in ("conv_macs", "macs", "params")}
        number, removed = len(self.records) + 1, plan.num_removed
        self._journal.tell("cut", number=number, filters_removed=removed, accuracy_after_cut=after_cut, **costs)

    def _tell_epoch(self, epoch, epochs, logs):
        self._journal.tell("epoch", number=len(self.records) + 1, epoch=epoch, epochs=epochs, logs=logs)

    def _tell_round(self, record, plan):
        """The event has what is left now, and which filters of the first network are gone in all."""
        if record.accepted:
            self._survivors.cut(plan.removed)
        shape = {"widths": _widths_after(plan, record.accepted), "removed": self._survivors.removed}
        self._journal.round(record, shape, self.profile, methods.state(self.method))

    def result(self) -> CompressionResult:
        """What the rounds so far came to."""
        return CompressionResult(
            model=self.best,
            baseline=self.baseline,
            accuracy=self.accuracy,
            rounds=list(self.records),
            costs_before=self.costs_before,
            costs_after=count_costs(self.best),
            stopped_because=self.stopped_because,
        )


def _removed_so_far(rounds) -> dict[str, list[int]]:
    return rounds[-1]["removed"] if rounds else {}


def _widths_after(plan, accepted) -> dict[str, int]:
    lost = {name: len(filters) for name, filters in plan.removed.items()} if accepted else {}
    return {name: width - lost.get(name, 0) for name, width in plan.widths.items()}


def check_prunable(model, graph, layer_caps, compiled=True):
    """Raises `ValueError` for a model that cannot be pruned in rounds, or caps on layers it has not.

    Args:
        model, graph: The model and its `ChannelGraph`.
        layer_caps: As in `plan_pruning`.
        compiled: Whether it has to be compiled. Defaults to True.
    """
    check_strategy(model)
    check_weights(model)
    if compiled and not model.compiled:
        raise ValueError(
            f"The model {model.name!r} is not compiled, so that it cannot be fine-tuned. Compile it as for training: "
            "model.compile(optimizer, loss, metrics=['accuracy'])."
        )
    resolve_caps(graph, layer_caps)
    if len(graph.locks) == graph.num_units:
        reasons = "; ".join(list(dict.fromkeys(graph.locks.values()))[:3])
        raise ValueError(f"The model {model.name!r} has no filter that may be removed: {reasons}.")
