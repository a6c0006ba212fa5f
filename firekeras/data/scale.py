"""Whether a network was trained on inputs of another range: found out by trying the usual ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

TRIED = 96  # samples
FAR_BETTER = 0.2  # in accuracy: over three standard deviations of so many samples
# A network that has learned something is not suspected as easily: if its BatchNormalization lags behind, it may well do
# better on inputs of a wrong range.
FAR_BETTER_THAN_LEARNED = 0.4
NEAR_CHANCE = 0.1
BEHIND = 0.1  # in accuracy: a right range serves about as well as new statistics, a wrong one less
EIGHT_BITS = 1.5  # values above it are taken for 0..255, as images are stored


class Range(NamedTuple):
    """A way to bring inputs into another range: `x * scale - mean`."""

    words: str
    scale: float
    mean: float
    options: str

    def of(self, x: np.ndarray) -> np.ndarray:
        """The inputs in this range."""
        return x.astype("float32") * np.float32(self.scale) - np.float32(self.mean)


AS_THEY_ARE = Range("as they are", 1, 0, "")
FROM_8_BITS = (
    Range("divided by 255", 1 / 255, 0, "--scale 1/255"),
    Range("divided by 127.5, minus 1", 1 / 127.5, 1, "--scale 1/127.5 --mean 1"),
)
FROM_UNIT = (
    Range("multiplied by 255", 255, 0, "--scale 255"),
    Range("multiplied by 2, minus 1", 2, 1, "--scale 2 --mean 1"),
)
FROM_SIGNED = (
    Range("plus 1, multiplied by 127.5", 127.5, -127.5, "--scale 127.5 --mean -127.5"),
    Range("plus 1, divided by 2", 0.5, -0.5, "--scale 0.5 --mean -0.5"),
)


def suspected_range(
    accuracy: Callable[[np.ndarray, np.ndarray], float],
    x: np.ndarray,
    y: np.ndarray,
    settled: Callable[[np.ndarray, np.ndarray], float] | None = None,
    given: Range | None = None,
) -> str | None:
    """A sentence if a classifier does far better on the same samples in another range of values; else None.

    Nothing is tried if the accuracy is nearer to 1 than to that of always answering with the most frequent class. Far
    better is 0.2, or 0.4 for a network that is well above that level. Statistics of BatchNormalization that lag behind
    look like a wrong range: they are suspected instead if new ones serve better than any other range.

    Args:
        accuracy: A function of inputs and labels that returns the accuracy, 0 to 1.
        x: Inputs `(n, ...)`; the first 96 are taken.
        y: Their classes, `(n,)`, or `(n, classes)`, one-hot.
        settled: As `accuracy`, with statistics measured on these inputs. Defaults to None: there are none.
        given: What options of the command line have done to the inputs already, which others would replace. Defaults to
            None: there are no such options.
    """
    x, y = x[:TRIED], y[:TRIED]
    if not len(x):
        return None
    found = accuracy(x, y)
    if found > (1 + most_frequent(y)) / 2:
        return None
    best, other = max(((accuracy(each.of(x), y), each) for each in _other_ranges(x)), key=lambda pair: pair[0])
    learned = found > most_frequent(y) + NEAR_CHANCE
    if best < found + (FAR_BETTER_THAN_LEARNED if learned else FAR_BETTER):
        return None
    if settled is not None and settled(x, y) > best + BEHIND:
        return None
    better = other if given is None else _in_all(given, other)
    bring = "bring the data into it" if better.options else "take them as they are, without --scale and --mean"
    option = f" ({better.options})" if better.options and given is not None else ""
    return (
        f"The scale of the inputs is suspect: on {len(x)} samples the accuracy is {found:.2f}, and {best:.2f} with the "
        f"inputs {better.words}. If the network was trained on that range, {bring}{option}."
    )


def applied(options: Mapping[str, Any]) -> Range | None:
    """The range into which options bring inputs, `(x * scale - mean) / std`; None if each channel has its own."""
    chosen = ((options.get(name), default) for name, default in (("scale", 1.0), ("mean", 0.0), ("std", 1.0)))
    given = [np.ravel(default if one is None else one) for one, default in chosen]
    if any(len(numbers) != 1 for numbers in given):
        return None
    factor, shift, divisor = (float(numbers[0]) for numbers in given)
    return Range("", factor / divisor, shift / divisor, "")


def _in_all(first: Range, then: Range) -> Range:
    """Two ranges one after the other, as one."""
    scale, mean = first.scale * then.scale, first.mean * then.scale + then.mean
    for known in (AS_THEY_ARE, *FROM_8_BITS, *FROM_UNIT, *FROM_SIGNED):
        if np.allclose((known.scale, known.mean), (scale, mean), atol=1e-9):
            return known
    return Range(f"times {scale:.6g}, minus {mean:.6g}", scale, mean, f"--scale {scale:.6g} --mean {mean:.6g}")


def most_frequent(y: np.ndarray) -> float:
    """The share of the most frequent class, 0 to 1."""
    classes = y.argmax(-1) if y.ndim > 1 and y.shape[-1] > 1 else y.ravel()
    _, counts = np.unique(classes, return_counts=True)
    return float(counts.max() / counts.sum())


def _other_ranges(x):
    if x.max() > EIGHT_BITS:
        return FROM_8_BITS
    return FROM_SIGNED if x.min() < 0 else FROM_UNIT
