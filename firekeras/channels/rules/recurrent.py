"""Recurrent layers: they read channels at each step; their own units, which feed back, stay."""

import math

from keras import layers, ops

from firekeras.channels.call import Call
from firekeras.channels.registry import find_rule, rule
from firekeras.channels.rules.mixing import channel_axis

CELLS = (layers.LSTMCell, layers.GRUCell, layers.SimpleRNNCell)


@rule(layers.LSTM, layers.GRU, layers.SimpleRNN)
def recurrent(call, x, **kwargs):
    """LSTM, GRU and SimpleRNN."""
    if kwargs:
        _count(call, x, [call.layer.cell])
        return call.refuse((x,), kwargs, "is given a state or a mask")
    return _read(call, x, [call.layer.cell])


@rule(layers.Bidirectional)
def bidirectional(call, x, **kwargs):
    """Two recurrent layers that read the same channels."""
    both = (call.layer.forward_layer, call.layer.backward_layer)
    cells = [cell for layer in both for cell in _cells(layer)]
    if kwargs or not all(find_rule(layer) is recurrent for layer in both):
        _count(call, x, cells)
        return call.refuse((x,), kwargs, "is given a state or a mask, or wraps no LSTM, GRU or SimpleRNN")
    return _read(call, x, cells)


@rule(layers.RNN)
def cells_in_a_row(call, x, **kwargs):
    """RNN of any cells: counted if Keras's own are all that it runs."""
    _count(call, x, _cells(call.layer))
    return call.refuse((x,), kwargs, "runs cells whose channels are not followed")


@rule(layers.ConvLSTM1D, layers.ConvLSTM2D, layers.ConvLSTM3D)
def conv_lstm(call, x, **kwargs):
    """ConvLSTM: the convolutions of what comes in and of the state, at each position of each step."""
    cell = call.layer.cell
    axis = channel_axis(cell) % (x.rank - 1) - 1  # of one sample at one step
    sizes = call.layer.compute_output_shape((None, *x.shape[1:]))[-cell.rank - 1 :]
    positions = math.prod(size for k, size in enumerate(sizes) if k != axis)
    call.cost(x.shape[1] * positions * (_size(cell.kernel) + _size(cell.recurrent_kernel)))
    return call.refuse((x,), kwargs, "convolves over steps, which surgery does not follow")


def _cells(layer):
    """The cells of a recurrent layer, one after the other; none if it has others than Keras's own."""
    cell = getattr(layer, "cell", None)
    cells = list(cell.cells) if isinstance(cell, layers.StackedRNNCells) else [cell]
    return cells if all(type(one) in CELLS for one in cells) else []


def _read(call: Call, x, cells):
    steps, read = x.shape[1], call.consume(x, -1)
    for cell in cells:
        call.weight(cell.kernel, read, None)
        call.cost(steps * cell.kernel.shape[1], read)
        call.cost(steps * _size(cell.recurrent_kernel))
    return call.fixed_outputs()


def _count(call, x, cells):
    for cell in cells:
        call.cost(x.shape[1] * (_size(cell.kernel) + _size(cell.recurrent_kernel)))


def _size(variable):
    return math.prod(ops.shape(variable))
