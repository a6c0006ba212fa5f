"""A comparison on disk: a line of JSON per run, written as the run ends, so a killed comparison can continue."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from firekeras.atomic import save_model, write_text
from firekeras.keras_models.model_file import load_model
from firekeras.rounds.lines import plain
from firekeras.rounds.run_directory import versions
from firekeras.studies.compare.results import Outcome

DESCRIPTION, RESULTS = "comparison.json", "results.jsonl"
FORMAT = 2  # 1: cuts by a ratio, statistics as training left them
UNSAFE = re.compile(r"[^\w.-]+")


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
        if (self.path / DESCRIPTION).is_file():
            self._check_same(plain(description))
            self._cut_off_half_a_line()
        else:
            self._begin(description)

    def _begin(self, description):
        if not self.path.parent.is_dir():
            raise ValueError(f"Cannot keep results in {self.path}: there is no folder {self.path.parent}. Create it.")
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise ValueError(f"Cannot keep results in {self.path}: expected a new or empty folder, or a comparison.")
        self.path.mkdir(exist_ok=True)
        fields = {"format": FORMAT, "versions": versions(), **plain(description)}
        write_text(self.path / DESCRIPTION, json.dumps(fields, indent=1) + "\n")

    def _check_same(self, description):
        written = json.loads((self.path / DESCRIPTION).read_text(encoding="utf-8"))
        for name, value in {"format": FORMAT, **description}.items():
            if written.get(name) != value:
                raise ValueError(
                    f"The comparison in {self.path} was begun with {name}={written.get(name)!r}. Received: {value!r}. "
                    "Only methods, seeds and shares may be added to it. Continue with the same conditions, or give "
                    "another folder."
                )

    def _cut_off_half_a_line(self):
        """Removes an unfinished last line, left by a process that was killed while it wrote."""
        file = self.path / RESULTS
        text = file.read_bytes() if file.exists() else b""
        if not text.endswith(b"\n") and text:
            os.truncate(file, text.rfind(b"\n") + 1)

    def outcomes(self) -> list[Outcome]:
        """All runs that have ended."""
        file = self.path / RESULTS
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        return [Outcome.of(json.loads(line)) for line in lines]

    def add(self, outcome: Outcome, network):
        """Writes a run: first its network, then the line that makes it count."""
        save_model(network, self._network_of(*outcome.key))
        with open(self.path / RESULTS, "ab") as file:
            file.write((json.dumps(plain(vars(outcome)), allow_nan=False) + "\n").encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())

    def network(self, method, share, seed):
        """The final network of a run."""
        return load_model(self._network_of(method, share, seed))

    def _network_of(self, method, share, seed):
        return self.path / f"{UNSAFE.sub('_', method)}-{share:g}-{seed}.keras"
