"""A detector's file: its training table, in HDF5. No pickle, no links; what is damaged or impossible is refused.

How a stranger's file is read is said in `firekeras.hdf5`.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated

import numpy as np

from firekeras import hdf5
from firekeras.scores.detector.features import FEATURES
from firekeras.strict_json import Meta, convert

FORMAT, VERSION = "firekeras.detector", 3
ALSO_CALLED = "firekeras.detector.fire_detector"  # by one release
READABLE = (2, VERSION)
SEALED = 3  # the version from which on files end in a checksum
PARTS = ("X", "y", "layers", "indices", "reasons")
WHAT, ADVICE = "a whole FIRE detector", "Fit a detector again and write it with FireDetector.save(path)."


@dataclasses.dataclass
class Settings:
    """The attributes of a file, beside format and version."""

    regressor: str
    features: str
    seed: Annotated[int, Meta(ge=0, lt=2**32)]


def save(path, settings, table):
    """Writes settings and training table, whole or not at all."""
    hdf5.write(path, lambda file, _: _fill(file, settings, table))


def _fill(file, settings, table):
    file.attrs.update(format=FORMAT, version=VERSION, **settings)
    for key in PARTS:
        file[key] = hdf5.texts(table[key]) if key in ("layers", "reasons") else table[key]


def load(path):
    """Reads what `save` wrote; returns settings and table.

    Raises:
        ValueError: If there is no such file, or it is not a detector, of another version, or damaged.
    """
    with hdf5.refused(path, WHAT, ADVICE):
        root, sealed = hdf5.read(path)
        _check_header(path, root.attributes)
        if root.attributes["version"] >= SEALED:
            hdf5.check_sealed(sealed)
        settings = convert(root.attributes, Settings, f"The header of {path}", "whole", ADVICE)
        return dataclasses.asdict(settings), _table(root, settings)


def _check_header(path, attributes):
    received, version = attributes.get("format"), attributes.get("version", 0)
    if received not in (FORMAT, ALSO_CALLED):
        raise ValueError(
            f"{str(path)!r} is not a FIRE detector: expected format {FORMAT!r}. Received: "
            f"{received!r}. Pass a file that FireDetector.save wrote; measured FIRE (.fire.h5) is "
            "read with FireProfile.load."
        )
    if version not in READABLE:
        raise ValueError(
            f"{str(path)!r} is a FIRE detector of version {version}; this firekeras reads versions up to "
            f"{VERSION}. Update firekeras, or fit the detector again."
        )


def _table(root, settings):
    if settings.features not in FEATURES:
        raise hdf5.DamagedError(f"its features are {settings.features!r}. Expected one of {list(FEATURES)}")
    y, indices = root.array("y", "float64", (None,)), root.array("indices", "int64", (None,))
    x = root.array("X", "float64", (len(y), len(FEATURES[settings.features])))
    table = {
        "X": x,
        "y": y,
        "indices": indices,
        **{key: root.texts(key, len(indices)) for key in ("layers", "reasons")},
    }
    if not (len(y) or settings.regressor == "gaussian") or not np.isfinite(x).all():
        raise hdf5.DamagedError("'X' has no rows, or holds numbers that are not finite")
    if not ((y >= 0) & (y <= 1)).all():
        raise hdf5.DamagedError("'y' holds a FIRE out of the range from 0 to 1")
    if len(set(table["layers"])) < len(indices) or (indices < 0).any():
        raise hdf5.DamagedError("two of its layers have the same name, or one has a negative index")
    return table
