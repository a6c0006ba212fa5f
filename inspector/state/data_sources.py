"""Data as a person chooses them, and what is known against them before anything is started."""

from __future__ import annotations

import dataclasses
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from firekeras.data.scale import FROM_8_BITS, FROM_SIGNED, FROM_UNIT, Range

DIGITS, SYNTHETIC = "digits", "synthetic"
DIGITS_SHAPE = (8, 8, 1)
ARRAYS = ("x_train", "y_train", "x_test", "y_test")  # in an .npz file; the first is enough if labels are not needed
RANGES: dict[str, Range] = {each.words: each for each in (*FROM_8_BITS, *FROM_UNIT, *FROM_SIGNED)}
MOST_NAMED = 5
IN_PYTHON = "Measure it in Python (firekeras.measure_fire), and save the profile beside it."
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def called(shape: Sequence[int | None] | None) -> str:
    """What inputs of a shape are called: "images", or "samples" if they can be none, as of a series."""
    return "images" if shape is None or len(shape) == len(DIGITS_SHAPE) else "samples"


@dataclasses.dataclass(frozen=True)
class Data:
    """Data as a person chooses them.

    Args:
        source: As on the command line: a name, an `.npz` file or a folder; empty for none.
        values: What is done to their values, a key of `RANGES`; empty for data as they are.
    """

    source: str = ""
    values: str = ""

    @classmethod
    def of_run(cls, source: Mapping[str, Any]) -> Data:
        """What a run recorded about its source; values as they are if its scale and mean have no name here."""
        scale, mean = source.get("scale"), source.get("mean")
        given = (1.0 if scale is None else scale, [0.0] if mean is None else [*mean])
        named = (words for words, each in RANGES.items() if given == (each.scale, [each.mean]))
        return cls(str(source.get("data") or ""), next(named, ""))

    @property
    def options(self) -> list[str]:
        """The options of the command line; none without a source."""
        range_ = RANGES[self.values].options.split() if self.values else []
        return ["--data", self.source, *range_] if self.source else []

    @property
    def scaling(self) -> dict[str, float]:
        """The change of values as arguments of `firekeras.datasets.scaled`."""
        return {"scale": RANGES[self.values].scale, "mean": RANGES[self.values].mean} if self.values else {}


NO_DATA = Data()


def why_not(source: str, shape: Sequence[int | None] | None, *, labels: bool, synthetic: bool = True) -> str:
    """Why a model cannot be measured or trained on a source, as a sentence; empty if nothing is known against it.

    Args:
        source: As on the command line; empty for none.
        shape: The model's input without the batch, None for sizes that may vary; None if unknown.
        labels: Whether labels are needed, as in training.
        synthetic: Whether random images would do. Defaults to True.
    """
    if not source:
        return f"Choose {called(shape)} like those that the network was trained on."
    if source == SYNTHETIC:
        return _why_not_synthetic(shape, labels, synthetic)
    if source == DIGITS:
        return _why_not_of_shape(source, shape)
    if shape is not None and len(shape) == 1:
        return f"The model takes {_sizes(shape)} values, which no file holds here. {IN_PYTHON}"
    path = Path(source).expanduser()
    if not path.exists():
        return f"There is no file or folder {source}."
    return _why_not_of_kind(path) or _why_not_of_arrays(path, labels) or _why_not_of_shape(source, shape)


def _why_not_synthetic(shape, labels, synthetic):
    if shape is not None and len(shape) != len(DIGITS_SHAPE):
        return f"“synthetic” generates images, but the model takes {_sizes(shape)}. {IN_PYTHON}"
    if labels:
        return "“synthetic” has no labels to train on. Choose a file or a folder."
    return "" if synthetic else f"“synthetic” will not do here: choose {called(shape)} like those of training."


def _why_not_of_kind(path):
    """If a path is neither a file of arrays nor a folder with folders in it."""
    if path.is_dir():
        found = any(child.is_dir() for child in path.iterdir())
        return "" if found else f"{path.name} has no folders in it. Expected a folder for each class."
    return "" if path.suffix.lower() == ".npz" else f"{path.name} is neither an .npz file nor a folder of images."


def _why_not_of_arrays(path, labels):
    """Which arrays an .npz file lacks; empty for a folder."""
    if path.is_dir():
        return ""
    try:
        with zipfile.ZipFile(path) as content:
            found = [name.removesuffix(".npy") for name in content.namelist() if name.endswith(".npy")]
    except (OSError, zipfile.BadZipFile):
        return ""
    lacking = [key for key in (ARRAYS if labels else ARRAYS[:1]) if key not in found]
    if not lacking:
        return ""
    needed = f"Expected {', '.join(ARRAYS)}." if labels else f"Expected {ARRAYS[0]}; labels are not needed."
    return f"{path.name} lacks {', '.join(lacking)}: it has {', '.join(found[:MOST_NAMED]) or 'no arrays'}. {needed}"


def _why_not_of_shape(source, shape):
    own = DIGITS_SHAPE if source == DIGITS else _shape_in(Path(source).expanduser())
    if shape is None or own is None or _fits(own, shape):
        return ""
    return (
        f"Its {called(own)} are {_sizes(own)}, but the model takes {_sizes(shape)}. Choose other data, or resize them."
    )


def _fits(own, shape):
    """Whether sizes agree; a last axis of size 1 may be missing, since Keras adds or drops it."""
    if abs(len(own) - len(shape)) == 1:
        own, shape = ((*each, 1)[: max(len(own), len(shape))] for each in (own, shape))
    return len(own) == len(shape) and all(expected in (None, size) for size, expected in zip(own, shape, strict=True))


def _sizes(shape):
    return " x ".join("any" if size is None else str(size) for size in shape)


def _shape_in(path):
    """The shape of one training image in an .npz file, from its header alone; None if it cannot be told."""
    try:
        with zipfile.ZipFile(path) as content, content.open("x_train.npy") as file:
            return HEADERS[np.lib.format.read_magic(file)](file)[0][1:]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
