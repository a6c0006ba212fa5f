"""A run on disk: settings, one event per line, one model per round. Readable while the run goes on; a kill loses at
most the round in progress."""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firekeras.atomic import save_model, whole_file, write_text
from firekeras.paths import as_path
from firekeras.rounds.lines import plain
from firekeras.version import __version__

if TYPE_CHECKING:
    import keras

    from firekeras.scores.profile import FireProfile

FORMAT = 2
SETTINGS, EVENTS, BEST, PROFILE, STOP = "run.json", "events.jsonl", "best.keras", "profile.fire.h5", "stop"
HALF_WRITTEN = re.compile(r"\.\d+\..+")
OURS = re.compile(r"(?:round|profile)-(\d{3,})\.(?:keras|fire\.h5)")


class RunDirectory:
    """The folder of one run.

    A round is finished once its event is written; files of later rounds were left behind by a killed process.

    Args:
        path: The folder.
        settings: The contents of `run.json`.

    Example:
    >>> from firekeras.rounds.run_directory import RunDirectory
    >>> run = RunDirectory.open("runs/a")
    >>> 0 <= run.rounds()[-1]["accuracy"] <= 1
    True
    """

    def __init__(self, path: str | Path, settings: dict):
        self.path, self.settings = Path(path), settings

    @classmethod
    def create(cls, path: str | Path, settings: Mapping[str, Any], model: keras.Model) -> RunDirectory:
        """Begins a run in a new or empty folder, and creates the folder's parents.

        Args:
            path: The folder.
            settings: The contents of `run.json`.
            model: The model that the run begins with.

        Returns:
            The `RunDirectory`.

        Raises:
            ValueError: If the folder is not empty.
        """
        path = Path(path)
        check_new(path)
        path.mkdir(parents=True, exist_ok=True)
        run = cls(path, {"format": FORMAT, "created": now(), "versions": versions(), **settings})
        run.clean()
        run.save_model(model, 0)
        write_text(path / SETTINGS, json.dumps(plain(run.settings), indent=1))  # from here on there is a run
        return run

    @classmethod
    def open(cls, path: str | Path) -> RunDirectory:
        """Opens a run, whether it is finished, stopped or still running; needs no Keras.

        Args:
            path: The folder.

        Returns:
            The `RunDirectory`.

        Raises:
            ValueError: If there is no run in the folder, or one of another format.
        """
        path = as_path(path)
        if not (path / SETTINGS).is_file():
            raise ValueError(f"{path} is not the folder of a run: it holds no {SETTINGS}.")
        try:
            settings = json.loads((path / SETTINGS).read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path / SETTINGS} is damaged: {error}.") from error
        if not isinstance(settings, dict) or settings.get("format") != FORMAT:
            raise ValueError(f"{path / SETTINGS} is not of a run that this firekeras reads (format {FORMAT}).")
        return cls(path, settings)

    def events(self) -> list[dict]:
        """All events so far, except a last line that is still being written."""
        return [json.loads(line) for line in self._whole_lines().splitlines()]

    def _whole_lines(self) -> str:
        file = self.path / EVENTS
        text = file.read_bytes() if file.exists() else b""
        return text[: text.rfind(b"\n") + 1].decode("utf-8")

    def rounds(self) -> list[dict]:
        """The events of the rounds that are finished."""
        return [event for event in self.events() if event["event"] == "round"]

    def ended(self) -> bool:
        """Whether the run came to its end, rather than being killed."""
        last = [event["event"] for event in self.events() if event["event"] in ("round", "stop", "resume", "cut")]
        return bool(last) and last[-1] == "stop"

    def changed(self) -> dict:
        """The settings that were changed when the run was continued after its end."""
        return {name: value for event in self._continued() for name, value in event["changed"].items()}

    def leg_begins(self) -> int:
        """How many rounds were finished when the run was last continued after its end; 0 if it never was."""
        return next((event["after_round"] for event in reversed(self._continued())), 0)

    def _continued(self):
        return [event for event in self.events() if event["event"] == "resume" and event.get("leg")]

    def append(self, event: dict):
        """Writes an event: a whole line or nothing."""
        line = json.dumps(plain(event), allow_nan=False) + "\n"
        with open(self.path / EVENTS, "ab", buffering=0) as file:
            before = file.tell()
            try:
                _write_all(file, line.encode("utf-8"))
                os.fsync(file.fileno())
            except OSError:
                file.truncate(before)
                raise

    def save_model(self, model: keras.Model, number: int) -> str:
        """Writes the model of a round; returns the file's name."""
        name = f"round-{number:03d}.keras"
        save_model(model, self.path / name)
        return name

    def save_profile(self, profile: FireProfile, number: int) -> str:
        """Writes what a round measured; returns the file's name."""
        name = f"profile-{number:03d}.fire.h5"
        profile.save(self.path / name)
        return name

    def publish(self):
        """Brings `best.keras` and `profile.fire.h5` up to date with the finished rounds."""
        for key, name in (("model", BEST), ("profile", PROFILE)):
            newest = [event[key] for event in self.rounds() if event[key]]
            if newest:
                _copy(self.path / newest[-1], self.path / name)

    def clean(self):
        """Removes what a killed process left behind: half-written files, and files of rounds that never finished."""
        if (self.path / EVENTS).exists():
            os.truncate(self.path / EVENTS, len(self._whole_lines().encode("utf-8")))
        finished = len(self.rounds())
        for file in [file for file in self.path.iterdir() if _is_remains(file, finished)]:
            file.unlink()

    def ask_to_stop(self):
        """Asks the process that executes the run to end after the round in progress."""
        (self.path / STOP).touch()

    def stop_wanted(self) -> bool:
        """Whether the run was asked to end; asking this clears the request."""
        wanted = (self.path / STOP).exists()
        (self.path / STOP).unlink(missing_ok=True)
        return wanted

    def newest_model(self) -> Path:
        """The model of the last accepted round; if there is none, the one that the run began with."""
        names = [event["model"] for event in self.rounds() if event["model"]]
        return self.path / (names[-1] if names else "round-000.keras")

    def newest_profile(self) -> Path | None:
        """The FIRE that was measured last in a finished round."""
        names = [event["profile"] for event in self.rounds() if event["profile"]]
        return self.path / names[-1] if names else None

    def state(self) -> dict:
        """The state of the method after the last finished round."""
        return next((event["state"] for event in reversed(self.rounds())), {})


def check_new(path: Path):
    """Raises `ValueError` if a new run cannot begin in this folder."""
    if path.exists() and not path.is_dir():
        raise ValueError(f"Cannot begin a run in {path}: it is a file. Expected a new or empty folder.")
    if (path / SETTINGS).exists():
        raise ValueError(f"There is already a run in {path}. Continue it (resume=True), or give another folder.")
    if path.is_dir() and not all(_is_remains(file) for file in path.iterdir()):
        raise ValueError(f"Cannot begin a run in {path}: the folder is not empty. Expected a new or empty one.")


def _is_remains(file, finished=-1) -> bool:
    """Whether a killed process left this file behind: half-written, or of a round that never finished."""
    numbered = OURS.fullmatch(file.name)
    return bool(HALF_WRITTEN.fullmatch(file.name) or (numbered and int(numbered[1]) > finished))


def _write_all(file, data):
    """Writes to an unbuffered file, which may accept only a part at a time, as on a disk that is filling up."""
    while data:
        data = data[file.write(data) :]


def _copy(source, target):
    if target.exists() and os.path.samefile(source, target):
        return
    with whole_file(target) as temporary:
        try:
            os.link(source, temporary)
        except OSError:  # not every file system has links
            shutil.copyfile(source, temporary)


def versions() -> dict[str, str]:
    """The versions of the packages that a run was made with."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    import keras

    backend = keras.backend.backend()
    packages = {"firekeras": __version__, "python": platform.python_version(), "keras": keras.__version__}
    try:
        packages[backend] = version(backend)
    except PackageNotFoundError:  # tensorflow-cpu and the like
        packages[backend] = "unknown"
    return packages


def now() -> str:
    """The current time in UTC, as it is written in the files of a run."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
