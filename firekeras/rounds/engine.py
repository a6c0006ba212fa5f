"""Rounds: cut, settle, train on, judge, keep or undo."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras

from firekeras.channels import channel_graph
from firekeras.data.checks import check_batches, check_training_data
from firekeras.data.ending import bounded
from firekeras.data.scale import applied
from firekeras.keras_models.classes import check_trains_as_keras_does
from firekeras.keras_models.compiling import MENDED, is_broken
from firekeras.keras_models.devices import several_processes
from firekeras.keras_models.snapshot import Snapshot
from firekeras.network import Network
from firekeras.plan.planning import PruningPlan
from firekeras.plan.pruning import prune
from firekeras.quiet import without_retracing_warnings
from firekeras.rounds import fingerprints
from firekeras.rounds.evaluation import Evaluation, warn_unless_held_out
from firekeras.rounds.figures import figure
from firekeras.rounds.fine_tuning import EpochEvents, FineTuning
from firekeras.rounds.journal import Journal, loaded, loaded_profile
from firekeras.rounds.judge import Judge
from firekeras.rounds.learning_rate import restore_rate, run_out
from firekeras.rounds.method import Method
from firekeras.rounds.monitor import better, lost, lower_is_better
from firekeras.rounds.records import CompressionResult, RoundRecord
from firekeras.rounds.repeatable import reseed, seed_round
from firekeras.rounds.run import Run, check_prunable
from firekeras.rounds.run_directory import EVENTS
from firekeras.rounds.schema import LOST, ON_REQUEST, cost_fields
from firekeras.rounds.settings import RunSettings
from firekeras.rounds.survivors import Survivors
from firekeras.rounds.teaching import teacher_for

RUINED = (0.1, 1.0)  # points lost; as a share, if lower is better
FROZEN = (
    "All layers are frozen, so training changes nothing. To have the network adapt to cuts, set model.trainable = True "
    "and compile it again."
)
RUINOUS = "Training made the network much worse"
BATCH_SIZE = 32  # Keras's own, for arrays


class Rounds(Run, Iterator):
    """The rounds of `compress`, one at a time: to end the run, stop iterating.

    Methods get this object as `run` and ask it for whatever they need.

    Args:
        model, train_data, validation_data, run_dir, resume, on_event: As in `compress`.
        method: A `Method`.
        source: Where the model and the data came from, for `run.json`. Defaults to None.
        **settings: As in `compress`, including arguments for `fit`.

    Yields:
        A `RoundRecord` per round. The last round of a run cuts nothing: it trains the network of the round
        before it to the end, in place.

    Attributes:
        best: The last accepted model. `accuracy` is its metric; `baseline` is the metric of the first model, settled.
        records: The `RoundRecord`s so far.
        fine_tuning: Trains the network of each round; methods that train networks of their own use it too.
        stopped_because: Why there are no more rounds; empty while there may be.

    Raises:
        ValueError: As `compress`.
    """

    @without_retracing_warnings()
    def __init__(
        self,
        model: keras.Model,
        train_data: Any,
        validation_data: Any,
        *,
        method: Method,
        run_dir: str | Path | None = None,
        resume: bool = False,
        on_event: Callable[[dict], None] | None = None,
        source: dict | None = None,
        **settings: Any,
    ):
        checked = RunSettings.of(model, settings)
        self._given = {"train_data": train_data, "validation_data": validation_data}
        self.train_data = bounded(train_data, checked.steps_per_epoch)
        self.validation_data = bounded(validation_data, checked.validation_steps, checked.batch_size or BATCH_SIZE)
        self._journal = Journal(run_dir, on_event, source)
        with self._journal.claimed(resume):
            given, model = model, self._journal.first_model(model) if resume else model
            self._graph = channel_graph(model)
            self._check(model, checked)
            super().__init__(checked, method, model, self._graph, epochs=checked.epochs, train_data=self.train_data)
            self.first, self.best = model, model
            self._described = method.description()
            self._survivors = Survivors(self.original_widths)
            self._notes_reported = 0
            self._judge_by(Evaluation.of(checked, self.validation_data))
            self.fine_tuning = FineTuning(checked, train_data, given, checked.epochs, self.time)
            self._note(*self._graph.notes, *self._journal.without_locks)
            self._resume() if resume else self._start()

    def _check(self, model, settings):
        check_prunable(model, self._graph, settings.layer_caps, compiled=not settings.trains_by_itself)
        if settings.trains and settings.fine_tune is None:
            check_trains_as_keras_does(model)
        data = {"train_data": self.train_data, "validation_data": self.validation_data}
        check_training_data(model, data, labels=not settings.trains_by_itself)
        if not several_processes():
            labels_for = None if settings.trains_by_itself else model
            check_batches("validation_data", self.validation_data, labels_for)
        warn_unless_held_out(self.train_data, self.validation_data)

    # Beginning

    def _start(self):
        with self.time.on("judging"):
            self.best = self._own_copy()
            self.evaluation.check_monitor(self.best)
            unsettled = self.evaluation.measured(self.best)  # an unknown metric is refused before any long work
            self.monitor = self.evaluation.monitor
            self.baseline = self.judged(self.best) if self.best is not self.first else unsettled
        self.evaluation.check_baseline(self.baseline, self.notes)
        self.accuracy = self.baseline
        self._note(*self._remarks(unsettled))
        self._teach()
        self._journal.begin(self._description(self.baseline), self.best)
        self._report_notes()

    def _own_copy(self) -> keras.Model:
        """A copy of the first network, to settle; the network itself if it has no statistics to settle."""
        if several_processes():
            self._note("Statistics are not settled: settling does not run over several processes.")
            return self.first
        settles = self._judge.settles(self.first)
        return Network.of(self.first).copy(compiled=self.first.compiled) if settles else self.first

    def _remarks(self, unsettled) -> list[str]:
        """Notes that the user should see before any training."""
        source = self._journal.source
        scale = self.evaluation.suspicion(self.first, applied(source) if source else None)
        over = None if self.settings.trains_by_itself else self._schedule_over()
        broken = MENDED if is_broken(self.first) else None
        found = self.remarks(unsettled, self.validation_data)
        return [remark for remark in (scale, *found, over, broken, self._nothing_trains()) if remark]

    def _nothing_trains(self):
        trains = self.settings.trains and self.settings.fine_tune is None
        return FROZEN if trains and not self.first.trainable_variables else None

    def _schedule_over(self):
        if self.settings.learning_rate is not None or self.settings.fine_tune is not None:
            return None
        return run_out(self.first.optimizer)

    def _teach(self):
        """Sets up distillation, if the settings or the network call for it."""
        if not self.settings.trains or self.settings.fine_tune is not None:
            return
        with self.time.on("judging"):
            self.fine_tuning.teacher, note = teacher_for(
                self.best, self.train_data, self.settings.distill, self.monitor, self.settings.batch_size
            )
        self._note(note)

    def _note(self, *notes):
        self.notes += [note for note in notes if note and note not in self.notes]

    def _report_notes(self):
        """Reports the notes that are new."""
        for note in self.notes[self._notes_reported :]:
            self._journal.report("note", text=note)
        self._notes_reported = len(self.notes)

    def _resume(self):
        directory = self._journal.resume(self._description(None))
        self.baseline = directory.settings["baseline"]
        self.monitor = directory.settings["monitor"]
        self._take_up_notes(directory.events())
        settings = self.settings
        self._judge_by(
            Evaluation(
                self.validation_data,
                self.monitor,
                settings.tolerance,
                batch_size=settings.batch_size,
                evaluate=settings.evaluate,
            )
        )
        self._teach()
        rounds = directory.rounds()
        for event in [event for event in rounds if event["accepted"]][-1:]:
            self.best = loaded(directory, event["number"], widths=event.get("widths"), weights=event.get("weights"))
        self.records = [RoundRecord.from_event(event, self.best) for event in rounds]
        self.accuracy = next((record.accuracy for record in reversed(self.records) if record.accepted), self.baseline)
        self.costs = self.counted(self.best)
        self.begin_leg(self.settings.epochs, self.best, directory.leg_begins())
        self._survivors.cut(_removed_so_far(rounds, self.original_widths))
        self._restore_method(loaded_profile(directory), directory.state())
        self._journal.last_profile = self.profile

    def _take_up_notes(self, events):
        """The notes on record come first, and are not reported again."""
        new, self.notes = (
            self.notes,
            [event["text"] for event in events if event["event"] == "note" and "text" in event],
        )
        self._notes_reported = len(self.notes)
        self._note(*new)

    def _restore_method(self, profile, state):
        """Hands the method its state, which comes from a file and may be damaged in ways that only the method knows."""
        try:
            self.method.restore(profile, state)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise ValueError(f"The state of the method in {EVENTS} cannot be restored: {error}. {LOST}") from error

    def _description(self, baseline) -> dict:
        """The contents of `run.json`."""
        settings = self.settings
        return {
            "backend": keras.backend.backend(),
            "model": self.first.name,
            "method": self._described,
            "settings": {**settings.to_dict(), "latency": settings.latency and settings.latency.fingerprint},
            "monitor": self.monitor,
            "tolerance": settings.tolerance,
            "target": settings.target,
            "max_rounds": settings.max_rounds,
            "epochs": settings.epochs,
            "baseline": baseline,
            "costs": cost_fields(self.costs_before),
            "widths": self.original_widths,
            "data": self._data(),
            "judged_on": self.evaluation.samples,
        }

    def _data(self) -> dict[str, str]:
        """The fingerprints of the data, if there is a folder to keep them in."""
        if not self._journal.keeps:
            return {}
        return {name: fingerprints.of_data(part) for name, part in self._given.items()}

    # The rounds

    def __iter__(self):
        return self

    @without_retracing_warnings()
    def __next__(self) -> RoundRecord:
        if self.stopped_because:
            raise StopIteration
        with self._journal.at_work():
            record = self._recorded_round()
        if record is None:
            self._journal.leave()
            raise StopIteration
        return record

    def _recorded_round(self) -> RoundRecord | None:
        """The next round; None if the run is over, which is on record then."""
        try:
            record = self._next_round()
            if record is None:
                self._end()
        except BaseException as error:
            self._journal.broken_off(error)
            raise
        return record

    def _end(self):
        with self.time.on("judging"):
            if self.best is not self.first and self.first.compiled and self.settings.fine_tune is None:
                restore_rate(self.best, self.first.optimizer)
        with self.time.on("measuring"):
            self._measure_what_is_left()
        self._report_notes()
        self._journal.report("stop", reason=self.stopped_because, seconds=self.time.seconds)

    def _measure_what_is_left(self):
        """Keeps FIRE of the last network in the folder: rounds measure before they cut, so it is not there yet."""
        number = next((record.number for record in reversed(self.records) if record.accepted), 0)
        if not number or not self._journal.lacks_fire_of(number):
            return
        try:
            profile = self.method.fire_of(self.best, self)
        except ValueError as error:  # data that come only once may be used up; the run has come to its end all the same
            self._note(f"FIRE of the last network was not measured: {error}")
            return
        if profile is not None:
            self._journal.keep_fire_of(number, profile)

    def _next_round(self) -> RoundRecord | None:
        seed_round(self.settings.seed, len(self.records))
        if self._journal.stop_wanted():
            self.stop(f"{ON_REQUEST} after round {len(self.records)}.")
            return None
        step = self.next_step()
        if step is None:
            return None
        if not step.cuts:
            return self._train_to_the_end()
        model, plan = self._plan()
        return self._round(model, plan) if self.worth_it(plan) else self._next_round()

    def _plan(self) -> tuple[keras.Model, PruningPlan]:
        """The network to cut, and the plan for it."""
        with self.time.on("measuring"):
            model = self.method.prepare(self.best, self)
            return model, self.method.plan(model, self)

    def _round(self, model, plan) -> RoundRecord:
        start = time.monotonic()
        with self.time.on("cutting"):
            candidate = prune(model, plan)
            reseed(candidate, self.settings.seed, len(self.records))
            plan.notes.extend(self.fine_tuning.recover(model, candidate, plan))
            arrives = self.arrives(plan, candidate)
        after_cut = self.judged(candidate)
        self._report_cut(plan, after_cut)
        self.fine_tuning.prepare(candidate)
        chooses = self.step.undoes or self.step.last or arrives
        trained = self._trained(candidate, after_cut, self.epochs_for(arrives), chooses=chooses)
        record = self.record(
            plan,
            accuracy_after_cut=after_cut,
            model=candidate if trained["accepted"] else self.best,
            details=dict(self.method.details),
            seconds=time.monotonic() - start,
            **trained,
        )
        self._keep(record, plan, arrives)
        return record

    def _train_to_the_end(self) -> RoundRecord:
        start = time.monotonic()
        reseed(self.best, self.settings.seed, len(self.records))
        trained = self._trained(self.best, self.accuracy, self.step.epochs, since_cut=math.inf)
        record = self.record_of_training(model=self.best, seconds=time.monotonic() - start, **trained)
        self._keep(record, None, self.arrived)
        return record

    def _trained(self, candidate, after_cut, epochs, since_cut=0.0, chooses=True) -> dict:
        """Trains and judges a network, and leaves the better state in it; returns fields for the record.

        Args:
            candidate: The network.
            after_cut: Its metric before training.
            epochs: How many epochs to train.
            since_cut: Epochs since the last cut; infinity for no warm-up.
            chooses: Whether to keep the better state. Between cuts on the way to a target the trained state is kept
                unless training diverged, since the learning rate is still high.
        """
        snapshot = Snapshot(candidate) if epochs else None
        value, spent = self._after_training(candidate, epochs, 0, since_cut) if epochs else after_cut, epochs
        if self._may_help_again(after_cut, value, epochs):
            value, spent = self._after_training(candidate, epochs, epochs, since_cut), 2 * epochs
        kept, found = "training", value if epochs else math.nan
        if snapshot is not None and better(after_cut, value, self.monitor) and (chooses or math.isnan(value)):
            snapshot.restore()
            value, kept = after_cut, "cut"
            self._note_if_ruined(after_cut, found)
        epochs = spent + self.epochs_of_method
        return {
            "accuracy": value,
            "accepted": self.accepts(value),
            "epochs": epochs,
            "kept": kept,
            "accuracy_trained": found,
        }

    def _note_if_ruined(self, before, after):
        """Notes, once a run, that training has made a network much worse."""
        slight = lost(after, before, self.monitor) <= RUINED[lower_is_better(self.monitor)]
        if slight or any(note.startswith(RUINOUS) for note in self.notes):
            return
        found = "NaN or infinite" if math.isnan(after) else f"{figure(after)} after it"
        cause = (
            "the learning rate is too high: pass a lower one" if self.settings.fine_tune is None else "see fine_tune"
        )
        self._note(
            f"{RUINOUS}, in round {self.number}: {self.monitor} {figure(before)} before training, {found}. The state "
            f"before it was put back. Probably {cause}."
        )

    def train_for_method(self, network: keras.Model, epochs: int = 1) -> float:
        """Trains a network that belongs to the method, in place; its epochs count towards those of the run.

        Args:
            network: The network.
            epochs: How many epochs. Defaults to 1.

        Returns:
            The last training loss; NaN if it diverged.
        """
        self.fine_tuning.prepare(network)
        loss = self.fine_tuning.train(network, epochs, spent=self.epochs_spent, since_cut=math.inf)
        self.epochs_of_method += epochs
        return loss

    def _after_training(self, candidate, epochs, spent_now, since_cut) -> float:
        spent = self.epochs_spent + spent_now
        loss = self.fine_tuning.train(
            candidate, epochs, [EpochEvents(self._report_epoch)], spent=spent, since_cut=since_cut + spent_now
        )
        return self.judged(candidate) if math.isfinite(loss) else math.nan

    def _may_help_again(self, after_cut, value, epochs) -> bool:
        """Whether a round that would be undone is trained for as many epochs again."""
        if not (epochs and self.step.undoes) or self.accepts(value) or self.accepts(after_cut) or math.isnan(value):
            return False
        return self.pace.epochs is None or self.epochs_spent + 2 * epochs <= self.pace.epochs

    def _judge_by(self, evaluation):
        self.evaluation = evaluation
        self._judge = Judge(evaluation, self.train_data, self.settings.batch_size)

    def judged(self, network: keras.Model) -> float:
        """Settles a network in place, then measures its metric; NaN if a weight is."""
        with self.time.on("judging"):
            value, notes = self._judge.judged(network)
        self._note(*notes)
        return value

    def _keep(self, record, plan, arrives):
        if plan is not None and record.accepted:
            self._survivors.cut(plan.removed)
        shape = {"widths": self._widths_after(plan, record), "removed": self._survivors.removed}
        self._journal.round(record, shape, self.profile, self.method.state())
        self.best = record.model
        self.add(record, arrives)
        self._report_notes()

    def _widths_after(self, plan, record) -> dict[str, int]:
        gone = {name: len(filters) for name, filters in self._survivors.removed.items()}
        return {name: width - gone.get(name, 0) for name, width in self.original_widths.items()}

    def _report_cut(self, plan, after_cut):
        self._journal.report("cut", accuracy_after_cut=after_cut, **self.cut_figures(plan))

    def _report_epoch(self, epoch, epochs, logs):
        self._journal.report("epoch", number=self.number, epoch=epoch, epochs=epochs, logs=logs)

    def result(self) -> CompressionResult:
        """The result of the rounds so far."""
        return self.summed_up(self.best)


def _removed_so_far(rounds, widths) -> dict[str, list[int]]:
    """The filters of the first network that are gone, as the last line on record has them."""
    removed = rounds[-1].get("removed", {}) if rounds else {}
    for name, filters in removed.items():
        if any(number >= widths.get(name, 0) for number in filters):
            raise ValueError(
                f"{EVENTS}: round {rounds[-1]['number']} removes filter {max(filters)} of layer {name!r}, which has "
                f"{widths.get(name, 0)}. {LOST}"
            )
    return removed
