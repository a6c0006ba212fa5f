"""Who reads which channels: a removed channel is missed by the layers that mix it with others, and nowhere else."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np

from firekeras.channels import traced
from firekeras.channels.registry import find_rule
from firekeras.channels.rules import channelwise, mixing, normalization, products, recurrent, wrappers
from firekeras.channels.walk import leaf_layers
from firekeras.criteria.units import scores_of_units, units_of
from firekeras.profile import FilterScores

WRAPPERS = (wrappers.time_distributed, wrappers.spectral_normalization)
MIXING = (mixing.dense, mixing.conv, mixing.conv_transpose, mixing.separable_conv)
CHANNELWISE = (
    *(mixing.depthwise_conv, mixing.conv, channelwise.prelu),  # a grouped convolution goes with what it reads
    *(normalization.batch_normalization, normalization.layer_normalization, normalization.group_normalization),
)


@dataclasses.dataclass(frozen=True)
class Reader:
    """A layer that mixes the channels that it reads.

    Args:
        layer: The layer.
        axis: The axis of the channels of its input.
        units: The unit of each channel that it reads, -1 for one that comes from no filter, `(channels,)`.
    """

    layer: keras.Layer
    axis: int
    units: np.ndarray

    def strengths(self) -> np.ndarray:
        """How strongly each output depends on each channel: its squared weights, summed, `(channels, outputs)`."""
        return _strengths(_inner(self.layer))

    def sum_over_units(self, total, values):
        """Adds the values of its channels, `(channels,)`, to those of their units, `(num_units,)`."""
        known = self.units >= 0
        np.add.at(total, self.units[known], values[known])


class Readers(dict):
    """The readers of a model, by path.

    Args:
        model: A Functional or Sequential model.

    Attributes:
        trace: The model's `Trace`.
        graph: Its `ChannelGraph`.
    """

    def __init__(self, model):
        self.trace = traced(model)
        self.graph = self.trace.graph
        leaves = dict(leaf_layers(model))
        super().__init__((path, self._reader(layer)) for path, layer in leaves.items() if self._mixes(layer))
        self._reasons = {unit: reason for path, layer in leaves.items() for unit, reason in self._strange(path, layer)}

    def _mixes(self, layer):
        inner = _inner(layer)
        mixes = find_rule(inner) in MIXING and getattr(inner, "groups", 1) == 1
        return mixes or products.is_dense(inner) or bool(recurrent.cells_of(inner))

    def _reader(self, layer):
        inner = _inner(layer)
        cells = recurrent.cells_of(inner)
        axis = recurrent.axis_of(cells[0]) if cells else mixing.channel_axis(inner)
        axis += find_rule(layer) is wrappers.time_distributed and axis > 0  # the axis of steps comes before it
        return Reader(layer, axis, units_of(self.trace, *_first_kernel(inner)))

    def _strange(self, path, layer):
        """Units that are read in a way that is not known here, with the reason."""
        for cell in recurrent.cells_of(_inner(layer)):
            back = units_of(self.trace, cell.recurrent_kernel, -2)
            yield from ((unit, f"feeds back within {_where(path, layer)}") for unit in back[back >= 0].tolist())
        if path in self or find_rule(layer) in CHANNELWISE:
            return
        for variable in layer.weights:
            for axis in range(len(variable.shape) if len(variable.shape) > 1 else 0):
                read = units_of(self.trace, variable, axis)
                for unit in read[read >= 0].tolist():
                    yield unit, f"is read by {_where(path, layer)}, of which it is not known how"

    def scores(self, values, criterion, missing="has none") -> FilterScores:
        """Scores from one value per unit; units that are not read, or in a way that is not known, have none.

        Args:
            values: A value per unit, higher goes first, NaN where there is none, `(num_units,)`.
            criterion: What the values are.
            missing: Why a unit that is read has none; completes "its output ...".
        """
        read = {unit for reader in self.values() for unit in reader.units.tolist()}
        unread = dict.fromkeys(set(range(self.graph.num_units)) - read, "is read by no layer")
        reasons = unread | self._reasons
        values = np.array(values)
        values[list(reasons)] = np.nan
        return scores_of_units(self.graph, values, criterion, missing, reasons)


def _where(path, layer):
    return f"{path} ({type(layer).__name__})"


def _inner(layer):
    """The layer itself, or what is inside its wrappers."""
    return _inner(layer.layer) if find_rule(layer) in WRAPPERS else layer


def _first_kernel(layer):
    """The weights with which a layer reads channels, and the axis of these."""
    cells = recurrent.cells_of(layer)
    if cells:
        return cells[0].kernel, -2
    if find_rule(layer) is mixing.separable_conv:
        return layer.depthwise_kernel, -2
    return layer.kernel, -1 if find_rule(layer) is mixing.conv_transpose else -2


def _strengths(layer):
    cells = recurrent.cells_of(layer)
    if cells:
        return np.hstack([_squares(cell.kernel) for cell in cells])
    if find_rule(layer) is mixing.separable_conv:
        depthwise, pointwise = _squares(layer.depthwise_kernel), _squares(layer.pointwise_kernel)
        return np.einsum("cm,cmf->cf", depthwise, pointwise.reshape(*depthwise.shape, -1))
    kernel, axis = _first_kernel(layer)
    return _squares(kernel).T if axis == -1 else _squares(kernel)


def _squares(kernel):
    """Squared weights, summed over all but the last two axes, in float64."""
    return np.square(mixing.array(kernel).astype("float64")).sum(axis=tuple(range(len(kernel.shape) - 2)))
