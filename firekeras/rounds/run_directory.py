"""A run on disk: settings, one event per line, one model per round. Readable while the run goes on; a kill loses at
most the round in progress."""

from __future__ import annotations

import contextlib
import datetime
import errno
import filecmp
import json
import os
import re
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firekeras.atomic import is_temporary, naming, save_model, whole_file, write_text
from firekeras.paths import as_path, read_bytes
from firekeras.rounds.lines import plain
from firekeras.rounds.ownership import LOCK, is_free
from firekeras.rounds.schema import FORMAT, LOST, Changed, beside_name, event_of, model_name, profile_name, settings_of
from firekeras.strict_json import parse
from firekeras.version import __version__

if TYPE_CHECKING:
    import keras

    from firekeras.scores.profile import FireProfile

SETTINGS, EVENTS, BEST, PROFILE, STOP = "run.json", "events.jsonl", "best.keras", "profile.fire.h5", "stop"
OURS = re.compile(r"round-(\d{3,})\.keras|profile-(\d{3,})\.fire\.h5")
MOST = 1 << 27  # bytes of a file of text: a thousand rounds of the largest networks need less
PLACES = ("output", "tensorboard")  # options that say where a run writes outside of its folder
UNTOUCHED = "Nothing was changed or deleted."


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
        self._length: int | None = None  # of the file of events, once this process writes to it

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
        run._length = 0
        run._remove_temporary()
        run.save_model(model, 0)
        write_text(path / EVENTS, "")
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
            ValueError: If there is no run in the folder, it is damaged, or one of another format.
        """
        path = as_path(path)
        if not os.path.lexists(path / SETTINGS):
            raise ValueError(f"{path} is not the folder of a run: {_why_no_run(path)}")
        for name in (EVENTS, BEST, PROFILE, model_name(0)):
            own_file(path / name)
        file = own_file(path / SETTINGS)
        return cls(path, settings_of(read_bytes(file, MOST), file))

    def events(self) -> list[dict]:
        """All events so far, except for half a last line, which is still being written.

        Raises:
            ValueError: If a line is not an event; says which.
        """
        *lines, last = self._text().split(b"\n")
        lines += [last] if _is_whole(last) else []
        return [event_of(line, self.path / EVENTS, number) for number, line in enumerate(lines, 1) if line.strip()]

    def _text(self) -> bytes:
        file = self.file(EVENTS)
        return read_bytes(file, MOST) if file else b""

    def rounds(self) -> list[dict]:
        """The events of the rounds that are finished."""
        return [event for event in self.events() if event["event"] == "round"]

    def ended(self) -> bool:
        """Whether the run came to its end, rather than being killed."""
        last = [event["event"] for event in self.events() if event["event"] in ("round", "stop", "resume", "cut")]
        return bool(last) and last[-1] == "stop"

    def ending(self) -> str:
        """How the run ended; empty if it goes on, or if no lock can say that it was killed."""
        last = next(iter(reversed(self.events())), {"event": ""})
        ends = {"stop": "finished", "interrupted": "interrupted", "error": "an error"}
        return ends.get(last["event"]) or ("killed" if is_free(self.path) else "")

    def changed(self) -> dict:
        """The settings that were changed when the run was continued after its end."""
        changed = [event.get("changed", {}) for event in self._continued()]
        return {name: value for one in changed for name, value in one.items() if name in Changed.__annotations__}

    def leg_begins(self) -> int:
        """How many rounds were finished when the run was last continued after its end; 0 if it never was."""
        return next((event.get("after_round", 0) for event in reversed(self._continued())), 0)

    def _continued(self):
        return [event for event in self.events() if event["event"] == "resume" and event.get("leg")]

    def append(self, event: dict):
        """Writes an event: a whole line or nothing.

        Raises:
            ValueError: If another process has written to the file meanwhile.
        """
        line = json.dumps(plain(event), allow_nan=False) + "\n"
        with naming(self.path / EVENTS), _opened_to_append(self.path / EVENTS) as file:
            before = os.fstat(file.fileno()).st_size
            self._check_length(before)
            try:
                _write_all(file, line.encode("utf-8"))
                os.fsync(file.fileno())
            except OSError:
                file.truncate(before)
                raise
            self._length = os.fstat(file.fileno()).st_size

    def check_alone(self):
        """Refuses to go on where others have written meanwhile: file systems may have no locks, people no patience.

        Raises:
            ValueError: If they have.
        """
        file = self.file(EVENTS)
        self._check_length(file.stat().st_size if file else 0)

    def _check_length(self, length):
        if self._length is not None and length != self._length:
            raise ValueError(
                f"Others have changed {self.path / EVENTS} while the run was going on here. It ends here: its finished "
                "rounds are on record. Continue it (resume=True) once nobody else is at work on it."
            )

    def save_model(self, model: keras.Model, number: int) -> str:
        """Writes the model of a round; returns the file's name."""
        name = model_name(number)
        save_model(model, self.path / name)
        return name

    def save_profile(self, profile: FireProfile, number: int) -> str:
        """Writes what a round measured; returns the file's name."""
        name = profile_name(number)
        profile.save(self.path / name)
        return name

    def save_beside(self, profile: FireProfile, number: int):
        """Writes FIRE of the model of a round beside it."""
        profile.save(own_file(self.path / beside_name(number)))

    def publish(self):
        """Brings `best.keras` and `profile.fire.h5` up to date with the finished rounds."""
        for key, name in (("model", BEST), ("profile", PROFILE)):
            newest = [event[key] for event in self.rounds() if event.get(key)]
            if newest:
                _copy(self.existing(newest[-1]), self.path / name)

    def check_whole(self):
        """Checks, and changes nothing, that all finished rounds are on record and what a continued run needs is there.

        Raises:
            ValueError: If a line or a file is missing, is there twice, or is another one's.
        """
        if not os.path.lexists(self.path / EVENTS):
            raise ValueError(
                f"{self.path} has lost {EVENTS}, so which of its rounds count is unknown. {UNTOUCHED} {LOST}"
            )
        numbers = [event["number"] for event in self.rounds()]
        if numbers != list(range(1, len(numbers) + 1)):
            raise ValueError(
                f"{self.path / EVENTS} has lines of the rounds {numbers}. Expected each round from 1 on, once and in "
                f"order: lines were lost, or two processes have written them. {UNTOUCHED} {LOST}"
            )
        self._check_no_later_round(len(numbers))
        self._check_files()

    def _check_no_later_round(self, finished):
        """Only the round in progress may have left files without a line that counts them."""
        later = sorted(file.name for file in self.path.iterdir() if _number(file) > finished + 1)
        if self._is_best(model_name(finished + 1)):
            later.append(model_name(finished + 1))
        begun = [event["number"] for event in self.events() if event["event"] in ("cut", "epoch")]
        begun = [number for number in begun if number > finished + 1]
        if later or begun:
            raise ValueError(
                f"{self.path} has {', '.join(later) or f'events of round {max(begun)}'}, but {EVENTS} ends with round "
                f"{finished}: lines were lost. {UNTOUCHED} {LOST}"
            )

    def _is_best(self, name):
        """Whether the model of a round is `best.keras`, so that the round was finished: the same file, or a copy."""
        file, best = self.file(name), self.file(BEST)
        if file is None or best is None:
            return False
        return os.path.samefile(file, best) or (best.stat().st_nlink == 1 and filecmp.cmp(file, best, shallow=False))

    def _check_files(self):
        for event in self.rounds():
            if event["accepted"] and not event.get("model"):
                raise ValueError(
                    f"{self.path / EVENTS}: round {event['number']} was kept, but its line names no model. {UNTOUCHED} "
                    f"{LOST}"
                )
        for file in (self.newest_model(), self.path / model_name(0), self.newest_profile()):
            if file is not None:
                self.existing(file.name)

    def file(self, name: str) -> Path | None:
        """The path of a file in the folder; None if there is none.

        Raises:
            ValueError: If it is a link, which may lead anywhere, or no ordinary file.
        """
        file = own_file(self.path / name)
        return file if file.exists() else None

    def existing(self, name: str) -> Path:
        """The path of a file that the run cannot be continued without.

        Raises:
            ValueError: If it is missing, a link, or no ordinary file.
        """
        file = self.file(name)
        if file is None:
            raise ValueError(
                f"{self.path / name} is missing, and the run cannot be continued without it. {UNTOUCHED} {LOST}"
            )
        return file

    def clean(self):
        """Removes what a killed process left behind: half-written files, and those of the round in progress.

        Raises:
            ValueError: If that cannot be told from finished work; nothing is removed then.
        """
        self.check_whole()
        self._end_last_line()
        self._remove_temporary()
        self.stop_wanted()  # asked of the process that was killed
        for name in _files_of(len(self.rounds()) + 1):
            (self.path / name).unlink(missing_ok=True)

    def _end_last_line(self):
        """Ends a last line that is whole, and removes one that is not."""
        text = self._text()
        last = text[text.rfind(b"\n") + 1 :]
        with naming(self.path / EVENTS), _opened_to_append(self.path / EVENTS) as file:
            if _is_whole(last):
                _write_all(file, b"\n")
            else:
                file.truncate(len(text) - len(last))
            self._length = os.fstat(file.fileno()).st_size

    def _remove_temporary(self):
        for file in [file for file in self.path.iterdir() if is_temporary(file)]:
            file.unlink()

    def ask_to_stop(self):
        """Asks the process that executes the run to end after the round in progress."""
        with naming(self.path / STOP), _opened_to_append(self.path / STOP):
            pass

    def stop_wanted(self) -> bool:
        """Whether the run was asked to end; asking this clears the request."""
        wanted = (self.path / STOP).exists()
        (self.path / STOP).unlink(missing_ok=True)
        return wanted

    def newest_model(self) -> Path:
        """The model of the last accepted round; if there is none, the one that the run began with."""
        names = [event["model"] for event in self.rounds() if event.get("model")]
        return self.path / (names[-1] if names else model_name(0))

    def newest_profile(self) -> Path | None:
        """The FIRE that was measured last in a finished round."""
        names = [event["profile"] for event in self.rounds() if event.get("profile")]
        return self.path / names[-1] if names else None

    def state(self) -> dict:
        """The state of the method after the last finished round."""
        return next((event.get("state", {}) for event in reversed(self.rounds())), {})


def places_outside(source: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """Where a run writes outside of its folder, by option, if it does not lie where it was begun; else none.

    A run that lies there is its user's own, and its results go where they always went. One that was moved may have
    come from anybody, and the places that its file names may hold anything.

    Args:
        source: The options that it was begun with.
        folder: Where it is now.
    """
    begun = source.get("run_dir")
    if isinstance(begun, str) and _is_place(begun, folder):
        return {}
    return {name: str(source[name]) for name in PLACES if source.get(name)}


def _is_place(begun: str, folder: Path) -> bool:
    """Whether a run was begun in a folder: a place that every process sees alike, unlike /proc/self/cwd."""
    alike = os.path.isabs(begun) and not begun.startswith(("/proc/", "/dev/"))
    return alike and Path(begun).resolve() == folder.resolve()


def check_new(path: Path):
    """Raises `ValueError` if a new run cannot begin in this folder."""
    if path.exists() and not path.is_dir():
        raise ValueError(f"Cannot begin a run in {path}: it is a file. Expected a new or empty folder.")
    if os.path.lexists(path / SETTINGS):
        raise ValueError(f"There is already a run in {path}. Continue it (resume=True), or give another folder.")
    if path.is_dir() and not all(_is_of_no_run(file) for file in path.iterdir()):
        raise ValueError(f"Cannot begin a run in {path}: the folder is not empty. Expected a new or empty one.")


def _is_of_no_run(file) -> bool:
    """Whether a file is of a process that was killed before its run had begun."""
    if file.name == EVENTS:
        return not file.lstat().st_size
    return file.name in (LOCK, model_name(0)) or is_temporary(file)


def is_of_run(file: Path) -> bool:
    """Whether a run names one of its files so."""
    return file.name in (SETTINGS, EVENTS, BEST, PROFILE, STOP, LOCK) or _number(file) >= 0


def own_file(path: Path) -> Path:
    """A path inside a run directory, there or not.

    Raises:
        ValueError: If it is a link, which may lead anywhere, or no ordinary file.
    """
    with contextlib.suppress(FileNotFoundError):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            raise ValueError(f"{path} is a link, which the files of a run never are. Put the file itself there.")
        if not stat.S_ISREG(mode):
            raise ValueError(f"{path} is not an ordinary file. {LOST}")
    return path


def _number(file) -> int:
    """The number of the round whose file this is; -1 for other files."""
    numbered = OURS.fullmatch(file.name)
    return int(numbered[1] or numbered[2]) if numbered else -1


def _files_of(number) -> tuple[str, str]:
    return model_name(number), profile_name(number)


def _is_whole(line):
    """Whether a line is a whole event that lacks only its end."""
    try:
        parse(line, dict[str, Any], "", "")
    except ValueError:
        return False
    return True


def _opened_to_append(path):
    """Opens a file of a run, unbuffered, creating it if needed; links are not followed, pipes not waited for."""
    own_file(path)
    safe = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        return open(path, "ab", buffering=0, opener=lambda name, flags: os.open(name, flags | safe, 0o644))
    except OSError as error:
        if error.errno == errno.ELOOP:
            own_file(path)
        raise


def _write_all(file, data):
    """Writes to an unbuffered file, which may accept only a part at a time, as on a disk that is filling up."""
    while data:
        data = data[file.write(data) :]


def _copy(source, target):
    if own_file(target).exists() and os.path.samefile(source, target):
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


def _why_no_run(path):
    """Why there is no run in a folder, and what to do."""
    if not path.is_dir():
        return "there is no such folder."
    if not os.path.lexists(path / LOCK):
        return f"it holds no {SETTINGS}."
    if is_free(path):
        return "the run was killed before its baseline was measured, so there is nothing to resume. Begin it again."
    return "the run has just begun, and is still measuring its baseline. Wait for it."
