"""Scores: how dispensable each filter is. `FilterScores` for any criterion, `FireProfile` for measured FIRE."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping

import numpy as np
from numpy.typing import ArrayLike

from firekeras.arguments import typed
from firekeras.channels.graph import ChannelGraph

L1_FEATURE = 3  # column of the l1 norm among the 14 features (see firekeras.scores.detector.features)


class FilterScores(Mapping):
    """One score per filter, by layer name: higher is removed first, NaN means not scored and so not prunable.

    Args:
        values: For each layer name, the scores of its filters, shape `(filters,)`.
        criterion: The name of the scores, e.g. `"fire"` or `"l1"`.
        l1: For each layer name, the l1 norms of its filters, shape `(filters,)`. They break ties
            between filters of equal score (the smaller norm is removed first). Defaults to none.
        reasons: For layers with unscored filters, why they have no score. Defaults to none.

    Raises:
        ValueError: If the scores of a layer are not one number per filter.

    Example:
    >>> scores = firekeras.FilterScores({"conv1": [0.1, 0.9, float("nan")]}, criterion="mine")
    >>> scores["conv1"]
    array([0.1, 0.9, nan])
    """

    @typed
    def __init__(
        self,
        values: Mapping[str, ArrayLike],
        *,
        criterion: str,
        l1: Mapping[str, ArrayLike] | None = None,
        reasons: Mapping[str, str] | None = None,
    ):
        self._values = {name: np.asarray(v, "float64") for name, v in values.items()}
        self.criterion = criterion
        self.l1 = {name: np.asarray(v, "float64") for name, v in (l1 or {}).items()}
        self.reasons = dict(reasons or {})
        for name, scores in self._values.items():
            if scores.ndim != 1:
                raise ValueError(
                    f"Scores must be one number per filter: expected shape (filters,) for layer {name!r}. "
                    f"Received: shape {scores.shape}."
                )

    def __getitem__(self, layer: str) -> np.ndarray:
        return self._values[layer]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    @typed
    def without(self, layers: Collection[str]) -> FilterScores:
        """A copy in which the filters of some layers have no score.

        Args:
            layers: Names of layers.

        Returns:
            `FilterScores` with NaN for these layers.
        """
        values = {name: np.full_like(v, np.nan) if name in layers else v for name, v in self.items()}
        return FilterScores(values, criterion=self.criterion, l1=self.l1, reasons=self.reasons)

    def __repr__(self):
        scored = sum(int(np.isfinite(v).sum()) for v in self.values())
        filters = sum(v.size for v in self.values())
        return f"<{type(self).__name__} {self.criterion!r}: {scored} of {filters} filters scored>"


class FireProfile(FilterScores):
    """The measured FIRE of every filter of a model, with everything that planning needs.

    FIRE is the share of a filter's ReLU outputs that are zero, over positions and samples
    (FIREPruning, Fang et al. 2020, section 3.1, eq. 3); it is the same number as APoZ (Hu et al. 2016).
    As a mapping it holds a float64 array `(filters,)` in [0, 1] for each layer name.

    Args:
        zeros: For each layer name, how many outputs of each filter were zero, int64 `(filters,)`.
        seen: For each layer name, how many outputs of each filter were looked at, int64
            `(filters,)`; 0 for a filter without its own ReLU, whose FIRE is NaN.
        samples: The number of samples.
        features: For each layer name, the 14 statistics of each filter's weights, then the 4 features
            of its BatchNormalization, `(filters, 18)`; see `firekeras.scores.detector.features`.
        graph: The model's `ChannelGraph`.
        reasons: For layers without FIRE, why they have none. Defaults to none.
        maps: For each layer name, the share of samples for which each position was zero (NIRE),
            float32 `(filters, *positions)`. Defaults to none.
        mode: How the model ran: `"inference"`, or `"training"` if FIRE was counted inside the
            training step. Defaults to `"inference"`.
        date: When it was measured, ISO 8601, UTC. Defaults to unknown, `""`.

    Example:
    >>> profile = firekeras.measure_fire(model, x_train)
    >>> profile["conv1"].shape, profile.samples == len(x_train)
    ((8,), True)
    >>> profile.save("digits.fire.h5")
    >>> firekeras.FireProfile.load("digits.fire.h5")
    <FireProfile 'fire': 20 of 30 filters scored>
    """

    @typed
    def __init__(
        self,
        zeros: Mapping[str, ArrayLike],
        seen: Mapping[str, ArrayLike],
        *,
        samples: int,
        features: Mapping[str, np.ndarray],
        graph: ChannelGraph,
        reasons: Mapping[str, str] | None = None,
        maps: Mapping[str, np.ndarray] | None = None,
        mode: str = "inference",
        date: str = "",
    ):
        self.zeros = {name: np.asarray(z, "int64") for name, z in zeros.items()}
        self.seen = {name: np.asarray(n, "int64") for name, n in seen.items()}
        super().__init__(
            {name: inactive_rate(z, self.seen[name]) for name, z in self.zeros.items()},
            criterion="fire",
            l1={name: f[:, L1_FEATURE] for name, f in features.items()},
            reasons=reasons,
        )
        self.samples = int(samples)
        self.features = {name: np.asarray(f, "float64") for name, f in features.items()}
        self.graph: ChannelGraph = graph
        self.maps = dict(maps or {})
        self.mode = mode
        self.date = date

    def rankable(self) -> dict[str, np.ndarray]:
        """The filters that can be ranked: those with FIRE whose coupled filters have FIRE too.

        The first convolution of a ResNet has its own ReLU but is coupled with the ends of blocks,
        which have none: it is not ranked, and its FIRE says nothing about theirs.

        Returns:
            For each layer name, a mask over its filters, bool `(filters,)`.
        """
        finite = {name: np.isfinite(fire) for name, fire in self.items()}
        if self.graph is None:
            return finite
        whole = np.ones(self.graph.num_units, bool)
        for name, scored in finite.items():
            whole[self.graph.filters(name)[~scored]] = False
        return {name: scored & whole[self.graph.filters(name)] for name, scored in finite.items()}

    @typed
    def save(self, path: str | os.PathLike) -> None:
        """Writes the profile to an HDF5 file, whole or not at all.

        Args:
            path: The file, `NAME.fire.h5`.

        Raises:
            ValueError: If its folder does not exist.
        """
        from firekeras.scores import fire_file

        fire_file.save(self, path)

    @classmethod
    @typed
    def load(cls, path: str | os.PathLike) -> FireProfile:
        """Reads a profile that `save` wrote.

        Args:
            path: The file, `NAME.fire.h5`.

        Returns:
            The `FireProfile`.

        Raises:
            ValueError: If there is no such file, or it is not a profile, of another version, or damaged.
        """
        from firekeras.scores import fire_file

        return fire_file.load(path)


def inactive_rate(zeros: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """FIRE from integer counts: zeros / seen, NaN if nothing was seen."""
    return np.where(seen > 0, zeros / np.maximum(seen, 1), np.nan)
