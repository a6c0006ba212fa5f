"""Labels: which filters each channel of a tensor comes from, and which labels have to be removed together."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

FIXED = 0  # the label of every channel that can never be removed, such as a model's inputs


@dataclasses.dataclass(frozen=True)
class Channels:
    """A tensor during channel tracking.

    Args:
        shape: The tensor's shape, `(None, ...)`.
        labels: Integers that broadcast to that shape: an axis along which labels do not vary has
            size 1. Positions of equal label are removed together or not at all.
        samples: How many samples it has per sample of the network's input: a reshape may turn positions into samples.
    """

    shape: tuple
    labels: np.ndarray
    samples: Fraction | int = 1

    @classmethod
    def fixed(cls, shape) -> Channels:
        """A tensor whose channels must not be removed."""
        return cls(tuple(shape), np.full((1,) * len(shape), FIXED))

    @classmethod
    def along(cls, shape, axis, labels) -> Channels:
        """A tensor whose labels vary along a single axis."""
        grid = [1] * len(shape)
        grid[axis] = -1
        return cls(tuple(shape), np.reshape(labels, grid))

    @property
    def rank(self) -> int:
        """The number of axes, batch included."""
        return len(self.shape)

    @property
    def is_fixed(self) -> bool:
        """Whether none of its channels can be removed."""
        return not self.labels.any()

    def axes(self) -> list[int]:
        """The axes along which labels vary."""
        return [axis for axis, size in enumerate(self.labels.shape) if size > 1]

    def varies_only_along(self, axis: int) -> bool:
        """Whether labels vary along this axis at most."""
        return set(self.axes()) <= {axis % self.rank}

    def vector(self, axis: int) -> np.ndarray:
        """The labels along `axis`, of shape `(shape[axis],)`; they must vary along no other."""
        return np.broadcast_to(self.labels.ravel(), (self.shape[axis],))

    def full(self) -> np.ndarray:
        """The labels of one sample, position by position, of shape `shape[1:]`."""
        return np.broadcast_to(self.labels, (1, *self.shape[1:]))[0]


def compress(shape, labels) -> Channels:
    """Channels from the labels of every position of one sample; axes without variation shrink to size 1."""
    grid = labels[None]
    for axis in range(1, grid.ndim):
        if grid.shape[axis] > 1 and (grid == np.take(grid, [0], axis=axis)).all():
            grid = np.take(grid, [0], axis=axis)
    return Channels(tuple(shape), grid)


class LabelSpace:
    """Issues labels, and records which of them are tied and which are locked.

    Ties are only recorded, and solved all at once in the end: the cost stays linear in the size of the graph.
    """

    def __init__(self):
        self.size = 1  # label 0 is FIXED
        self._ties: list[tuple[np.ndarray, np.ndarray]] = []
        self._locks: list[tuple[np.ndarray, str]] = []

    def new(self, count: int) -> np.ndarray:
        """`count` new labels."""
        self.size += count
        return np.arange(self.size - count, self.size)

    def tie(self, a: np.ndarray, b: np.ndarray, reason: str):
        """Ties each label of `a` to its partner in `b`: they can only be removed together."""
        a, b = (x.ravel() for x in np.broadcast_arrays(a, b))
        free = (a != FIXED) & (b != FIXED)
        self.lock(np.concatenate([a[~free], b[~free]]), reason)
        different = free & (a != b)
        if different.any():
            self._ties.append((a[different], b[different]))

    def lock(self, labels: np.ndarray, reason: str):
        """Forbids removing these labels; the first reason for each label is kept."""
        labels = np.unique(labels[labels != FIXED])
        if labels.size:
            self._locks.append((labels, reason))

    def solve(self) -> tuple[np.ndarray, dict[int, str]]:
        """The class of each label, `(size,)`, and the locked classes with reasons."""
        pairs = np.concatenate([np.stack(pair) for pair in self._ties], axis=1) if self._ties else np.zeros((2, 0), int)
        edges = coo_matrix((np.ones(pairs.shape[1], bool), pairs), shape=(self.size, self.size))
        _, classes = connected_components(edges, directed=False)
        locks: dict[int, str] = {}
        for labels, reason in self._locks:
            for locked in np.unique(classes[labels]):
                locks.setdefault(int(locked), reason)
        return classes, locks
