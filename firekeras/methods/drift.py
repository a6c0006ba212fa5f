"""The drift guard: predictions are compared, round by round, with FIRE measured on a few samples."""

from __future__ import annotations

import keras
import numpy as np

from firekeras.refusals import check_number, check_whole
from firekeras.scores.detector.metrics import detector_metrics, precision_at
from firekeras.scores.fire.measuring import measure_fire

SHARE_OF_BATCHES = 0.05  # of data that do not say how many samples they hold


class DriftGuard:
    """Says how far a detector may still be trusted.

    Args:
        threshold: The rank correlation (Spearman) below which it is to be trained anew, -1 to 1; at -1
            nothing is measured.
        samples: How many samples FIRE is measured on.
        seed: For the choice of samples.
    """

    def __init__(self, threshold, samples, seed):
        check_number("drift_threshold", threshold, "a rank correlation", least=-1, most=1)
        check_whole("drift_samples", samples, 1)
        self.threshold, self.samples, self.seed = threshold, samples, seed

    @property
    def watches(self) -> bool:
        """Whether anything is measured at all."""
        return self.threshold > -1

    def agreement(self, model, predicted, data, share) -> dict:
        """How well predictions agree with FIRE measured on a sample.

        Args:
            model: The network.
            predicted: `FilterScores` of it.
            data: The training data.
            share: Share of the filters that are about to go.

        Returns:
            `"spearman"`, the rank correlation; `"precision"`, the share of the filters predicted to go
            that the measured ranking has go too; `"samples"`; `"refitted"`, whether they agree too little.
        """
        measured = measure_fire(model, data, fraction=self._fraction(data), seed=self.seed)
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
    return tuple(np.concatenate([one[name][mask] for name, mask in ranked.items()]) for one in (measured, predicted))
