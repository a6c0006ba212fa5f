"""What a run that is continued takes from its `run.json`, which may be a stranger's."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from firekeras.cli.targets import COSTS, LATENCIES
from firekeras.rounds.run_directory import places_outside
from firekeras.strict_json import convert


def options_in(source: Mapping[str, Any], command: Callable, file: Path) -> dict[str, Any]:
    """The options that a run was begun with, each of the type that the command takes; null stands for infinity.

    Args:
        source: The options, from `run.json`.
        command: The command, whose signature says what its options are.
        file: `run.json`, for errors.

    Raises:
        ValueError: If one is unknown, or of another type.
    """
    hints = typing.get_type_hints(command)
    known = {name: hints[name] for name in inspect.signature(command).parameters}
    for name in source:
        if name not in known:
            raise ValueError(f"{file} has an option {name!r}, which compress does not take: begin a new run.")
        kind: Any = str if known[name] in (Path, Path | None) else known[name]
        kind = float | str if name in (*COSTS, *LATENCIES) else kind
        what = f"what --{name.replace('_', '-')} takes"
        convert(source[name], kind | None, f"{file}: source.{name}", what, "Begin a new run.")
    return dict(source)


def check_place(source: Mapping[str, Any], folder: Path, chosen: Collection[str]):
    """Raises `ValueError` if a run would write to places that its user may not know of, since it was moved.

    Args:
        source: The options that it was begun with.
        folder: Where it is now.
        chosen: The options beside `--resume`.
    """
    asked = {name: place for name, place in places_outside(source, folder).items() if name not in chosen}
    if asked:
        places = " and ".join(f"--{name} {place}" for name, place in asked.items())
        raise ValueError(
            f"The run in {folder} was begun in {source.get('run_dir')}, and would write outside of its folder: "
            f"{places}. If it is yours, give these options again, or others."
        )
