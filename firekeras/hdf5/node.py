"""What an HDF5 file holds: groups with attributes, arrays and texts; asked for by name, type and shape."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

import numpy as np

from firekeras.hdf5.buffer import DamagedError

T = TypeVar("T")


@dataclasses.dataclass
class Node:
    """A group.

    Args:
        attributes: Its numbers and texts, by name.
        members: The groups, arrays and texts in it, by name.
    """

    attributes: dict[str, Any]
    members: dict[str, Any]

    def need(self, name: str, kind: type[T]) -> T:
        """What is in it under a name: a member, or else an attribute.

        Raises:
            DamagedError: If there is none, or one of another type.
        """
        found = self.members.get(name, self.attributes.get(name))
        if not isinstance(found, kind):
            raise DamagedError(f"{name!r} is missing or of the wrong type")
        return found

    def array(self, name: str, dtype: str, shape: tuple[int | None, ...] | None = None) -> np.ndarray:
        """An array in it.

        Args:
            name: Its name.
            dtype: Its type.
            shape: Its shape, None for an axis of any length. Defaults to any shape.

        Raises:
            DamagedError: If there is none, or one of another type or shape.
        """
        found = self.need(name, np.ndarray)
        if found.dtype != dtype:
            raise DamagedError(f"{name!r} holds {found.dtype}. Expected {dtype}")
        if shape is not None and (
            found.ndim != len(shape) or any(n not in (None, m) for n, m in zip(shape, found.shape, strict=True))
        ):
            raise DamagedError(f"{name!r} is of shape {found.shape}. Expected {shape}")
        return found

    def texts(self, name: str, count: int) -> list[str]:
        """A list of texts in it.

        Raises:
            DamagedError: If there is none, or one of another length.
        """
        return self.array(name, "object", (count,)).tolist()
