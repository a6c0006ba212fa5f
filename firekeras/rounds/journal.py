"""The events of a run: reported to a listener, and written to the run's directory if it has one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from firekeras.keras_models import model_file
from firekeras.rounds.lines import plain
from firekeras.rounds.run_directory import RunDirectory, check_new, now
from firekeras.scores.profile import FireProfile

AT_START = ("baseline", "monitor", "tolerance", "costs", "target", "max_rounds", "epochs")  # in the first event
MAY_GROW = ("max_rounds",)  # when a run is resumed
MAY_CHANGE = (
    "target",
    "tolerance",
    "epochs",
    "learning_rate",
    "schedule",
    "distill",
)  # when a finished one is continued


class Journal:
    """Records the events of a run.

    Args:
        path: The run's directory, or None.
        on_event: A function that is called with each event, or None.
        source: Where the model and the data came from, for `run.json`.
    """

    def __init__(
        self,
        path: str | Path | None,
        on_event: Callable[[dict], None] | None = None,
        source: dict | None = None,
    ):
        self.path = None if path is None else Path(path)
        self.directory: RunDirectory | None = None
        self.source = source
        self._on_event = on_event
        self.last_profile: FireProfile | None = None  # the one that was written last

    def check(self, resume: bool):
        """Raises `ValueError`, before any work, if the run can neither begin nor resume in this folder."""
        if resume:
            self.directory = self._opened()
        elif self.path is not None:
            check_new(self.path)

    def _opened(self) -> RunDirectory:
        if self.path is None:
            raise ValueError("resume=True continues the run in run_dir. Give the folder: run_dir='runs/a'.")
        return RunDirectory.open(self.path)

    def begin(self, description, model):
        """Begins the run: creates its directory with the first model, and checks that this model loads."""
        if self.path is not None:
            self.directory = RunDirectory.create(self.path, {**description, "source": self.source}, model)
            _check_loads(self.path / "round-000.keras")
        self.report("start", **{name: description[name] for name in AT_START})

    def resume(self, description) -> RunDirectory:
        """Continues the run in the directory: with the same settings, unless it is finished."""
        directory = self._opened()
        directory.clean()
        directory.publish()
        changed = _changed(plain(description), directory)
        self.directory = directory
        at_start = {name: description[name] for name in AT_START} | _kept(directory.settings)
        self.report("resume", after_round=len(directory.rounds()), leg=bool(changed), changed=changed, **at_start)
        return directory

    def report(self, event: str, **fields):
        """Writes an event, then passes it to the listener."""
        line = plain({"event": event, **fields, "time": now()})
        if self.directory is not None:
            self.directory.append(line)
        if self._on_event is not None:
            self._on_event(line)

    def round(self, record, shape, profile, state):
        """Writes a finished round: its model and profile first, then the event that makes them count."""
        files: dict[str, str | None] = {"model": None, "profile": None}
        if self.directory is not None and record.accepted:
            files["model"] = self.directory.save_model(record.model, record.number)
        if self.directory is not None and profile is not None and profile is not self.last_profile:
            files["profile"] = self.directory.save_profile(profile, record.number)
        self.last_profile = profile
        self.report("round", **record.to_dict(), **shape, state=state, **files)
        if self.directory is not None:
            self.directory.publish()

    def stop_wanted(self) -> bool:
        """Whether the run was asked, through its directory, to end after this round."""
        return self.directory is not None and self.directory.stop_wanted()

    def broken_off(self, error):
        """Reports that a round was broken off; the run may be resumed."""
        if isinstance(error, (KeyboardInterrupt, GeneratorExit)):
            self.report("interrupted")
        else:
            self.report("error", message=f"{type(error).__name__}: {error}")


def _check_loads(path):
    try:
        model_file.load_model(path)
    except ValueError as error:
        raise ValueError(
            f"A run can be resumed only if its saved model loads again, which this one does not: {error} Leave out "
            "run_dir, or change the model."
        ) from error


def _kept(settings):
    """The settings that a resumed run keeps from its beginning."""
    return {name: settings[name] for name in ("baseline", "monitor")}


def _changed(description, directory) -> dict:
    """The settings that a continued run may change and does; raises `ValueError` for any other difference."""
    written = {**directory.settings, "settings": {**directory.settings["settings"], **directory.changed()}}
    for name in ("model", "widths", "method"):
        _check_equal(name, description[name], written.get(name))
    differs = {name: value for name, value in description["settings"].items() if value != written["settings"].get(name)}
    free = {*MAY_GROW, *(MAY_CHANGE if directory.ended() else ())}
    for name in differs.keys() - free:
        _check_equal(name, differs[name], written["settings"].get(name))
    return {name: value for name, value in differs.items() if name in MAY_CHANGE}


def _check_equal(name, received, written):
    if received != written:
        raise ValueError(
            f"The run was begun with {name}={written!r}. Received: {name}={received!r}. Continue with the same, or "
            "begin a new run in another folder. Once the run is finished, these may change: "
            f"{', '.join(MAY_CHANGE)}."
        )
