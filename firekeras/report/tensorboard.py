"""Writes rounds for TensorBoard, on every backend: needs the package `tensorboard`, but no TensorFlow."""

from __future__ import annotations

import io
import os
import socket
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from firekeras.atomic import naming
from firekeras.channels.costs import SHOWN
from firekeras.report.heatmap import picture

if TYPE_CHECKING:
    from firekeras.rounds.records import RoundRecord
    from firekeras.scores.profile import FireProfile

AFTER_CUT = "accuracy_after_cut"
SCALARS = ("accuracy", AFTER_CUT, *SHOWN, "filters_removed", "accepted")


class TensorBoardRounds:
    """Writes rounds to a folder that `tensorboard --logdir` shows: a step per round.

    TensorBoard stores scalars as float32, so MACs beyond 16.7 million are rounded to seven digits.

    Args:
        log_dir: The folder, created if it does not exist. Files in it stay: a resumed run adds to them.

    Raises:
        ValueError: If the package `tensorboard` is not installed, or the folder is a file.
        OSError: If it cannot be written to.

    Example:
    >>> from firekeras.report.tensorboard import TensorBoardRounds
    >>> board = TensorBoardRounds("logs/pruning")
    >>> for record in result.rounds:
    ...     board.write(record)
    """

    def __init__(self, log_dir: str | Path):
        _check_installed()
        folder = Path(log_dir)
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"TensorBoard reads a folder. Received: {folder}, which is a file.")
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}.firekeras"
        self.path = folder / name
        self._append(file_version="brain.Event:2")

    def write(self, record: RoundRecord, profile: FireProfile | None = None):
        """Writes a round: `rounds/accuracy`, `rounds/conv_macs`, ..., and `rounds/fire` as an image.

        Args:
            record: A `RoundRecord`. Figures that are None are left out, and so is the metric after the cut if there was
                none.
            profile: The `FireProfile` that was measured in this round. Defaults to None.
        """
        from tensorboard.compat.proto.summary_pb2 import Summary

        scalars = {name: getattr(record, name, None) for name in SCALARS if name != AFTER_CUT or record.filters_removed}
        values = [Summary.Value(tag=f"rounds/{n}", simple_value=float(v)) for n, v in scalars.items() if v is not None]
        if profile is not None:
            values.append(Summary.Value(tag="rounds/fire", image=_png(picture(profile))))
        try:
            self._append(step=record.number, summary=Summary(value=values))
        except OSError as error:  # a full disk ends no run
            warnings.warn(f"Round {record.number} is missing in TensorBoard: {error}.", stacklevel=2)

    def _append(self, **event):
        """Appends an event and flushes it to disk; TensorBoard's own writer would import TensorFlow if it could."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.record_writer import RecordWriter

        with naming(self.path), open(self.path, "ab") as file:
            RecordWriter(file).write(Event(wall_time=time.time(), **event).SerializeToString())


def _png(image):
    from tensorboard.compat.proto.summary_pb2 import Summary

    file = io.BytesIO()
    image.save(file, "PNG")
    return Summary.Image(width=image.width, height=image.height, colorspace=3, encoded_image_string=file.getvalue())


def _check_installed():
    try:
        import tensorboard  # noqa: F401
    except ImportError as error:
        raise ValueError(
            "Writing for TensorBoard needs the package tensorboard, which is not installed: pip install tensorboard."
        ) from error
