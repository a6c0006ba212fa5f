"""Predicts FIRE in a child process: of each filter, with a detector that was trained on the other filters.

`python -m inspector.children.predicting NAME.fire.h5 OUT.npz`
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Mapping

import numpy as np

FOLDS = 5


def predicted(profile) -> Mapping[str, np.ndarray]:
    """The predictions of a detector for the filters of each layer, NaN for those without FIRE, `(filters,)`.

    Args:
        profile: A `FireProfile`.
    """
    from firekeras.cli.console import write_progress
    from firekeras.scores.detector.fire_detector import FireDetector

    fold = itertools.count(1)
    return FireDetector().predict_left_out(profile, folds=FOLDS, on_fold=lambda: write_progress(next(fold), FOLDS))


def main(source, target):
    """Reads a profile, and writes an array for each of its layers, in order."""
    from firekeras.scores.profile import FireProfile

    by_layer = predicted(FireProfile.load(source))
    np.savez(target, *by_layer.values())


def read(path, profile) -> dict[str, np.ndarray]:
    """Reads what `main` wrote, by layer."""
    with np.load(path) as arrays:
        return {name: arrays[f"arr_{number}"] for number, name in enumerate(profile)}


if __name__ == "__main__":
    main(*sys.argv[1:])
