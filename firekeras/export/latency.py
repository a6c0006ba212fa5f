"""Latency by the clock: of Keras models, and of exported files in the runtime that they are for."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import numpy as np

from firekeras.export.formats import format_of
from firekeras.export.formats.format import either, formats_with
from firekeras.export.running import open_runtime, random_samples
from firekeras.refusals import check_whole

TURN = 5  # passes of one network before it is the next one's turn


@dataclasses.dataclass(frozen=True)
class Latency:
    """Measured time of one forward pass, in seconds, over several runs after a warm-up.

    Args:
        median: The figure to quote.
        spread: Half the distance between the quartiles.
        batch_size: How many samples one pass took.
        fastest: The fastest pass: what is least disturbed by what else the machine does.
        runtime: What ran it: `"Keras (tensorflow)"`, `"LiteRT"`, `"ONNX Runtime"`, ...
        threads: How many threads it took; None where Keras or TensorFlow decide.
    """

    median: float
    spread: float
    batch_size: int
    fastest: float = 0.0
    runtime: str = "Keras"
    threads: int | None = None


def measure_latency(model_or_path, *, batch_size=1, runs=30, threads=None) -> Latency:
    """Measures how long a forward pass takes here and now.

    Args:
        model_or_path: A built Keras model; or the path of a `.keras` file, or of an exported one: `.tflite`
            (run by LiteRT through XNNPACK), `.onnx` (by ONNX Runtime) or a SavedModel's folder.
        batch_size: Samples per pass. Defaults to 1.
        runs: Timed passes, after a tenth as many for warming up. Defaults to 30.
        threads: How many threads LiteRT or ONNX Runtime take. Defaults to 1. Keras and TensorFlow fix
            theirs when they start.

    Returns:
        `Latency`, in seconds. It depends on the machine and on what else runs on it: compare
        only figures that were taken side by side. That of a Keras model holds some milliseconds of
        Python, so that a small network's says little of it: export it, and measure the file.

    Raises:
        ValueError: If there is no such file, or `threads` is given for Keras.
        ImportError: If the file's runtime is not installed.

    Example:
    >>> before = firekeras.measure_latency(model)
    >>> path = firekeras.export_model(pruned, "small.tflite").path
    >>> firekeras.measure_latency(path, threads=2).fastest < before.fastest
    True
    """
    return measure_latencies([model_or_path], batch_size=batch_size, runs=runs, threads=threads)[0]


def measure_latencies(models_or_paths, *, batch_size=1, runs=30, threads=None, on_progress=None) -> list[Latency]:
    """Measures several side by side: in turns, so that what else the machine does disturbs all of them alike.

    Args:
        models_or_paths: Models or files, each as `measure_latency` takes it. Those that Keras or TensorFlow
            run take the threads that these have.
        batch_size, runs, threads: As `measure_latency` takes them.
        on_progress: A function that is told, after each turn, how many passes are done and of how many.
            Defaults to None.

    Returns:
        A `Latency` for each.
    """
    _check_counts(batch_size, runs)
    alone = len(models_or_paths) == 1
    runtimes = [open_runtime(one, threads=threads if alone or _ours(one) else None) for one in models_or_paths]
    for runtime in runtimes:
        _warm_up(runtime, batch_size, runs)
    seconds: list[list[float]] = [[] for _ in runtimes]
    for start in range(0, runs, TURN):
        for runtime, found in zip(runtimes, seconds, strict=True):
            found += [_timed(runtime) for _ in range(min(TURN, runs - start))]
            if on_progress:
                on_progress(sum(map(len, seconds)), runs * len(runtimes))
    return [_latency(found, batch_size, runtime) for found, runtime in zip(seconds, runtimes, strict=True)]


def _ours(model_or_path):
    """Whether its threads are ours to set."""
    found = format_of(model_or_path) if isinstance(model_or_path, (str, Path)) else None
    return found is not None and found.sets_threads


def _warm_up(runtime, batch_size, runs):
    _check_batch(runtime, batch_size)
    runtime.prepare(random_samples(runtime.inputs, batch_size))
    for _ in range(max(2, runs // 10)):
        runtime.invoke()


def _latency(seconds, batch_size, runtime):
    low, median, high = np.percentile(seconds, [25, 50, 75])
    return Latency(float(median), float(high - low) / 2, batch_size, float(min(seconds)), runtime.name, runtime.threads)


def layer_latency(path, *, batch_size=1, runs=30, threads=1) -> dict[str, float]:
    """Mean seconds of each layer, as its runtime names them after fusing, in the order in which they run.

    LiteRT's Python interface measures no single layers, and Keras compiles a model as a whole: for
    these, there is none.

    Args:
        path: A file of a format that `times_layers`, such as `.onnx`.
        batch_size: Samples per pass. Defaults to 1.
        runs: How many passes. Defaults to 30.
        threads: How many threads. Defaults to 1.

    Raises:
        ValueError: If it is a file of another format.
    """
    _check_counts(batch_size, runs)
    found = format_of(path) if isinstance(path, (str, Path)) else None
    if found is None or not found.times_layers:
        able = formats_with("times_layers")
        raise ValueError(
            f"Single layers are measured by {either(other.runtime for other in able)} alone: expected "
            f"{either(other.title for other in able)}. Received: {path}. Export the model: "
            f'firekeras.export_model(model, "model{able[0].ending}", to="{able[0].name}").'
        )
    samples = random_samples(open_runtime(path).inputs, batch_size)
    return found.layer_seconds(Path(path), samples, runs=runs, threads=threads)


def _timed(runtime):
    start = time.perf_counter()
    runtime.invoke()
    return time.perf_counter() - start


def _check_counts(batch_size, runs):
    for name, value in (("batch_size", batch_size), ("runs", runs)):
        check_whole(name, value, 1)


def _check_batch(runtime, batch_size):
    fixed = runtime.inputs[0].shape[0]
    if fixed not in (None, batch_size):
        raise ValueError(f"The file takes batches of {fixed} only. Received: batch_size={batch_size}.")
