"""Accuracy, costs, size and latency of each file on the way to the device, side by side."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from pathlib import Path

import numpy as np

from firekeras.channels.costs import Costs, count_costs
from firekeras.export.exporting import momentary_file, size_of
from firekeras.export.formats import format_of
from firekeras.export.latency import Latency, measure_latencies
from firekeras.export.running import check_harmless, open_runtime, run
from firekeras.keras_models.model_file import load_model
from firekeras.paths import existing_file


@dataclasses.dataclass(frozen=True)
class Stage:
    """One file on the way to the device.

    Args:
        path: The file.
        accuracy: Share of the samples that it classifies correctly, 0 to 1; None without data.
        costs: MACs, parameters and RAM. Those of exported files are counted in the file, with normalization
            folded into other weights; RAM only in `.tflite` files. None if they cannot be counted, as in a SavedModel.
        size: Its size in bytes; of a `.keras` file without the optimizer's state, which no device needs.
        latency: `Latency` of one pass.
    """

    path: Path
    accuracy: float | None
    costs: Costs | None
    size: int
    latency: Latency


def measure_stages(
    paths, data=None, *, batch_size=1, runs=50, threads=None, in_litert=False, trust=False, on_progress=None
) -> list[Stage]:
    """Measures files side by side: `.keras`, `.tflite`, `.onnx`, or a SavedModel's folder.

    Latencies are measured in turns, a few passes of each file at a time, so that other work on the machine
    affects all of them equally.

    Args:
        paths: The files of classifiers.
        data: `(x, y)`, samples `(n, ...)` and class numbers `(n,)`. Defaults to None: no accuracy.
        batch_size: Samples per pass, for latency. Defaults to 1.
        runs: Timed passes of each. Defaults to 50.
        threads: The number of threads of LiteRT and ONNX Runtime. Defaults to 1. Keras fixes its own.
        in_litert: Whether `.keras` files are exported temporarily, and timed in LiteRT. Defaults to False: timed
            in Keras, with some milliseconds of Python in each pass.
        trust: Whether files may do more than compute, such as read and write other files. Defaults to False:
            they are refused.
        on_progress: A function that is called every few passes with the number of finished ones and of all.
            Defaults to None.

    Returns:
        A `Stage` per file, in their order.

    Raises:
        ValueError: If one is not such a file, may do more than compute, cannot be exported, or does not output one
            score per class.

    Example:
    >>> from firekeras.export.side_by_side import measure_stages
    >>> pruned.save("smaller.keras")
    >>> stages = measure_stages(["model.keras", "smaller.keras"], (x_test, y_test), runs=5)
    >>> stages[1].costs.macs < stages[0].costs.macs
    True
    """
    paths = [Path(path) for path in paths]
    for path in paths:
        if not path.is_dir():  # a SavedModel is one
            existing_file(path)
        if not trust:
            check_harmless(path)
    networks = [load_model(path, compile=False) if path.suffix == ".keras" else path for path in paths]
    figures = [
        (_accuracy(path, each, data, trust), _costs(each), _size(each))
        for path, each in zip(paths, networks, strict=True)
    ]
    settings = {"batch_size": batch_size, "runs": runs, "threads": threads, "trust": trust, "on_progress": on_progress}
    with contextlib.ExitStack() as momentary:
        timed = [_in_litert(network, momentary) if in_litert else network for network in networks]
        latencies = measure_latencies(timed, **settings)
    return [Stage(path, *figure, latency) for path, figure, latency in zip(paths, figures, latencies, strict=True)]


def _in_litert(network, momentary):
    """An exported file itself, or a LiteRT file of a Keras model that exists until `momentary` exits."""
    return network if isinstance(network, Path) else momentary.enter_context(momentary_file(network))


def _accuracy(path, network, data, trust):
    """By the class of the highest score."""
    if data is None:
        return None
    x, y = data
    scores = run(open_runtime(network, trust=trust), [np.asarray(x, "float32")], batch_size=128)[0]
    if scores.ndim != 2 or scores.shape[1] <= np.max(y):
        raise ValueError(
            f"{path} outputs {scores.shape[1:]} per sample, but the data have classes up to {np.max(y)}: expected one "
            "score per class."
        )
    return float((scores.argmax(axis=1) == y).mean())


def _costs(network):
    if not isinstance(network, Path):
        return count_costs(network)
    file_format = format_of(network)
    return file_format.costs(network) if file_format else None


def _size(network):
    return size_of(network) if isinstance(network, Path) else saved_size(network)


def saved_size(model) -> int:
    """The size of a model's `.keras` file in bytes, without the optimizer's state, which not every model has."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        if model.compiled:
            load_model(path, compile=False).save(path)
        return path.stat().st_size
