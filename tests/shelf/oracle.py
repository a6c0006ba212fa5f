"""Decides whether a pruned network computes what its original computes without the removed channels.

It reads from the weights that survived which input channels each mixing layer kept, and sets the
others to zero in the original for a while: a channel that no consumer looks at is a channel that is
zero after its normalization and activation. A recurrent layer is a consumer of its own units, one step
later; attention, in its last projection, of its heads. Weights must all differ (`networks.scramble`).
"""

import keras
import numpy as np
from keras import layers as L
from keras.src.layers.rnn.conv_lstm import ConvLSTMCell
from networks import leaves, predictions, samples

TRANSPOSED = (L.Conv1DTranspose, L.Conv2DTranspose, L.Conv3DTranspose)
SEPARABLE = (L.SeparableConv1D, L.SeparableConv2D)
MIXING = (L.Conv1D, L.Conv2D, L.Conv3D, L.Dense, *TRANSPOSED, *SEPARABLE)
RECURRENT = (L.LSTM, L.GRU, L.SimpleRNN, L.RNN, L.ConvLSTM1D, L.ConvLSTM2D, L.ConvLSTM3D)
ATTENTION = (L.MultiHeadAttention, L.GroupQueryAttention)
CELLS = (L.LSTMCell, L.GRUCell, L.SimpleRNNCell, ConvLSTMCell)


def assert_pruned_equals_masked(model, plan, smaller, tolerance=1e-3):
    """Compares outputs relative to how much they vary, and the filters that are left with the plan."""
    assert_filters_gone(model, plan, smaller)
    x = samples(model)
    assert_same_outputs(masked_predictions(model, plan, smaller, x), predictions(smaller, x), tolerance)


def masked_predictions(model, plan, smaller, x):
    """What the original gives while its layers ignore the removed channels; its weights are put back."""
    weights, twins = model.get_weights(), leaves(smaller)
    try:
        for path, layer in leaves(model).items():
            for one, other in zip(_mixing(layer), _mixing(twins[path]), strict=False):  # of groups one may be left
                _ignore_removed_inputs(one, other, plan.removed.get(path, ()))
            if isinstance(layer, ATTENTION):
                _ignore_in_attention(layer, twins[path], plan.removed.get(f"{path}/heads", ()))
        return predictions(model, x)
    finally:
        model.set_weights(weights)


def assert_filters_gone(model, plan, smaller):
    """The layers' widths are exactly those of the plan."""
    old, new = leaves(model), leaves(smaller)
    assert list(old) == list(new)
    for path, width in plan.widths.items():
        left = width - len(plan.removed.get(path, ()))
        found = _heads(new[path.removesuffix("/heads")]) if path.endswith("/heads") else _width(new[path])
        assert found == left, path


def assert_same_outputs(expected, found, tolerance=1e-3):
    assert [y.shape for y in expected] == [y.shape for y in found]
    for one, other in zip(expected, found, strict=True):
        spread = np.std(one, axis=0).max()
        assert spread > 1e-4 * np.abs(one).max(), "the outputs hardly depend on the inputs"
        np.testing.assert_allclose(other, one, rtol=0, atol=tolerance * spread)


def _mixing(layer):
    """The layers inside a layer that read all channels; a grouped convolution reads its own only."""
    if isinstance(layer, (L.TimeDistributed, L.SpectralNormalization)):
        return _mixing(layer.layer)
    if isinstance(layer, L.Bidirectional):
        return [layer.forward_layer.cell, layer.backward_layer.cell]
    if isinstance(layer, RECURRENT):
        return [layer.cell] if isinstance(layer.cell, CELLS) else []
    if isinstance(layer, L.EinsumDense):
        return [layer] if len(layer.kernel.shape) == 2 else []
    return [layer] if isinstance(layer, MIXING) and getattr(layer, "groups", 1) == 1 else []


def _width(layer):
    if isinstance(layer, (L.TimeDistributed, L.SpectralNormalization)):
        return _width(layer.layer)
    if isinstance(layer, (L.Bidirectional, *RECURRENT)):
        widths = {_units(cell) for cell in _mixing(layer)}
        assert len(widths) == 1
        return widths.pop()
    if isinstance(layer, ATTENTION):
        return layer._output_dense.kernel.shape[-1]
    if isinstance(layer, (L.DepthwiseConv1D, L.DepthwiseConv2D)):
        return int(np.prod(layer.kernel.shape[-2:]))
    kernel = _filters_last(layer)
    return kernel.shape[-1]


def _filters_last(layer):
    kernel = keras.ops.convert_to_numpy(layer.pointwise_kernel if isinstance(layer, SEPARABLE) else layer.kernel)
    return np.swapaxes(kernel, -1, -2) if isinstance(layer, TRANSPOSED) else kernel


def _units(cell):
    return cell.filters if isinstance(cell, ConvLSTMCell) else cell.units


def _heads(layer):
    return layer._key_dense.kernel.shape[1]


def _ignore_removed_inputs(layer, smaller, removed):
    if isinstance(layer, CELLS):
        _ignore_rows(layer.recurrent_kernel, removed, axis=-2)
        removed = [gate + unit for gate in range(0, layer.kernel.shape[-1], _units(layer)) for unit in removed]
    full = _filters_last(layer).copy()
    full[..., _unread(full, _filters_last(smaller), removed), :] = 0
    variable = layer.pointwise_kernel if isinstance(layer, SEPARABLE) else layer.kernel
    variable.assign(np.swapaxes(full, -1, -2) if isinstance(layer, TRANSPOSED) else full)


def _ignore_in_attention(layer, smaller, removed):
    """Heads read the query, keys and values, and the last projection reads heads: `removed` are those of keys."""
    for name in ("_query_dense", "_key_dense", "_value_dense", "_gate_dense"):
        if hasattr(layer, name):
            one, other = getattr(layer, name), getattr(smaller, name)
            gone = _with_their_group(removed, one.kernel.shape[1] // _heads(layer))
            full, cut = (np.moveaxis(keras.ops.convert_to_numpy(dense.kernel), 2, 0) for dense in (one, other))
            _ignore_rows(one.kernel, _unread(full, cut, gone))
    group = layer._query_dense.kernel.shape[1] // _heads(layer)
    _ignore_rows(layer._output_dense.kernel, _with_their_group(removed, group))


def _with_their_group(heads, size):
    return [size * head + k for head in heads for k in range(size)]


def _unread(full, cut, removed):
    """Which inputs a kernel `(..., inputs, filters)` no longer reads, but for its removed filters."""
    rows = {one.tobytes(): k for k, one in enumerate(_by_input(np.delete(full, removed, axis=-1)))}
    kept = [rows[one.tobytes()] for one in _by_input(cut)]
    assert kept == sorted(set(kept))
    return np.delete(np.arange(full.shape[-2]), kept)


def _ignore_rows(variable, rows, axis=0):
    value = keras.ops.convert_to_numpy(variable).copy()
    np.moveaxis(value, axis, 0)[np.asarray(rows, int)] = 0
    variable.assign(value)


def _by_input(kernel):
    return [np.ascontiguousarray(one) for one in np.moveaxis(kernel, -2, 0)]
