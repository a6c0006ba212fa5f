"""The command lines that the inspector runs, or that a person can copy."""

from __future__ import annotations

import dataclasses
import math
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from firekeras.plan.goals import Value
from firekeras.rounds.monitor import KEEPS_ALL
from inspector.state import Choices, Data, criteria, data_sources


@dataclasses.dataclass(frozen=True)
class MeasureOptions:
    """The options of measuring FIRE; `fraction` is a share or `"auto"`."""

    data: Data
    fraction: str = "0.2"
    neuron_maps: bool = True
    batch_size: int = 64


@dataclasses.dataclass(frozen=True)
class JudgingData:
    """The data that cuts are judged on, and at most how many images."""

    data: Data
    images: int = 1000


@dataclasses.dataclass(frozen=True)
class ExportOptions:
    """The options of an export.

    Args:
        to: The name of the format.
        output: The file, or the folder.
        data: For int8: images to calibrate the ranges of values on; none for floats.
        int8_inputs: Whether inputs and outputs are int8 too.
    """

    to: str
    output: Path
    data: Data = data_sources.NO_DATA
    int8_inputs: bool = False


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """The options of a run.

    Args:
        data: Images with labels.
        run_dir: A new folder.
        output: The file of the smaller model.
        tolerance: How far accuracy may fall, in absolute points.
        target: A share or an amount of each of some costs, such as `{"conv_macs": 0.5}`; none if the tolerance decides.
        epochs: Epochs of training, in total.
        learning_rate: The initial learning rate; 0 for the one that the model was compiled with.
        batch_size: The batch size of training.
        limit: Images at most; 0 for all.
        distill: Whether training also follows the outputs of the first model; None if the run decides.
        method: The name of a criterion or method to rank by, such as "fire" for FIRE alone; empty for what `compress`
            does by default, FIRE with l1 norms and contributions.
        table: The file of the latency table, for a target in `"latency"`.
    """

    data: Data
    run_dir: Path
    output: Path
    tolerance: float = 0.01
    target: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    epochs: int = 20
    learning_rate: float = 0.0
    batch_size: int = 64
    limit: int = 0
    distill: bool | None = None
    method: str = ""
    table: Path | None = None


def measure_arguments(model, output, options: MeasureOptions) -> list[str]:
    """`firekeras measure`."""
    maps = ["--neuron-maps"] if options.neuron_maps else []
    flags = {"--fraction": options.fraction, "--batch-size": options.batch_size}
    return ["measure", str(model), *options.data.options, *_flat(flags), *maps, "--output", str(output), "--events"]


def prune_arguments(model, ranking: dict, choices: Choices, output, table: Path | None = None) -> list[str]:
    """`firekeras prune`; the ranking is an option: `{"--scores": FILE}` or `{"--criterion": NAME}`."""
    size = _target(choices.goal.target, table) if choices.goal else {"--ratio": _number(choices.ratio)}
    flags = {**ranking, **size}
    return ["prune", str(model), *_flat(flags), *_limits(choices), "--output", str(output)]


def prune_by_plan_arguments(model, plan, output) -> list[str]:
    """`firekeras prune`, by a plan in a file."""
    return ["prune", str(model), "--plan", str(plan), "--output", str(output)]


def report_arguments(files, in_litert) -> list[str]:
    """`firekeras report`, with its events: latency of one image, of all files in turns."""
    return ["report", *map(str, files), "--runs", "30", "--events", *(["--litert"] if in_litert else [])]


def table_arguments(model, output, in_litert) -> list[str]:
    """`firekeras latency`, with its events: how long layers take on this computer."""
    runtime = [] if in_litert else ["--runtime", "keras"]
    return ["latency", str(model), "--output", str(output), "--events", *runtime]


def export_arguments(model, options: ExportOptions) -> list[str]:
    """`firekeras export`."""
    inputs = ["--int8-inputs"] if options.int8_inputs else []
    int8 = ["--int8", *inputs, *options.data.options] if options.data.source else []
    return ["export", str(model), "--to", options.to, *int8, "--output", str(options.output)]


def sensitivity_arguments(model, output, data: JudgingData, criterion: str) -> list[str]:
    """`firekeras sensitivity`, with its events."""
    flags = {"--images": data.images, "--criterion": criterion}
    return ["sensitivity", str(model), *data.data.options, *_flat(flags), "--output", str(output), "--events"]


def check_arguments(model) -> list[str]:
    """Loads a model and follows its channels, which fails if the model cannot be loaded again."""
    return ["channels", str(model)]


def convert_arguments(old, new) -> list[str]:
    """`firekeras convert`: a model of Keras 2 to a `.keras` file."""
    return ["convert", str(old), str(new)]


def compress_arguments(model, choices: Choices, options: RunOptions) -> list[str]:
    """`firekeras compress`, with its events."""
    asks = options.tolerance >= KEEPS_ALL  # the command line, and here nobody can answer
    flags = {
        "--tolerance": _number(math.inf if asks else options.tolerance),
        "--epochs": options.epochs,
        "--batch-size": options.batch_size,
        **_target(options.target, options.table),
    }
    if options.learning_rate:
        flags["--learning-rate"] = _number(options.learning_rate)
    if options.limit:
        flags["--limit"] = options.limit
    rest = [] if options.distill is None else ["--distill" if options.distill else "--no-distill"]
    places = _flat({"--output": options.output, "--run-dir": options.run_dir})
    chosen = [*_flat(flags), *_ranking(options.method), *_limits(choices), *rest, *places]
    return ["compress", str(model), *options.data.options, *chosen, "--events"]


def _ranking(name):
    """The options of a run that ranks by a criterion within layers, as previews do; none for the default."""
    if name == criteria.FIRE:
        return ["--option", "beside=()"]
    if name == "l1":  # the method of this name is that of a paper, which leaves coupled layers as they are
        return ["--method", "l1_global", "--option", "balance=none"]
    return ["--method", name] if name else []


def resume_arguments(folder, **places) -> list[str]:
    """`firekeras compress`, resuming a run; `places` are `output` and `tensorboard`, if it writes elsewhere now."""
    chosen = _flat({f"--{name}": place for name, place in places.items()})
    return ["compress", "--resume", str(folder), *chosen, "--events"]


def as_text(arguments) -> str:
    """A command as one would type it into this system's shell."""
    return quoted(["firekeras", *map(str, arguments)])


def quoted(words: Sequence[str]) -> str:
    """Words as this system's shell takes them."""
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)


def _target(target, table):
    """An option for each cost, and the table that latency needs."""
    options = {f"--{measure.replace('_', '-')}": _amount(value) for measure, value in target.items()}
    return {**options, "--latency-table": str(table)} if "latency" in target and table else options


def _amount(value):
    return value.replace(" ", "") if isinstance(value, str) else _number(value) if value <= 1 else str(int(value))


def _limits(choices):
    caps = [word for name, share in choices.layer_caps.items() for word in ("--cap", f"{name}={_number(share)}")]
    return [*caps, *_flat({"--round-to": choices.round_to, "--min-keep": _number(choices.min_keep)})]


def _flat(flags):
    return [word for name, value in flags.items() for word in (name, str(value))]


def _number(value):
    return repr(float(value))
