"""Which layers read which channels: only layers that mix a channel with others miss it once it is removed."""

from __future__ import annotations

import numpy as np

from firekeras.channels.reading import Reading
from firekeras.network import Network
from firekeras.scores.criteria.units import scores_of_units
from firekeras.scores.profile import FilterScores


class Reader:
    """A layer that mixes the channels that it reads.

    Args:
        reading: Its `Reading`.
        units: The unit of each channel that it reads, -1 for channels of no filter, `(channels,)`.
    """

    def __init__(self, reading: Reading, units: np.ndarray):
        self.axis, self.strengths, self.units = reading.axis, reading.strengths, units

    def sum_over_units(self, total, values):
        """Adds values per channel, `(channels,)`, to totals per unit, `(num_units,)`."""
        known = self.units >= 0
        np.add.at(total, self.units[known], values[known])


class Readers(dict):
    """The readers of a model, by path.

    Args:
        model: A Functional or Sequential model.

    Attributes:
        network: The model's `Network`.
        graph: Its `ChannelGraph`.
    """

    def __init__(self, model):
        self.network = Network.of(model)
        self.graph = self.network.graph
        known = {path: reading for path, reading in self.network.readings.items() if reading.strengths}
        super().__init__(
            (path, Reader(reading, self.network.units_along(*reading.kernels[0]))) for path, reading in known.items()
        )
        self._reasons = {unit: reason for path in self.network.consumed for unit, reason in self._strange(path)}

    def _strange(self, path):
        """Yields units that are read in an unknown way, with the reason."""
        if path not in self.graph.layers:
            return  # it has no weights
        where = f"{path} ({self.graph.layers[path].kind})"
        for kernel in self.network.readings[path].back if path in self.network.readings else ():
            yield from ((unit, f"feeds back within {where}") for unit in self._units(kernel))
        if path not in self:
            yield from ((unit, f"is read by {where} in an unknown way") for unit in self._missed_by(path))

    def _missed_by(self, path):
        """The units that a layer reads and mixes by weights, without those coupled with its own filters."""
        if path in self.network.readings:
            return [unit for kernel in self.network.readings[path].kernels for unit in self._units(kernel)]
        own = self.graph.filters(path).tolist() if path in self.graph.filter_layers else []
        return sorted({*self.network.units_read(path).tolist()} - {*own}) if self.graph.layers[path].weights else []

    def _units(self, kernel):
        units = self.network.units_along(*kernel)
        return units[units >= 0].tolist()

    def scores(self, values, criterion, missing="has none") -> FilterScores:
        """Scores from one value per unit; units that are not read, or in an unknown way, get none.

        Args:
            values: A value per unit, higher is removed first, NaN for none, `(num_units,)`.
            criterion: The name of the values.
            missing: Why a unit that is read has no value; completes "its output ...".
        """
        read = {unit for reader in self.values() for unit in reader.units.tolist()}
        unread = dict.fromkeys(set(range(self.graph.num_units)) - read, "is read by no layer")
        reasons = unread | self._reasons
        values = np.array(values)
        values[list(reasons)] = np.nan
        return scores_of_units(self.graph, values, criterion, missing, reasons)
