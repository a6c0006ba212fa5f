"""A limit to what a config may have Keras allocate: a few words in it can declare terabytes of weights."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Iterator

import keras

FLOOR, COPIES = 16 * 2**20, 8  # numbers that no file has to hold; variables per stored one, with an optimizer's state
_LOADING = threading.RLock()


@contextlib.contextmanager
def variables_limited(stored: int) -> Iterator[None]:
    """Refuses variables, before memory is allocated, that are far more than those stored in a file.

    Other threads may make variables meanwhile; only those of this thread count.

    Args:
        stored: How many numbers the file's weights hold.

    Raises:
        ValueError: If more is declared; names the variable.
    """
    with _LOADING:
        original, own = keras.Variable.__init__, "__init__" in vars(keras.Variable)
        keras.Variable.__init__ = _limiting(original, FLOOR + COPIES * stored)
        try:
            yield
        finally:
            if own:
                keras.Variable.__init__ = original
            else:
                del keras.Variable.__init__


def _limiting(original, most):
    thread, left = threading.get_ident(), most

    def limited(self, initializer, shape=None, *args, **kwargs):
        nonlocal left
        if shape is not None and threading.get_ident() == thread:
            left -= _size(shape)
            if left < 0:
                name = kwargs.get("name") or "a variable"
                raise ValueError(
                    f"its config declares far more weights than it holds: {name} of shape {tuple(shape)} was not made"
                )
        original(self, initializer, shape, *args, **kwargs)

    return limited


def _size(shape):
    """Zero for what is no shape, which is left to Keras to refuse."""
    try:
        return math.prod(abs(int(size)) for size in (shape if isinstance(shape, (list, tuple)) else [shape]))
    except (TypeError, ValueError, OverflowError):
        return 0
