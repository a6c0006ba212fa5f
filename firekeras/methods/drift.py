"""The drift guard: compares predictions, round by round, with FIRE measured on a few samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from firekeras.refusals import check_number, checked_whole
from firekeras.scores.detector.metrics import detector_metrics, precision_at
from firekeras.scores.fire.measuring import count_zeros, profile_from_counts
from firekeras.scores.profile import FilterScores

SHARE_OF_BATCHES = 0.05  # to measure on, of data whose number of samples is unknown


class DriftGuard:
    """Checks whether a detector can still be trusted.

    Args:
        threshold: The rank correlation (Spearman), from -1 to 1, below which the detector is trained again; at -1
            nothing is measured.
        samples: How many samples to measure FIRE on, at least 1.
        seed: Seeds the choice of samples.
    """

    def __init__(self, threshold: float, samples: int, seed: int):
        check_number("drift_threshold", threshold, "a rank correlation", least=-1, most=1)
        self.samples = checked_whole("drift_samples", samples, 1)
        self.threshold, self.seed = threshold, seed

    @property
    def watches(self) -> bool:
        """Whether drift is checked at all."""
        return self.threshold > -1

    def agreement(
        self,
        model: keras.Model,
        features: Mapping[str, np.ndarray],
        predicted: FilterScores,
        data: Any,
        share: float,
    ) -> dict:
        """How well predictions agree with FIRE measured on a sample.

        Args:
            model: The network.
            features: The features of its filters, as `extract_features` returns them.
            predicted: `FilterScores` of it.
            data: The training data.
            share: The share of the filters that are about to go.

        Returns:
            A dict of `"spearman"`, the rank correlation; `"precision"`, the share of the filters predicted to go
            that would also go by measured FIRE; `"samples"`, how many FIRE was measured on; and `"refitted"`, whether
            the agreement is too low, so that the detector is trained again.
        """
        counted = count_zeros(model, data, fraction=self._fraction(data), seed=self.seed)
        measured = profile_from_counts(*counted, features)
        true, guessed = _both_known(measured, predicted)
        if len(true) < 2:
            return {"spearman": None, "precision": None, "samples": measured.samples, "refitted": True}
        spearman = detector_metrics(true, guessed)["spearman"]
        return {
            "spearman": spearman,
            "precision": precision_at(true, guessed, share, share),
            "samples": measured.samples,
            "refitted": not spearman >= self.threshold,
        }

    def _fraction(self, data):
        x = keras.tree.flatten(data[0] if isinstance(data, tuple) else data)
        count = len(x[0]) if hasattr(x[0], "shape") else 0
        return min(1.0, self.samples / count) if count else SHARE_OF_BATCHES


def _both_known(measured, predicted):
    """Measured and predicted FIRE of the filters that can be ranked by both."""
    ranked = {name: mask & np.isfinite(predicted[name]) for name, mask in measured.rankable().items()}
    return tuple(np.concatenate([fire[name][mask] for name, mask in ranked.items()]) for fire in (measured, predicted))
