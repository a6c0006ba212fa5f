"""Decides whether a pruned network computes what its original computes without the removed channels.

It reads from the weights that survived which input channels each mixing layer kept, and sets the
others to zero in a copy of the original: a channel that no consumer looks at is a channel that is
zero after its normalization and activation. Weights must all differ (`networks.scramble`).
"""

import keras
import numpy as np
from keras import layers as L
from networks import leaves, predictions, samples

TRANSPOSED = (L.Conv1DTranspose, L.Conv2DTranspose, L.Conv3DTranspose)
SEPARABLE = (L.SeparableConv1D, L.SeparableConv2D)
MIXING = (L.Conv1D, L.Conv2D, L.Conv3D, L.Dense, *TRANSPOSED, *SEPARABLE)


def assert_pruned_equals_masked(model, plan, smaller, tolerance=1e-3):
    """Compares outputs relative to how much they vary, and the filters that are left with the plan."""
    masked = keras.models.clone_model(model)
    masked.set_weights(model.get_weights())
    assert_filters_gone(model, plan, smaller)
    for path, layer in leaves(masked).items():
        if isinstance(layer, MIXING):
            _ignore_removed_inputs(layer, leaves(smaller)[path], plan.removed.get(path, ()))
    x = samples(model)
    assert_same_outputs(predictions(masked, x), predictions(smaller, x), tolerance)


def assert_filters_gone(model, plan, smaller):
    """The layers' widths are exactly those of the plan."""
    old, new = leaves(model), leaves(smaller)
    assert list(old) == list(new)
    for path, width in plan.widths.items():
        left = width - len(plan.removed.get(path, ()))
        assert _width(new[path]) == left, path


def assert_same_outputs(expected, found, tolerance=1e-3):
    assert [y.shape for y in expected] == [y.shape for y in found]
    for one, other in zip(expected, found, strict=True):
        spread = np.std(one, axis=0).max()
        assert spread > 1e-4 * np.abs(one).max(), "the outputs hardly depend on the inputs"
        np.testing.assert_allclose(other, one, rtol=0, atol=tolerance * spread)


def _width(layer):
    if isinstance(layer, (L.DepthwiseConv1D, L.DepthwiseConv2D)):
        return int(np.prod(layer.kernel.shape[-2:]))
    kernel = _filters_last(layer)
    return kernel.shape[-1]


def _filters_last(layer):
    kernel = keras.ops.convert_to_numpy(layer.pointwise_kernel if isinstance(layer, SEPARABLE) else layer.kernel)
    return np.swapaxes(kernel, -1, -2) if isinstance(layer, TRANSPOSED) else kernel


def _ignore_removed_inputs(layer, smaller, removed):
    full, cut = _filters_last(layer), _filters_last(smaller)
    rows = {one.tobytes(): k for k, one in enumerate(_by_input(np.delete(full, removed, axis=-1)))}
    kept = [rows[one.tobytes()] for one in _by_input(cut)]
    assert kept == sorted(set(kept))
    gone = np.delete(np.arange(full.shape[-2]), kept)
    full[..., gone, :] = 0
    variable = layer.pointwise_kernel if isinstance(layer, SEPARABLE) else layer.kernel
    variable.assign(np.swapaxes(full, -1, -2) if isinstance(layer, TRANSPOSED) else full)


def _by_input(kernel):
    return [np.ascontiguousarray(one) for one in np.moveaxis(kernel, -2, 0)]
