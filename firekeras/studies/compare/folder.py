"""A comparison on disk: a line of JSON per run, written as the run ends, so a killed comparison can continue."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from firekeras.atomic import is_temporary, naming, save_model, write_text
from firekeras.keras_models.model_file import load_model
from firekeras.paths import read_bytes
from firekeras.rounds.lines import plain
from firekeras.rounds.ownership import LOCK, Ownership
from firekeras.rounds.run_directory import MOST, own_file, versions
from firekeras.strict_json import parse, read
from firekeras.studies.compare.results import Outcome

DESCRIPTION, RESULTS = "comparison.json", "results.jsonl"
FORMAT = 2  # 1: cuts by a ratio, statistics as training left them
LOST = "Restore the file from a copy, or begin another comparison."
MARKS = {"weights": "another model", "validation_data": "other validation data", "test_data": "other test data"}
MEASURED = ("baseline", "baseline_on_validation_data")  # settled on training data, which may come at random
UNSAFE = re.compile(r"[^\w.@-]+")


def check_folder(path: str | Path):
    """Raises `ValueError` unless a folder can keep a comparison, or holds one."""
    path = Path(path)
    if not path.parent.is_dir():
        raise ValueError(f"Cannot keep results in {path}: there is no folder {path.parent}. Create it.")
    if own_file(path / DESCRIPTION).exists():
        return
    if path.exists() and (not path.is_dir() or any(not _is_ours(file) for file in path.iterdir())):
        raise ValueError(f"Cannot keep results in {path}: expected a new or empty folder, or a comparison.")


class ComparisonFolder:
    """The folder that keeps the runs of one comparison, and their final networks.

    Args:
        path: The folder.
        description: What all its runs share.

    Raises:
        ValueError: If the folder holds another comparison, or anything else.
    """

    def __init__(self, path: str | Path, description: dict):
        self.path = Path(path)
        begun = own_file(self.path / DESCRIPTION).exists()
        if not begun:
            self._create()
        self._owned = Ownership(self.path, "comparison")
        try:
            self._continue(plain(description)) if begun else self._begin(description)
        except BaseException:
            self.leave()
            raise
        self._owned.busy = False  # who was interrupted in this process may continue in it

    def leave(self):
        """Lets other processes continue the comparison."""
        self._owned.release()

    def _create(self):
        check_folder(self.path)
        self.path.mkdir(exist_ok=True)

    def _continue(self, description):
        self._check_same(description)
        self._end_last_line()

    def _begin(self, description):
        fields = {"format": FORMAT, "versions": versions(), **plain(description)}
        write_text(self.path / DESCRIPTION, json.dumps(fields, indent=1) + "\n")

    def _check_same(self, description):
        written = self._description()
        marked = any(name in written for name in MARKS)  # older folders know a network by what it reached
        free = MEASURED if marked else MARKS
        for name, value in {"format": FORMAT, **description}.items():
            if name in free or written.get(name) == value:
                continue
            other = MARKS.get(name) or f"{name}={written.get(name)!r}. Received: {value!r}"
            raise ValueError(
                f"The comparison in {self.path} was begun with {other}. Only methods, seeds and shares may be added to "
                "it. Continue with the same conditions, or give another folder."
            )

    def _description(self):
        return read(self.path / DESCRIPTION, dict[str, Any], "the description of a comparison", LOST)

    @property
    def baseline(self) -> float:
        """What the network that all runs begin with reached on the test data when the comparison was begun."""
        value = self._description().get("baseline")
        if not isinstance(value, (int, float)):
            raise ValueError(f"{self.path / DESCRIPTION} has no baseline. {LOST}")
        return value

    def _end_last_line(self):
        """Removes half a last line, left by a process that was killed while it wrote."""
        file = own_file(self.path / RESULTS)
        text = read_bytes(file, MOST) if file.exists() else b""
        if not text.endswith(b"\n") and text:
            os.truncate(file, text.rfind(b"\n") + 1)

    def outcomes(self) -> list[Outcome]:
        """All runs that have ended.

        Raises:
            ValueError: If a line is damaged; says which.
        """
        file = own_file(self.path / RESULTS)
        lines = read_bytes(file, MOST).split(b"\n")[:-1] if file.exists() else []
        return [_outcome(line, f"{file}, line {number},") for number, line in enumerate(lines, 1)]

    def add(self, outcome: Outcome, network):
        """Writes a run: first its network, then the line that makes it count."""
        save_model(network, self._network_of(*outcome.key))
        with naming(self.path / RESULTS), open(self.path / RESULTS, "ab") as file:
            file.write((json.dumps(plain(vars(outcome)), allow_nan=False) + "\n").encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())

    def network(self, method, share, seed):
        """The final network of a run."""
        return load_model(self._network_of(method, share, seed))

    def _network_of(self, method, share, seed):
        return self.path / f"{UNSAFE.sub('_', method.replace(':', '@'))}-{share:g}-{seed}.keras"


def _is_ours(file):
    """Whether a process that was killed before its comparison began has left this file behind."""
    return file.name == LOCK or is_temporary(file)


def _outcome(line, where):
    what = "a result of a comparison"
    try:
        return Outcome.of(parse(line, dict[str, Any], where, what, LOST))
    except TypeError as error:  # a field that there is not, or one too few
        raise ValueError(f"{where} is not {what}: {error}. {LOST}") from error
