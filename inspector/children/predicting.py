"""Predicts FIRE in a child process: of each filter, with a detector that was trained on the other filters.

`python -m inspector.children.predicting NAME.fire.h5 OUT.npz`
"""

from __future__ import annotations

import sys

import numpy as np

FOLDS = 5


def predicted(profile) -> dict[str, np.ndarray]:
    """The predictions of a detector for the filters of each layer, NaN for those without FIRE, `(filters,)`.

    Args:
        profile: A `FireProfile`.
    """
    from firekeras.scores.detector.regressors import get_regressor

    scored = {name: mask for name, mask in profile.rankable().items() if mask.any()}
    x = np.concatenate([profile.features[name][mask] for name, mask in scored.items()])
    fire = np.concatenate([profile[name][mask] for name, mask in scored.items()])
    folds = np.random.default_rng(0).permutation(len(fire)) % FOLDS
    predictions = np.empty_like(fire)
    for fold in range(FOLDS):
        regressor = get_regressor("random_forest", 0)
        regressor.fit(x[folds != fold], fire[folds != fold])
        predictions[folds == fold] = np.clip(regressor.predict(x[folds == fold]), 0, 1)
        sys.stderr.write(f"{fold + 1}/{FOLDS}\n")
    return _by_layer(profile, scored, predictions)


def _by_layer(profile, scored, predictions):
    by_layer = {name: np.full(fire.size, np.nan) for name, fire in profile.items()}
    start = 0
    for name, mask in scored.items():
        by_layer[name][mask] = predictions[start : start + int(mask.sum())]
        start += int(mask.sum())
    return by_layer


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
