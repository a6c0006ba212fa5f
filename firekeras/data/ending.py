"""Data in batches, of which nobody may know how many there are: bounded by a number, or watched as they are read."""

from __future__ import annotations

import contextlib
import sys
import time
import weakref
from collections.abc import Iterator
from typing import Any

import keras

from firekeras.data.samples import are_arrays
from firekeras.refusals import warn_caller
from firekeras.terminal import Activity, activity

PATIENCE = 2.0  # seconds until the batches so far are shown
SUSPICIOUS = 30.0  # seconds until a warning that there may be no end
_ENDS: weakref.WeakSet = weakref.WeakSet()  # data of unknown length that were read to their end, or are bounded
_WARNED: weakref.WeakSet = weakref.WeakSet()
TO_BOUND = "dataset.take(n), or, in compress, steps_per_epoch=n and validation_steps=n"


def num_batches(data: Any) -> int | None:
    """The number of batches; None if unknown, or if there is no end of them."""
    if callable(getattr(data, "cardinality", None)):
        count = int(data.cardinality())
        return count if count >= 0 else None
    if isinstance(data, keras.utils.PyDataset):
        return data.num_batches
    try:
        return len(data)
    except TypeError:  # also of a torch DataLoader, if what it loads has no length
        return None


def is_endless(data: Any) -> bool:
    """Whether a data set is known never to end."""
    return callable(getattr(data, "cardinality", None)) and int(data.cardinality()) == -1


# Bounded


def bounded(data: Any, batches: int | None, batch_size: int | None = None) -> Any:
    """The first batches of some data, in each pass the same if the data come in the same order.

    Args:
        data: As `fit` takes them.
        batches: How many batches; None for all.
        batch_size: For arrays. Defaults to None: arrays stay whole.

    Returns:
        Data of the same kind; unchanged if they are of a kind that cannot be bounded.
    """
    if batches is None:
        return data
    if are_arrays(data):
        return data if batch_size is None else _first_samples(data, batches * batch_size)
    first = _first_batches(data, batches)
    _remember(_ENDS, first)
    return first


def with_an_end(data: Any, batches: int | None) -> Any:
    """Data themselves if they are known to end; else the first batches, if it is known how many to take."""
    return data if ends(data) else bounded(data, batches)


def _first_samples(arrays, count):
    return keras.tree.map_structure(lambda array: array[:count], arrays)


def _first_batches(data, count):
    if callable(getattr(data, "cardinality", None)):
        return data.take(count)
    if isinstance(data, keras.utils.PyDataset):
        return _FirstOfDataset(data, count)
    return _first_of_loader(data, count) if _is_loader(data) else data


class _FirstOfDataset(keras.utils.PyDataset):
    """The first batches of a `PyDataset`, read by as many workers."""

    def __init__(self, dataset, count):
        super().__init__(dataset.workers, dataset.use_multiprocessing, dataset.max_queue_size)
        self._dataset, self._count = dataset, min(count, dataset.num_batches or count)

    def __len__(self):
        return self._count

    def __getitem__(self, index):
        return self._dataset[index]

    def on_epoch_begin(self):
        self._dataset.on_epoch_begin()

    def on_epoch_end(self):
        self._dataset.on_epoch_end()


def _is_loader(data) -> bool:
    torch = sys.modules.get("torch")  # whoever has made a DataLoader has imported it
    return torch is not None and isinstance(data, torch.utils.data.DataLoader)


def _first_of_loader(loader, count):
    """The first batches of a torch `DataLoader`, as another one."""
    import itertools

    import torch

    class First(torch.utils.data.IterableDataset):
        def __iter__(self):
            return itertools.islice(iter(loader), count)

    return torch.utils.data.DataLoader(First(), batch_size=None)


# Watched


@contextlib.contextmanager
def watched(data: Any, doing: str, *, shown: bool = True) -> Iterator[list[keras.callbacks.Callback]]:
    """A context for one pass over data; yields callbacks for it, which say what is read if no end of it is known.

    Args:
        data: As `fit` takes them.
        doing: What they are read for: "Judging".
        shown: Whether to show the batches so far on the live line. Defaults to True.
    """
    if ends(data):
        yield []
        return
    with Pass(data, doing, shown=shown) as one:
        yield [_Watch(one)]


def ends(data: Any) -> bool:
    """Whether some data are known to end."""
    return data is None or are_arrays(data) or num_batches(data) is not None or _is_in(_ENDS, data)


class Pass:
    """A pass over data whose end nobody knows: shows the batches so far, and warns if they go on for long.

    Args:
        data: The data.
        doing: What they are read for.
        shown: Whether to show the batches on the live line. Defaults to True.
    """

    def __init__(self, data: Any, doing: str, *, shown: bool = True):
        self.data, self.doing, self.shown = data, doing, shown
        self.batches, self._begun = 0, time.monotonic()
        self._live = contextlib.ExitStack()
        self._line: Activity | None = None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._live.close()

    def begin(self) -> None:
        """Begins with the first batch, again if there is another epoch."""
        self.batches, self._begun = 0, time.monotonic()

    def batch(self) -> None:
        """Counts a batch."""
        self.batches += 1
        seconds = time.monotonic() - self._begun
        if self.shown and seconds > PATIENCE:
            self._show()
        if seconds > SUSPICIOUS and not ends(self.data) and not _is_in(_WARNED, self.data):
            _remember(_WARNED, self.data)
            warn_caller(
                f"{self.doing}: {self.batches:,} batches in {seconds:.0f} seconds, and no end of the data is known. If "
                f"they never end, interrupt this, and say how many batches to take: {TO_BOUND}."
            )

    def _show(self):
        text = f"{self.doing}: {self.batches:,} batches so far"
        if self._line is None:
            self._line = self._live.enter_context(activity(text))
        self._line.update(text)

    def end(self) -> None:
        """Remembers that these data do end."""
        _remember(_ENDS, self.data)


class _Watch(keras.callbacks.Callback):
    """Counts the batches of `fit` or `evaluate` in a pass."""

    def __init__(self, one: Pass):
        super().__init__()
        self._pass = one

    def on_test_begin(self, logs=None):
        self._pass.begin()

    def on_test_batch_end(self, batch, logs=None):
        self._pass.batch()

    def on_test_end(self, logs=None):
        if not self.model.stop_evaluating:
            self._pass.end()

    def on_epoch_begin(self, epoch, logs=None):
        self._pass.begin()

    def on_train_batch_end(self, batch, logs=None):
        self._pass.batch()

    def on_epoch_end(self, epoch, logs=None):
        if not self.model.stop_training:
            self._pass.end()


def _is_in(known, data) -> bool:
    try:
        return data in known
    except TypeError:  # neither hashed nor referred to
        return False


def _remember(known, data):
    with contextlib.suppress(TypeError):
        known.add(data)
