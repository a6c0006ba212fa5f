"""Settled networks, measured: what a run judges by, and what a cut is checked with before there is a run."""

from __future__ import annotations

import math
from typing import Any

import keras

from firekeras.channels.check import broken_weight
from firekeras.keras_models.devices import several_processes
from firekeras.recovery.batch_statistics import Settler
from firekeras.rounds.evaluation import Evaluation


class Judge:
    """Settles networks on training data and measures them on held-out data.

    Args:
        evaluation: What is measured, and on which data.
        train_data: The data that statistics of BatchNormalization are measured on.
        batch_size: For arrays. Defaults to None: Keras's own.
        samples: How many samples of `train_data`, at most. Defaults to 2000.
    """

    def __init__(self, evaluation: Evaluation, train_data: Any, batch_size: int | None = None, samples: int = 2000):
        self.evaluation, self._train_data = evaluation, train_data
        self._batch_size, self._samples = batch_size, samples
        self._settler: Settler | None = None

    def settles(self, network: keras.Model) -> bool:
        """Whether a network has statistics to settle."""
        return bool(self._settler_of(network).layers)

    def judged(self, network: keras.Model) -> tuple[float, list[str]]:
        """Settles a network in place, then measures its metric.

        Returns:
            The metric, NaN if a weight is; and notes.
        """
        notes = [] if several_processes() else self._settler_of(network).settle()
        broken = broken_weight(network)
        if broken:
            lost = f"{broken} came to hold NaN or infinity, so that state of the network was given up."
            return math.nan, [*notes, lost]
        return self.evaluation.measured(network), notes

    def _settler_of(self, network):
        """The settler of a network, compiled once per network."""
        if self._settler is None or self._settler.model is not network:
            self._settler = Settler(network, self._train_data, batch_size=self._batch_size, samples=self._samples)
        return self._settler
