"""The events of a run: reported to a listener, and written to the run's directory if it has one."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import keras

from firekeras.arguments import checked_type
from firekeras.atomic import naming
from firekeras.channels import channel_graph
from firekeras.keras_models import devices, model_file
from firekeras.paths import as_path
from firekeras.rounds import fingerprints
from firekeras.rounds.lines import plain
from firekeras.rounds.ownership import LOCK, Ownership
from firekeras.rounds.run_directory import SETTINGS, RunDirectory, check_new, now
from firekeras.rounds.schema import FIT, LOST, Changed, beside_name, model_name
from firekeras.scores.profile import FireProfile

AT_START = ("baseline", "monitor", "tolerance", "costs", "target", "max_rounds", "epochs")  # in the first event
MAY_GROW = ("max_rounds",)  # when a run is resumed
MAY_CHANGE = tuple(Changed.__annotations__)  # when a finished one is continued


class Journal:
    """Records the events of a run. Of several processes that share a run, the first alone writes and reports.

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
        checked_type("on_event", on_event, Callable | None)
        self.path = None if path is None else as_path(path)
        self.directory: RunDirectory | None = None
        self.source = source
        self._follows = devices.follows()
        self._on_event = None if self._follows else on_event
        self._owned: Ownership | None = None
        self._made: list[Path] = []  # the folders that this run has created, innermost first
        self.last_profile: FireProfile | None = None  # the one that was written last

    @property
    def keeps(self) -> bool:
        """Whether this process keeps the run in a folder."""
        return self.path is not None and not self._follows

    # Ownership

    @contextlib.contextmanager
    def claimed(self, resume: bool) -> Iterator[None]:
        """Takes the folder before any work, so that nobody else does; if that work fails, leaves it as it was.

        Raises:
            ValueError: If the run can neither begin nor resume in this folder, or somebody else is at work on it.
        """
        try:
            devices.by_the_first(lambda: self._claim(resume))
            yield
        except BaseException:
            self.leave()
            raise
        self._rest()

    def _claim(self, resume):
        if resume:
            self.directory = self._opened()
            _check_can_resume(self.directory)
            self._owned = Ownership(self.directory.path)
            self.directory.check_whole()
        elif self.path is not None:
            check_new(self.path)
            self._made = _made_folders(self.path)
            self._owned = Ownership(self.path)
            check_new(self.path)  # another process may have begun and ended a run meanwhile

    def _rest(self):
        if self._owned is not None:
            self._owned.busy = False

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Owns the folder for a round; between rounds, others in this process may take it over.

        Raises:
            ValueError: If somebody else is at work on the run, or has continued it meanwhile.
        """
        if self.directory is None:
            yield
            return
        if self._owned is None or not self._owned.held:
            self._owned = Ownership(self.directory.path)
        self.directory.check_alone()
        self._owned.busy = True
        try:
            yield
        finally:
            self._rest()

    def leave(self):
        """Lets others own the folder; leaves nothing behind if the run has not begun in it."""
        if self._owned is None or not self._owned.held:
            return
        if self.path is not None and not (self.path / SETTINGS).exists():
            (self.path / LOCK).unlink(missing_ok=True)
        self._owned.release()
        with contextlib.suppress(OSError):  # not empty: the run has begun
            for folder in self._made:
                folder.rmdir()

    @property
    def without_locks(self) -> list[str]:
        """A note if the file system of the folder has no locks."""
        if self._owned is None or self._owned.locks:
            return []
        return [
            f"The file system of {self.path} has no locks: see to it that nobody else continues this run meanwhile."
        ]

    def _opened(self) -> RunDirectory:
        if self.path is None:
            raise ValueError("resume=True continues the run in run_dir. Give the folder: run_dir='runs/a'.")
        return RunDirectory.open(self.path)

    # Events

    def begin(self, description, model):
        """Begins the run: creates its directory with the first model, and checks that this model loads."""
        devices.by_the_first(lambda: self._create(description, model))
        self.report("start", **{name: description[name] for name in AT_START})

    def _create(self, description, model):
        if self.path is not None:
            marks = {"source": self.source, "weights": fingerprints.of_weights(model)}
            self.directory = RunDirectory.create(self.path, {**description, **marks}, model)
            _check_loads(self.directory)

    def first_model(self, given: keras.Model) -> keras.Model:
        """The model that the run began with, by the names of its layers of then: a rebuilt one may have others.

        Args:
            given: The model that the run is continued with.

        Raises:
            ValueError: If that is another one.
        """
        directory = self.directory or self._opened()
        _check_complete(directory)
        widths, weights = directory.settings["widths"], directory.settings.get("weights")
        first = loaded(directory, 0, widths=widths, weights=weights)
        _check_same_model(first, given, directory)
        return first

    def resume(self, description) -> RunDirectory:
        """Continues the run in the directory: with the same settings, unless it is finished. All processes read it."""
        return devices.by_the_first(lambda: self._resumed(description)) or self._opened()

    def _resumed(self, description):
        directory = self.directory = self.directory or self._opened()
        check_same_data(directory.settings.get("data", {}), description["data"])
        changed = _changed(plain(description), directory)
        directory.clean()
        directory.publish()
        at_start = {name: description[name] for name in AT_START} | _kept(directory.settings)
        self.report("resume", after_round=len(directory.rounds()), leg=bool(changed), changed=changed, **at_start)
        return directory

    def report(self, event: str, **fields):
        """Writes an event, then passes it to the listener."""
        line = plain({"event": event, **fields, "time": now()})
        if self.directory is not None:
            self.directory.append(line)
        if self._on_event is not None:
            self._pass_on(line, self._on_event)

    def _pass_on(self, line, listener):
        """Passes an event to the listener; whoever reads a closed pipe, or a full disk, ends no run."""
        try:
            listener(line)
        except OSError as error:
            self._on_event = None
            note = f"Nobody hears of the run any more, which goes on: {type(error).__name__}: {error}."
            warnings.warn(note, stacklevel=2)
            self.report("note", text=note)

    def round(self, record, shape, profile, state):
        """Writes a finished round: its model and profile first, then the event that makes them count."""
        files = self.files_of(record, profile)
        self.report("round", **record.to_dict(), **shape, state=state, **files)
        if self.directory is not None:
            self.directory.publish()

    def files_of(self, record, profile) -> dict[str, str | None]:
        """Writes the files of a finished round; returns their names, for its event."""
        files: dict[str, str | None] = {"model": None, "profile": None, "weights": None}
        if self.directory is not None and record.accepted:
            with devices.alone():
                files["model"] = self.directory.save_model(record.model, record.number)
            files["weights"] = fingerprints.of_weights(record.model)
        if self.directory is not None and profile is not None and profile is not self.last_profile:
            files["profile"] = self.directory.save_profile(profile, record.number)
        self.last_profile = profile
        return files

    def lacks_fire_of(self, number: int) -> bool:
        """Whether FIRE of the model of a round is to be kept beside it, and is not yet."""
        lacks = self.directory is not None and self.directory.file(beside_name(number)) is None
        return bool(devices.said_by_the_first(lacks))

    def keep_fire_of(self, number: int, profile: FireProfile):
        """Writes FIRE of the model of a round beside it, for those who look at the folder."""
        if self.directory is not None:
            self.directory.save_beside(profile, number)

    def stop_wanted(self) -> bool:
        """Whether the run was asked, through its directory, to end after this round."""
        wanted = self.directory is not None and self.directory.stop_wanted()
        return bool(devices.said_by_the_first(wanted))

    def broken_off(self, error):
        """Reports that a round was broken off, if that can still be written, and leaves; the run may be resumed."""
        with contextlib.suppress(OSError, ValueError):  # what broke the round off is what counts
            if isinstance(error, (KeyboardInterrupt, GeneratorExit, SystemExit)):  # a SIGTERM ends as a SystemExit
                self.report("interrupted")
            else:
                self.report("error", message=f"{type(error).__name__}: {error}")
        self.leave()


def _check_can_resume(directory):
    if directory.settings.get("within") == FIT:
        raise ValueError(
            f"{directory.path} records what FirePruningCallback did inside fit, which cannot be resumed. Load its "
            "newest model, best.keras, and call fit again, or compress with a new run_dir."
        )


def _made_folders(path) -> list[Path]:
    """Creates a folder with its parents; returns those that were not there, innermost first."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    with naming(path):
        path.mkdir(parents=True, exist_ok=True)
    return missing


def _check_loads(directory):
    try:
        loaded(directory, 0, weights=directory.settings["weights"])
    except ValueError as error:
        raise ValueError(
            f"A run can be resumed only if its saved model loads again, which this one does not: {error} Leave out "
            "run_dir, or change the model."
        ) from error


def loaded(
    directory: RunDirectory, number: int, *, widths: Mapping[str, int] | None = None, weights: str | None = None
) -> keras.Model:
    """The model of a round, if it still is that model.

    Args:
        directory: The run.
        number: The number of the round; 0 for the model that the run began with.
        widths: How many filters its layers have. Defaults to None: not on record.
        weights: The fingerprint of its weights. Defaults to None: not on record.

    Raises:
        ValueError: If it is missing, damaged, or another model.
    """
    path = directory.existing(model_name(number))
    model = model_file.load_model(path)
    if widths is not None and channel_graph(model).widths != dict(widths):
        wrong = f"its layers have {channel_graph(model).widths} filters. Expected {dict(widths)}"
    elif weights is not None and fingerprints.of_weights(model) != weights:
        wrong = "its weights are others"
    else:
        return model
    raise ValueError(f"{path} is not the model of round {number} of this run: {wrong}. {LOST}")


def loaded_profile(directory: RunDirectory) -> FireProfile | None:
    """What was measured last in a finished round, if it was measured on the network of that time.

    Raises:
        ValueError: If it is missing, damaged, or of another network.
    """
    widths = directory.settings["widths"]
    newest, measured = None, widths
    for event in directory.rounds():
        if event.get("profile"):
            newest, measured = event["profile"], widths
        if event["accepted"]:
            widths = event.get("widths", widths)
    if newest is None:
        return None
    path = directory.existing(newest)
    profile = FireProfile.load(path)
    if profile.graph.widths != measured:
        raise ValueError(f"{path} was not measured in this run: it is of a network with other widths. {LOST}")
    return profile


def _kept(settings):
    """The settings that a resumed run keeps from its beginning."""
    return {name: settings[name] for name in ("baseline", "monitor")}


def _changed(description, directory) -> dict:
    """The settings that a continued run may change and does; raises `ValueError` for any other difference."""
    _check_complete(directory)
    written = {**directory.settings, "settings": {**directory.settings["settings"], **directory.changed()}}
    _check_equal("method", description["method"], written.get("method"))
    differs = {name: value for name, value in description["settings"].items() if value != written["settings"].get(name)}
    free = {*MAY_GROW, *(MAY_CHANGE if directory.ended() else ())}
    for name in differs.keys() - free:
        _check_equal(name, differs[name], written["settings"].get(name))
    return {name: value for name, value in differs.items() if name in MAY_CHANGE}


def _check_complete(directory):
    for name in ("settings", "method", "monitor", "baseline"):
        if directory.settings.get(name) is None:
            raise ValueError(
                f"{directory.path / SETTINGS} has no {name}, so the run cannot be continued. Begin a new one elsewhere."
            )


def check_same_data(written: Mapping[str, str], received: Mapping[str, str]):
    """Raises `ValueError` if a run is continued with other data.

    Args:
        written: The fingerprints of the data that the run was begun with, by argument; without those of older runs.
        received: Those that it is continued with.
    """
    for name, fingerprint in received.items():
        if written.get(name, fingerprint) != fingerprint:
            raise ValueError(
                f"The {name} are not those that the run was begun with: their shapes, types, order or values differ. "
                "Continue with the same, or begin a new run in another folder."
            )


def _check_same_model(first, given, directory):
    """Names do not count: Keras numbers them, and the same model that is built again gets others."""
    widths = [list(channel_graph(model).widths.values()) for model in (first, given)]
    if widths[0] != widths[1]:
        other = f"its layers have {widths[1]} filters. Expected {widths[0]}"
    elif fingerprints.of_learned(first) != fingerprints.of_learned(given):
        other = "its weights are others"
    else:
        return
    raise ValueError(
        f"The model is not the one that the run was begun with: {other}. Continue with the same, which is also in "
        f"{directory.path / model_name(0)}, for keras.models.load_model; or begin a new run in "
        "another folder."
    )


def _check_equal(name, received, written):
    if received != written:
        raise ValueError(
            f"The run was begun with {name}={written!r}. Received: {name}={received!r}. Continue with the same, or "
            "begin a new run in another folder. Once the run is finished, these may change: "
            f"{', '.join(MAY_CHANGE)}."
        )
