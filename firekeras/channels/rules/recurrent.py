"""Recurrent layers: a unit is a filter, removed with its part of every gate and with what reads it one step later."""

import math

import numpy as np
from keras import layers, ops, tree

from firekeras.channels.call import Count
from firekeras.channels.labels import FIXED, Channels
from firekeras.channels.reading import squared
from firekeras.channels.registry import find_rule, rule
from firekeras.channels.rules.channelwise import why_not_elementwise
from firekeras.channels.rules.mixing import array

CELLS = (layers.LSTMCell, layers.GRUCell, layers.SimpleRNNCell)


@rule(layers.LSTM, layers.GRU, layers.SimpleRNN)
def recurrent(call, x, initial_state=None, mask=None):
    """LSTM, GRU and SimpleRNN."""
    return _followed(call, x, initial_state, mask)


@rule(layers.RNN)
def run_cell(call, x, initial_state=None, mask=None):
    """RNN of one of Keras's own cells."""
    return _followed(call, x, initial_state, mask)


@rule(layers.Bidirectional)
def bidirectional(call, x, initial_state=None, mask=None):
    """Two recurrent layers that read the same channels: unit k is tied to unit k, since Keras needs equal widths."""
    return _followed(call, x, initial_state, mask)


@rule(layers.ConvLSTM1D, layers.ConvLSTM2D, layers.ConvLSTM3D)
def conv_lstm(call, x, initial_state=None, mask=None):
    """ConvLSTM: convolutions of input and state at each position of each step."""
    return _followed(call, x, initial_state, mask)


def cells_of(layer) -> list:
    """The cells of a recurrent layer that can be tracked, of both directions; none for any other layer."""
    rule = find_rule(layer)
    if rule is bidirectional:
        both = [cells_of(way) for way in (layer.forward_layer, layer.backward_layer) if find_rule(way) is not conv_lstm]
        return [*both[0], *both[1]] if len(both) == 2 and all(both) else []
    if rule is conv_lstm:
        return [layer.cell]
    return [layer.cell] if rule in (recurrent, run_cell) and type(layer.cell) in CELLS else []


def axis_of(cell):
    """The channel axis of a cell's inputs and outputs, counted from the last one."""
    return -1 - cell.rank if getattr(cell, "data_format", None) == "channels_first" else -1


def width_of(cell):
    """The number of units of a cell."""
    return cell.filters if hasattr(cell, "filters") else cell.units


def _followed(call, x, initial_state, mask):
    cells = cells_of(call.layer)
    reason = _why_not_followed(cells, mask)
    if reason:
        for cell in cells or _stacked(call.layer):
            call.cost(x.shape[1] * _positions(call, cell) * (_size(cell.kernel) + _size(cell.recurrent_kernel)))
        return call.refuse((x, initial_state, mask), {}, reason)
    made = call.filters(
        width_of(cells[0]), lambda: np.concatenate([_as_filters(cell) for cell in cells]), needs_cap=True
    )
    axis = axis_of(cells[0])
    _read(call, x.shape[1], call.consume(x, axis), cells, made)
    for state in [] if initial_state is None else tree.flatten(initial_state):
        start = call.consume(state, axis) if isinstance(state, Channels) else np.full(made.size, FIXED)
        call.tie(made, start, "starts from a state that is fixed")
    _keep_or_size(call, cells, made)
    return _outputs(call, made, axis)


def _why_not_followed(cells, mask):
    if not cells:
        return "runs several cells, or cells other than those of LSTM, GRU and SimpleRNN"
    if len({width_of(cell) for cell in cells}) > 1:
        return "has directions of different widths"
    if isinstance(mask, Channels) and not mask.is_fixed:
        return "receives a mask that depends on channels"
    return None


def _read(call, steps, read, cells, made):
    """Declares weights and costs of cells that read the same channels, and their own units one step earlier."""
    call.reads(
        axis_of(cells[0]),
        *((cell.kernel, -2) for cell in cells),
        back=((cell.recurrent_kernel, -2) for cell in cells),
        strengths=lambda: np.hstack([squared(cell.kernel) for cell in cells]),
    )
    for cell in cells:
        *taps, _, outputs = cell.kernel.shape
        gates, beside = outputs // made.size, (None,) * len(taps)
        gated = np.tile(made, gates)
        call.weight(cell.kernel, *beside, read, gated)
        call.weight(cell.recurrent_kernel, *beside, made, gated)
        if cell.use_bias:
            call.weight(cell.bias, *(None,) * (len(cell.bias.shape) - 1), gated)
        factor = steps * _positions(call, cell) * math.prod(taps) * gates
        call.cost(factor, read, made)
        call.cost(factor, made, made)


def _positions(call, cell):
    """The number of positions that a cell convolves at in each step; 1 if it has none."""
    rank = getattr(cell, "rank", 0)
    sizes = call.output_shape[-rank - 1 :]
    return math.prod(size for k, size in enumerate(sizes) if k != axis_of(cell) % len(sizes)) if rank else 1


def _keep_or_size(call, cells, made):
    """Declares the setting with the number of units, or locks them if they have to stay."""
    reason = _why_units_stay(call.layer, cells)
    if reason:
        call.lock(Channels.along((None, made.size), -1, made), reason)
    else:
        call.setting(**_settings(call.layer, Count(made)))


def _why_units_stay(layer, cells):
    if layer.stateful:
        return "is stateful: it carries its units from batch to batch"
    count = width_of(cells[0])
    units = Channels.along((None, count), -1, np.arange(1, count + 1))
    used = (getattr(cell, name, None) for cell in cells for name in ("activation", "recurrent_activation"))
    return next((reason for function in used if (reason := why_not_elementwise(function, units))), None)


def _settings(layer, count):
    if find_rule(layer) is bidirectional:
        both = {"layer": layer.forward_layer, "backward_layer": layer.backward_layer}
        return {name: {"config": _settings(way, count)} for name, way in both.items()}
    if find_rule(layer) is run_cell:
        return {"cell": {"config": {"units": count}}}
    return {"filters" if find_rule(layer) is conv_lstm else "units": count}


def _outputs(call, made, axis):
    """Outputs and states; two concatenated directions contain their units twice."""
    reason = f"feeds back within {call.where}, and has no ReLU of its own"
    call.tracer.mark_unscored(Channels.along((None, made.size), -1, made), reason)
    units = call.tracer.space.new(made.size)
    call.tie(units, made)
    return [Channels.along(shape, axis, np.tile(units, shape[axis] // made.size)) for shape in call.output_shapes]


def _as_filters(cell):
    """The weights of each unit, gate after gate, `(gates, *taps, inputs and units, units)`."""
    kernel = np.concatenate([array(cell.kernel), array(cell.recurrent_kernel)], axis=-2)
    return np.moveaxis(kernel.reshape(*kernel.shape[:-1], -1, width_of(cell)), -2, 0)


def _stacked(layer):
    """The cells of an RNN, in order; none if some are not Keras's own."""
    if find_rule(layer) is bidirectional:
        return [*_stacked(layer.forward_layer), *_stacked(layer.backward_layer)]
    cell = getattr(layer, "cell", None)
    cells = list(cell.cells) if isinstance(cell, layers.StackedRNNCells) else [cell]
    return cells if all(type(each) in CELLS for each in cells) else []


def _size(variable):
    return math.prod(ops.shape(variable))
