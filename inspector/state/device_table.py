"""A latency table in a file: how long the layers of a network take on a device."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from firekeras.channels.graph import ChannelGraph
from firekeras.channels.latency_table import ADVICE, LatencyTable

ENDING = ".latency.json"
NO_TABLE = (
    "How long the layers take is not known yet. Measure a latency table here (Shift+F7), or open one that was measured "
    "on your device (File menu)."
)
HERE = "Measure one here (Shift+F7)."
LONGEST = 24  # letters of a device's name that the window has room for


@dataclasses.dataclass(frozen=True)
class DeviceTable:
    """A latency table and its file.

    Args:
        path: The file.
        table: The `LatencyTable`.
    """

    path: Path
    table: LatencyTable

    @classmethod
    def read(cls, path: Path) -> DeviceTable:
        """Reads a table.

        Raises:
            ValueError: If it is none, or is damaged.
        """
        return cls(path, _in_our_words(LatencyTable.load, path))

    def on(self, graph: ChannelGraph) -> ChannelGraph:
        """A copy of a graph that knows how long its layers take.

        Raises:
            ValueError: If the table is of another network.
        """
        return _in_our_words(self.table.on, graph)

    @property
    def device(self) -> str:
        """The name of the device, shortened in its middle if it is long."""
        name = " ".join(self.table.device.split())
        half = LONGEST // 2
        return name if len(name) <= LONGEST else f"{name[:half].rstrip()}…{name[1 - half :].lstrip()}"

    @property
    def details(self) -> str:
        """How it was measured, as a sentence."""
        table = self.table
        threads = "" if table.threads is None else f", {table.threads} thread{'s' * (table.threads > 1)}"
        return f"{self.path.name}: {table.runtime} on {table.device}{threads}, batch size {table.batch_size}."


def _in_our_words(call, argument):
    """Calls a function of the library, whose advice is for programs."""
    try:
        return call(argument)
    except ValueError as error:
        raise ValueError(str(error).replace(ADVICE, HERE)) from error


def beside(model: Path) -> Path:
    """The path of the table of a model that was measured here."""
    return model.with_name(model.name.removesuffix(".keras") + ENDING)
