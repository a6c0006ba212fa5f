"""Measures the latency of Keras models, and of exported files in their runtimes."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from firekeras.arguments import typed
from firekeras.export.formats import format_of
from firekeras.export.formats.format import either, formats_with
from firekeras.export.running import open_runtime, random_samples
from firekeras.quiet import without_retracing_warnings
from firekeras.refusals import checked_whole

if TYPE_CHECKING:
    import keras

TURN = 5  # passes of one network before the next one's turn


@dataclasses.dataclass(frozen=True)
class Latency:
    """Measured time of one forward pass, in seconds, over several runs after a warm-up.

    Args:
        median: The figure to quote.
        spread: Half the distance between the quartiles.
        batch_size: The number of samples per pass.
        fastest: The fastest pass, which is least disturbed by other work on the machine.
        runtime: The runtime: `"Keras (tensorflow)"`, `"LiteRT"`, `"ONNX Runtime"`, ...
        threads: The number of threads; None if Keras or TensorFlow decides.
    """

    median: float
    spread: float
    batch_size: int
    fastest: float = 0.0
    runtime: str = "Keras"
    threads: int | None = None


@typed
def measure_latency(
    model_or_path: keras.Model | str | Path,
    *,
    batch_size: int = 1,
    runs: int = 30,
    threads: int | None = None,
    trust: bool = False,
) -> Latency:
    """Measures how long a forward pass takes on this machine.

    Args:
        model_or_path: A built Keras model; or the path of a `.keras` file, or of an exported one: `.tflite`
            (run by LiteRT through XNNPACK), `.onnx` (by ONNX Runtime) or a SavedModel's folder.
        batch_size: Samples per pass. Defaults to 1.
        runs: Timed passes, after a tenth as many for warming up. Defaults to 30.
        threads: The number of threads of LiteRT or ONNX Runtime. Defaults to 1. Keras and TensorFlow fix
            theirs when they start.
        trust: Whether a file may do more than compute, such as read and write other files: the graph of a
            SavedModel is a program. Defaults to False: it is refused.

    Returns:
        `Latency`, in seconds. It depends on the machine and its load: compare only figures that were
        measured side by side. For a Keras model it includes some milliseconds of Python, which dominate
        for a small network: export it, and measure the file.

    Raises:
        ValueError: If there is no such file, it may do more than compute, `threads` is set for Keras, or a
            number is below 1.
        ImportError: If the file's runtime is not installed.

    Example:
    >>> before = firekeras.measure_latency(model)
    >>> path = firekeras.export_model(pruned, "small.tflite").path
    >>> firekeras.measure_latency(path, threads=2).fastest < before.fastest
    True
    """
    return measure_latencies([model_or_path], batch_size=batch_size, runs=runs, threads=threads, trust=trust)[0]


@without_retracing_warnings()
def measure_latencies(
    models_or_paths: Sequence[Any],
    *,
    batch_size: int = 1,
    runs: int = 30,
    threads: int | None = None,
    trust: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Latency]:
    """Measures several networks in turns, so that other work on the machine affects all of them equally.

    Args:
        models_or_paths: Models or files, each as `measure_latency` takes it. `threads` does not apply to
            those that Keras or TensorFlow runs.
        batch_size, runs, threads, trust: As in `measure_latency`.
        on_progress: A function that is called after each turn with the number of finished passes and of
            all. Defaults to None.

    Returns:
        A `Latency` for each.
    """
    batch_size, runs = _checked_counts(batch_size, runs)
    alone = len(models_or_paths) == 1
    runtimes = [
        open_runtime(each, threads=threads if alone or _ours(each) else None, trust=trust) for each in models_or_paths
    ]
    for runtime in runtimes:
        _warm_up(runtime, batch_size, runs)
    seconds: list[list[float]] = [[] for _ in runtimes]
    for start in range(0, runs, TURN):
        for runtime, times in zip(runtimes, seconds, strict=True):
            times += [_timed(runtime) for _ in range(min(TURN, runs - start))]
            if on_progress:
                on_progress(sum(map(len, seconds)), runs * len(runtimes))
    return [_latency(times, batch_size, runtime) for times, runtime in zip(seconds, runtimes, strict=True)]


def _ours(model_or_path):
    """Whether the number of threads can be set."""
    file_format = format_of(model_or_path) if isinstance(model_or_path, (str, Path)) else None
    return file_format is not None and file_format.sets_threads


def _warm_up(runtime, batch_size, runs):
    _check_batch(runtime, batch_size)
    runtime.prepare(random_samples(runtime.inputs, batch_size))
    for _ in range(max(2, runs // 10)):
        runtime.invoke()


def _latency(seconds, batch_size, runtime):
    low, median, high = np.percentile(seconds, [25, 50, 75])
    return Latency(float(median), float(high - low) / 2, batch_size, float(min(seconds)), runtime.name, runtime.threads)


def layer_latency(
    path: str | Path, *, batch_size: int = 1, runs: int = 30, threads: int = 1, trust: bool = False
) -> dict[str, float]:
    """Mean seconds per layer, as its runtime names them after fusing, in execution order.

    LiteRT's Python interface does not measure single layers, and Keras compiles a model as a whole, so
    this is limited to ONNX.

    Args:
        path: A file of a format that `times_layers`, such as `.onnx`.
        batch_size: Samples per pass. Defaults to 1.
        runs: The number of passes. Defaults to 30.
        threads: The number of threads. Defaults to 1.
        trust: As in `measure_latency`. Defaults to False.

    Returns:
        Seconds by layer name.

    Raises:
        ValueError: If it is a file of another format.
    """
    batch_size, runs = _checked_counts(batch_size, runs)
    file_format = format_of(path) if isinstance(path, (str, Path)) else None
    if file_format is None or not file_format.times_layers:
        able = formats_with("times_layers")
        raise ValueError(
            f"Only {either(other.runtime for other in able)} measures single layers: expected "
            f"{either(other.title for other in able)}. Received: {path}. Export the model: "
            f'firekeras.export_model(model, "model{able[0].ending}", to="{able[0].name}").'
        )
    samples = random_samples(open_runtime(path, trust=trust).inputs, batch_size)
    return file_format.layer_seconds(Path(path), samples, runs=runs, threads=threads)


def _timed(runtime):
    start = time.perf_counter()
    runtime.invoke()
    return time.perf_counter() - start


def _checked_counts(batch_size, runs):
    return checked_whole("batch_size", batch_size, 1), checked_whole("runs", runs, 1)


def _check_batch(runtime, batch_size):
    fixed = runtime.inputs[0].shape[0]
    if fixed not in (None, batch_size):
        raise ValueError(f"The file only takes batches of {fixed}. Received: batch_size={batch_size}.")
