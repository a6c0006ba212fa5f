"""Measures how latency depends on width in a runtime, to find what to round widths to."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from firekeras.export.formats import FORMATS
from firekeras.export.formats.format import formats_with
from firekeras.export.latency import Latency, measure_latencies
from firekeras.refusals import check_one_of, checked_whole

CHAIN = 4
FALL = 0.08  # with steps of 4, MACs per second fall by 11% from a width of 24 to 25


def latency_of_widths(
    widths: Sequence[int],
    *,
    size: int = 16,
    kernel: int = 3,
    to: str = "litert",
    int8: bool = False,
    threads: int = 1,
    runs: int = 50,
) -> dict[int, Latency]:
    """Measures a chain of four convolutions at several widths, exported and side by side.

    Runtimes compute several channels per instruction, and pad the rest: see `suitable_round_to`.

    Args:
        widths: The number of filters of each convolution, which is also the number of channels that it reads.
        size: Height and width of the feature maps, in pixels. Defaults to 16.
        kernel: Height and width of the kernels. Defaults to 3.
        to: A format whose runtime takes a number of threads, such as `"litert"` or `"onnx"`. Defaults to `"litert"`.
        int8: Whether to compute in 8-bit integers (LiteRT only). Defaults to False.
        threads: The number of threads. Defaults to 1.
        runs: Timed passes of each. Defaults to 50.

    Returns:
        A `Latency` for each width.

    Raises:
        ValueError: If widths are not whole numbers of at least 1, or this backend cannot export to the format.
        ImportError: If a package is missing.
    """
    from firekeras.export.exporting import export_model

    check_one_of("to", to, [known.name for known in formats_with("sets_threads")])
    widths = [checked_whole("Each of widths", width, 1) for width in widths or (0,)]
    samples = np.random.default_rng(0).normal(size=(32, size, size, max(widths))).astype("float32")
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{width}{FORMATS[to].ending}" for width in widths]
        for width, path in zip(widths, paths, strict=True):
            export_model(_chain(width, size, kernel), path, to=to, samples=samples[..., :width], int8=int8)
        latencies = measure_latencies(paths, runs=runs, threads=threads)
    return dict(zip(widths, latencies, strict=True))


def suitable_round_to(latencies: Mapping[int, Latency]) -> int:
    """The step behind whose multiples MACs per second fall: the number of filters that a runtime computes at a time.

    Args:
        latencies: From `latency_of_widths`, for neighbouring widths.

    Returns:
        The smallest of 2, 4, 8 and 16 for which every multiple among the widths is followed by a fall of 8% or
        more; 1 if there is none.

    Example:
    >>> from firekeras.export.latency import Latency
    >>> from firekeras.export.widths import suitable_round_to
    >>> seconds = {8: 0.7, 9: 1.1, 10: 1.1, 11: 1.2, 12: 1.2, 13: 1.3, 16: 1.4, 17: 2.1}
    >>> latencies = {width: Latency(t, 0.0, batch_size=1, fastest=t) for width, t in seconds.items()}
    >>> suitable_round_to(latencies)
    8
    """
    rates = {width: width**2 / latency.fastest for width, latency in latencies.items()}
    falls = {width for width in rates if width + 1 in rates and rates[width + 1] < (1 - FALL) * rates[width]}
    for step in (2, 4, 8, 16):
        multiples = {width for width in rates if width % step == 0 and width + 1 in rates}
        if multiples and multiples <= falls:
            return step
    return 1


def chain_macs(width, *, size=16, kernel=3) -> int:
    """MACs of the chain of convolutions at a width."""
    return CHAIN * (size * kernel * width) ** 2


def _chain(width, size, kernel):
    import keras

    image = keras.Input((size, size, width))
    x = image
    for _ in range(CHAIN):
        x = keras.layers.Conv2D(width, kernel, padding="same", activation="relu", kernel_initializer="he_normal")(x)
    return keras.Model(image, x, name=f"width_{width}")
