"""Arguments, checked before Keras is imported, which takes ten seconds; each raises `ValueError`."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import typer

from firekeras.cli.words import option
from firekeras.refusals import check_number, check_share, checked_whole, percent_hint, unknown

CONTROLS = ("scratch", "unpruned")  # of a comparison
MODES = ("learned", "measured")  # of the method "fire"
SEEDS = 2**32 - 1  # the largest that NumPy takes


def check_data(source: str, *names: str, labels: bool = True):
    """Checks that data can be looked for at a source: a name, also one of `names`, a folder or an .npz file.

    Args:
        source: The source.
        *names: Names that are no data.
        labels: Whether labels are needed. Defaults to True.
    """
    if source not in names:
        from firekeras.datasets.loading import check_source

        check_source(source, labels=labels)


def check_method(name: str, *others: str):
    """Checks the name of a method or criterion, or one of `others`."""
    from firekeras.discovery import registered

    known = [*registered("methods", "register"), *registered("scores/criteria", "criterion"), *others]
    if name not in known:
        raise unknown("method", name, list(dict.fromkeys(known)))


def check_criterion(name: str, *, data: bool):
    """Checks the name of a criterion, and that it can be used without data if there are none."""
    from firekeras.discovery import registered

    known = registered("scores/criteria", "criterion")
    if name not in known:
        raise unknown("criterion", name, known)
    if name == "fire" and not data:
        raise ValueError("The criterion 'fire' needs data: run firekeras measure first, then give --scores X.fire.h5.")
    if known[name].get("needs") == "data" and not data:
        raise ValueError(
            f"The criterion {name!r} is measured on data, and prune takes none: rank by it with firekeras compress "
            f"MODEL.keras --data SOURCE --method {name}."
        )


def check_target(name: str, share: float | None):
    """Checks the share of a cost that is to be left."""
    if share is not None:
        check_share(option(name), share, "the share that is left", above=0)


def parsed_targets(given: Mapping[str, str | None]) -> dict[str, float | str | None]:
    """Targets as the command line has them: shares as numbers, amounts as text, None for those that are not given.

    Raises:
        ValueError: If one is neither.
    """
    return {name: None if text is None else _parsed_target(name, text) for name, text in given.items()}


def _parsed_target(name, text):
    from firekeras.plan.goals import is_amount, unit_of

    if is_amount(text, unit_of(name)):
        return text
    try:
        share = float(text)
    except ValueError:
        amount = "a time, such as 2ms" if unit_of(name) == "s" else "an amount, such as 256kB or 1.5M"
        raise ValueError(
            f"{option(name)} must be a share above 0, up to 1, or {amount}. Received: {text!r}.{percent_hint(text)}"
        ) from None
    check_target(name, share)
    return share


def chosen_target(options: Mapping[str, Any], names: Iterable[str]) -> dict[str, float | str] | None:
    """The targets among the options, by the names of the options that are targets; None if there are none."""
    return {name: options[name] for name in names if options.get(name) is not None} or None


NO_TABLE = "--latency needs --latency-table TABLE.json. Write one on the device: firekeras latency MODEL.keras."


def latency_table(path: Path | None):
    """The latency table in a file, if there is one; needs no Keras."""
    if path is None:
        return None
    from firekeras.channels.latency_table import LatencyTable

    return LatencyTable.load(path)


def check_held_out(share: float):
    """Checks the share of the training images that is held out."""
    check_share("--validation-share", share, "the share of the training images to hold out", above=0, below=1)


def check_seed(seed: int):
    """Checks a seed."""
    checked_whole("--seed", seed, 0, most=SEEDS)


def check_rate(rate: float | None, name: str = "learning_rate"):
    """Checks a learning rate."""
    if rate is not None:
        check_number(option(name), rate, above=0)


def check_tolerance(tolerance: float) -> float:
    """The tolerance of an accuracy, after asking about one that keeps almost everything: 1 is 100 points.

    Raises:
        ValueError: If nobody can be asked, or the answer is no.
    """
    from firekeras.rounds.monitor import KEEPS_ALL, rounds_kept

    check_number("--tolerance", tolerance, "how far the metric may fall (0.01 is one point)", least=0, most=math.inf)
    if not KEEPS_ALL <= tolerance < math.inf:
        return tolerance
    points = tolerance / 100
    meant = f"{tolerance:g} point{'s' * (tolerance != 1)}"
    if tolerance <= 100 and _can_ask() and typer.confirm(f"--tolerance {tolerance:g}: do you mean {meant}?", err=True):
        return points
    raise ValueError(
        f"--tolerance {tolerance:g} would keep {rounds_kept(tolerance)}, however bad. For {meant} give --tolerance "
        f"{points:g}; to keep every round, --tolerance inf."
    )


def _can_ask():
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def check_limits(*, ratio: float = 0.1, round_to: int, min_keep: float, balance: float, max_cut: float = 0.5):
    """Checks the limits of a cut."""
    from firekeras.plan import planning

    checked_whole(option("round_to"), round_to, 1)
    planning.check_limits(ratio, min_keep)
    planning.check_spread(balance, max_cut)


def check_settings(**settings):
    """Checks the settings of a run, as `firekeras.compress` takes them."""
    from firekeras.rounds.settings import RunSettings

    RunSettings(**settings).checked()


def check_new_run(path: Path):
    """Checks that a run can begin in a folder."""
    from firekeras.rounds.run_directory import check_new

    check_new(path)
    check_folder(path, "run_dir")


def check_folder(path: Path, name: str):
    """Checks that files can be written into a folder that need not exist yet."""
    if path.exists() and not path.is_dir():
        raise ValueError(f"{option(name)} {path} is a file. Expected a folder.")
    above = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    if not os.access(above, os.W_OK):
        raise ValueError(f"{option(name)} {path} cannot be written: there is no permission to write to {above}.")
