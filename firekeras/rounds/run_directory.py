"""A run on disk: settings, one event per line, a model per round. Readable while it runs; a kill loses one round."""

from __future__ import annotations

import datetime
import json
import math
import os
import re
import shutil
from pathlib import Path

from firekeras.atomic import save_model, whole_file, write_text
from firekeras.paths import as_path
from firekeras.version import __version__

FORMAT = 2
SETTINGS, EVENTS, BEST, PROFILE, STOP = "run.json", "events.jsonl", "best.keras", "profile.fire.h5", "stop"
HALF_WRITTEN = re.compile(r"\.\d+\..+")
OURS = re.compile(r"(?:round|profile)-(\d{3,})\.(?:keras|fire\.h5)")


class RunDirectory:
    """The folder of one run.

    A round is finished once its event is written: files that belong to later rounds are remains of
    a killed process.

    Args:
        path: The folder.

    Attributes:
        settings: What `run.json` says.

    Example:
    >>> from firekeras.rounds.run_directory import RunDirectory
    >>> run = RunDirectory.open("runs/a")
    >>> 0 <= run.rounds()[-1]["accuracy"] <= 1
    True
    """

    def __init__(self, path, settings):
        self.path, self.settings = Path(path), settings

    @classmethod
    def create(cls, path, settings, model) -> RunDirectory:
        """Begins a run in a new or empty folder; makes its parents.

        Args:
            path: The folder.
            settings: What `run.json` shall say.
            model: The model that the run begins with.

        Raises:
            ValueError: If there is something in the folder already.
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
    def open(cls, path) -> RunDirectory:
        """Opens a run, finished, stopped or running; needs no Keras.

        Raises:
            ValueError: If there is no run in the folder, or of another version.
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
        """All events so far; a last line that is still being written is left out."""
        return [json.loads(line) for line in self._whole_lines().splitlines()]

    def _whole_lines(self) -> str:
        file = self.path / EVENTS
        text = file.read_bytes() if file.exists() else b""
        return text[: text.rfind(b"\n") + 1].decode("utf-8")

    def rounds(self) -> list[dict]:
        """The events of the rounds that are finished."""
        return [event for event in self.events() if event["event"] == "round"]

    def ended(self) -> bool:
        """Whether the run came to its end: it was not killed."""
        last = [event["event"] for event in self.events() if event["event"] in ("round", "stop", "resume", "cut")]
        return bool(last) and last[-1] == "stop"

    def changed(self) -> dict:
        """The settings that the run got when it was continued after its end."""
        return {name: value for event in self._continued() for name, value in event["changed"].items()}

    def leg_begins(self) -> int:
        """How many rounds were finished when the run began, or was continued after its end."""
        return next((event["after_round"] for event in reversed(self._continued())), 0)

    def _continued(self):
        return [event for event in self.events() if event["event"] == "resume" and event.get("leg")]

    def append(self, event: dict):
        """Writes an event: a whole line, or none."""
        line = json.dumps(plain(event), allow_nan=False) + "\n"
        with open(self.path / EVENTS, "ab", buffering=0) as file:
            before = file.tell()
            try:
                _write_all(file, line.encode("utf-8"))
                os.fsync(file.fileno())
            except OSError:
                file.truncate(before)
                raise

    def save_model(self, model, number) -> str:
        """Writes the model of a round; returns the file's name."""
        name = f"round-{number:03d}.keras"
        save_model(model, self.path / name)
        return name

    def save_profile(self, profile, number) -> str:
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
        """Removes what a killed process left: half-written files, and files of rounds that never finished."""
        if (self.path / EVENTS).exists():
            os.truncate(self.path / EVENTS, len(self._whole_lines().encode("utf-8")))
        finished = len(self.rounds())
        for file in [file for file in self.path.iterdir() if _is_remains(file, finished)]:
            file.unlink()

    def ask_to_stop(self):
        """Has the process that runs it end after the round in progress."""
        (self.path / STOP).touch()

    def stop_wanted(self) -> bool:
        """Whether somebody asked for that; the answer is given once."""
        wanted = (self.path / STOP).exists()
        (self.path / STOP).unlink(missing_ok=True)
        return wanted

    def newest_model(self) -> Path:
        """The model of the last accepted round; without any, the one that the run began with."""
        names = [event["model"] for event in self.rounds() if event["model"]]
        return self.path / (names[-1] if names else "round-000.keras")

    def newest_profile(self) -> Path | None:
        """The FIRE that was measured last in a finished round."""
        names = [event["profile"] for event in self.rounds() if event["profile"]]
        return self.path / names[-1] if names else None

    def state(self) -> dict:
        """What the method remembered after the last finished round."""
        return next((event["state"] for event in reversed(self.rounds())), {})


def check_new(path: Path):
    """Raises `ValueError` where a new run cannot be put."""
    if path.exists() and not path.is_dir():
        raise ValueError(f"Cannot begin a run in {path}: it is a file. Expected a new or empty folder.")
    if (path / SETTINGS).exists():
        raise ValueError(f"There is a run in {path} already. Go on with it (resume=True), or give another folder.")
    if path.is_dir() and not all(_is_remains(file) for file in path.iterdir()):
        raise ValueError(f"Cannot begin a run in {path}: the folder is not empty. Expected a new or empty one.")


def _is_remains(file, finished=-1) -> bool:
    """Whether a killed process left the file: half-written, or of a round that never finished."""
    numbered = OURS.fullmatch(file.name)
    return bool(HALF_WRITTEN.fullmatch(file.name) or (numbered and int(numbered[1]) > finished))


def _write_all(file, data):
    """Writes to an unbuffered file, which may take a part at a time: of a full disk the first part, and then fail."""
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


def plain(value):
    """Settings and records as JSON has them: NaN becomes null, what JSON does not know its description."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return getattr(value, "__qualname__", str(value) if isinstance(value, Path) else type(value).__qualname__)


def versions() -> dict[str, str]:
    """What a run was made with."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    import keras

    backend = keras.backend.backend()
    found = {"firekeras": __version__, "python": platform.python_version(), "keras": keras.__version__}
    try:
        found[backend] = version(backend)
    except PackageNotFoundError:  # tensorflow-cpu and the like
        found[backend] = "unknown"
    return found


def now() -> str:
    """The time, as files of a run have it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
