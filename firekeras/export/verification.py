"""Verifies that an exported file computes what the model does: both are run on the same samples."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from firekeras.arguments import short
from firekeras.data.checks import check_no_numbers
from firekeras.data.samples import draw_samples
from firekeras.export.formats.format import Input
from firekeras.export.running import open_runtime, random_samples, run

VERIFIED, DRAWN = 32, 300


@dataclasses.dataclass(frozen=True)
class Difference:
    """How far the outputs of two networks differ, over all samples and outputs.

    Args:
        largest: The largest difference, as a share of the output's largest value.
        rms: The root mean square of the difference, as a share of the output's root mean square.
    """

    largest: float
    rms: float


def samples_of(model, samples) -> dict[str, np.ndarray]:
    """Samples `(n, ...)` by the names of a model's inputs, in its order; by default seeded random ones.

    Of data in batches the first 300 samples are used, without their labels.

    Raises:
        ValueError: If they are not one array per input of the model, of the inputs' shapes.
    """
    inputs = [Input(t.name, tuple(t.shape), np.dtype(t.dtype)) for t in model.inputs]
    if samples is None:
        return dict(zip([input.name for input in inputs], random_samples(inputs, VERIFIED), strict=True))
    parts = keras.tree.flatten(_arrays(samples))
    check_no_numbers(parts)
    if not all(hasattr(part, "shape") for part in parts):
        raise ValueError(f"`samples` are arrays, or a data set. Received: {short(samples)}.")
    arrays = [np.asarray(array) for array in parts]
    shapes = [input.shape for input in inputs]
    if len(arrays) != len(inputs) or not all(map(_fits, arrays, shapes)):
        raise ValueError(
            f"`samples` are arrays as model.predict takes them, of shapes {shapes}, without labels. Received: "
            f"{[array.shape for array in arrays]}."
        )
    return {one.name: array.astype(one.dtype) for array, one in zip(arrays, inputs, strict=True)}


def _arrays(samples):
    """Arrays unchanged; of data in batches as many samples as int8 uses."""
    known = isinstance(samples, (dict, keras.utils.PyDataset)) or hasattr(samples, "shape")
    if not known and (isinstance(samples, (str, bytes, Path, Mapping)) or not hasattr(samples, "__iter__")):
        raise ValueError(f"`samples` are arrays, or a data set. Received: {short(samples)}. Load them first.")
    in_batches = not hasattr(samples, "shape") and not isinstance(samples, (list, tuple, dict))
    return draw_samples(samples, DRAWN)[0] if in_batches else samples


def _fits(array, shape):
    same_rank = len(array) > 0 and array.ndim == len(shape)
    return same_rank and all(d in (None, n) for d, n in zip(shape[1:], array.shape[1:], strict=True))


def compare(model_or_path, expected, samples) -> Difference:
    """How far the outputs of a model or file differ from expected ones.

    Args:
        model_or_path: As `open_runtime` takes it: a file that was written here, and is trusted.
        expected: One array per output, `(n, ...)`.
        samples: As `samples_of` returns them.

    Raises:
        ValueError: If the file has other inputs or outputs than the model.
    """
    runtime = open_runtime(model_or_path, trust=True)
    names = [input.name for input in runtime.inputs]
    if len(names) != len(samples):
        raise ValueError(f"The exported file takes {len(names)} inputs, {names}; the model takes {len(samples)}.")
    arrays = [samples[name] for name in names] if set(names) == set(samples) else list(samples.values())
    outputs = run(runtime, arrays, batch_size=VERIFIED)
    shapes = [output.shape for output in outputs], [output.shape for output in expected]
    if shapes[0] != shapes[1]:
        raise ValueError(f"The exported file has outputs of shapes {shapes[0]}; the model has {shapes[1]}.")
    return difference(outputs, expected)


def difference(outputs, expected) -> Difference:
    """How far outputs differ from expected ones, `(n, ...)` each; NaN if one of them is."""
    by_output = [
        _difference(np.asarray(a, "float64"), np.asarray(b, "float64")) for a, b in zip(outputs, expected, strict=True)
    ]
    return Difference(*(float(np.max(values)) for values in zip(*by_output, strict=True)))


def _difference(output, expected):
    apart = np.abs(output - expected)
    tiny = np.finfo("float32").tiny
    largest = apart.max() / max(np.abs(expected).max(), tiny)
    return largest, np.sqrt(np.mean(apart**2) / max(np.mean(expected**2), tiny))
