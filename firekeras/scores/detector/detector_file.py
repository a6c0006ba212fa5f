"""A detector's file: its training table, in HDF5. No pickle; damaged files are refused with the reason."""

from __future__ import annotations

import h5py
import numpy as np

from firekeras.atomic import whole_file
from firekeras.paths import existing_file
from firekeras.scores.detector.features import FEATURES

FORMAT, VERSION = "firekeras.detector", 2
ALSO_CALLED = "firekeras.detector.fire_detector"  # by one release
PARTS = ("X", "y", "layers", "indices", "reasons")
SETTINGS = ("regressor", "features", "seed")


def save(path, settings, table):
    """Writes settings and training table, whole or not at all."""
    with whole_file(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs.update(format=FORMAT, version=VERSION, **settings)
        for key in PARTS:
            values = table[key]
            file[key] = np.array(values, h5py.string_dtype()) if key in ("layers", "reasons") else values


def load(path):
    """Reads what `save` wrote; returns settings and table.

    Raises:
        ValueError: If there is no such file, or it is not a detector, of another version, or damaged.
    """
    existing_file(path)
    try:
        with h5py.File(path, "r") as file:
            attributes = dict(file.attrs)
            _check_header(path, attributes)
            table = {key: file[key][()] for key in PARTS}
    except (OSError, KeyError, RuntimeError) as error:
        raise ValueError(
            f"{str(path)!r} cannot be read as a FIRE detector: it is truncated, damaged or not "
            f"HDF5 ({error}). Fit a detector again and write it with FireDetector.save(path)."
        ) from error
    _check_table(path, attributes, table)
    for key in ("layers", "reasons"):
        table[key] = [text.decode() for text in table[key]]
    return attributes, table


def _check_header(path, attributes):
    received, version = attributes.get("format"), attributes.get("version", 0)
    if received not in (FORMAT, ALSO_CALLED):
        raise ValueError(
            f"{str(path)!r} is not a FIRE detector: expected format {FORMAT!r}. Received: "
            f"{received!r}. Pass a file that FireDetector.save wrote; measured FIRE (.fire.h5) is "
            "read with FireProfile.load."
        )
    if version != VERSION:
        raise ValueError(
            f"{str(path)!r} is a FIRE detector of version {version}; this firekeras reads version "
            f"{VERSION}. Update firekeras, or fit the detector again."
        )


def _check_table(path, attributes, table):
    rows, layers = np.size(table["y"]), np.size(table["layers"])
    columns = len(FEATURES.get(attributes.get("features"), ()))
    shapes = {"X": (rows, columns), "y": (rows,)}
    shapes |= dict.fromkeys(("layers", "indices", "reasons"), (layers,))
    wrong = [key for key, shape in shapes.items() if np.shape(table[key]) != shape]
    wrong += [key for key in SETTINGS if key not in attributes]
    if wrong:
        raise ValueError(
            f"{str(path)!r} is a damaged FIRE detector: {', '.join(wrong)} missing or of the wrong "
            "shape. Fit a detector again and write it with FireDetector.save(path)."
        )
