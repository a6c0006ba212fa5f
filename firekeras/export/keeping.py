"""Keeps the results of `sparsify` and `cluster` during quantization-aware training."""

from __future__ import annotations

import math
import re

import numpy as np

from firekeras.export import tfmot

MOST_VALUES = 128  # distinct values of a kernel that counts as clustered: int8 has 255


def quantized(legacy):
    """A tf_keras model prepared for TF-MOT's int8 training; zeros in kernels stay zero, shared values shared.

    TF-MOT preserves them in `Conv2D` and `Dense`.

    Args:
        legacy: The tf_keras model.
    """
    tools = tfmot.load().quantization.keras
    _count_names(legacy)
    return tools.quantize_apply(tools.quantize_annotate_model(legacy), _scheme(_is_clustered(legacy)))


def _is_clustered(legacy) -> bool:
    """Whether the weights of each larger kernel share a few values."""
    kernels = [np.asarray(legacy.get_layer(name).kernel) for name in tfmot.kernels(legacy)]
    larger = [kernel for kernel in kernels if math.prod(kernel.shape) > 4 * MOST_VALUES]
    return bool(larger) and all(np.unique(kernel).size <= MOST_VALUES for kernel in larger)


def _count_names(legacy):
    """Advances tf_keras's counter past names such as `conv2d_3`: TF-MOT uses them for split separable convolutions."""
    import tf_keras

    matches = [re.fullmatch(r"(?:depthwise_)?conv2d(?:_(\d+))?", layer.name) for layer in legacy.layers]
    highest = max((int(match[1] or 0) for match in matches if match), default=-1)
    for kind in (tf_keras.layers.Conv2D, tf_keras.layers.DepthwiseConv2D):
        next_number = int(kind(1, 1).name.rpartition("conv2d")[2].strip("_") or 0)
        for _ in range(next_number, highest):
            kind(1, 1)


def _scheme(clustered):
    """TF-MOT's 8-bit scheme that preserves shared values, or zeros; for other layers its default scheme."""
    from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
        default_8bit_quantize_registry,
        default_8bit_quantize_scheme,
    )

    class Registry(default_8bit_quantize_registry.Default8BitQuantizeRegistry):
        def get_quantize_config(self, layer):
            keeping = _keeping(clustered)
            return keeping.get_quantize_config(layer) if keeping.supports(layer) else super().get_quantize_config(layer)

    class Scheme(default_8bit_quantize_scheme.Default8BitQuantizeScheme):
        def get_quantize_registry(self):
            return Registry()

    return Scheme()


def _keeping(clustered):
    """The registry that preserves zeros, or shared values: one per layer, since a layer without zeros disables it."""
    from tensorflow_model_optimization.python.core.quantization.keras.collab_opts.cluster_preserve import (
        cluster_preserve_quantize_registry as values,
    )
    from tensorflow_model_optimization.python.core.quantization.keras.collab_opts.prune_preserve import (
        prune_preserve_quantize_registry as zeros,
    )

    if clustered:
        return values.Default8bitClusterPreserveQuantizeRegistry(preserve_sparsity=True)
    return zeros.Default8bitPrunePreserveQuantizeRegistry()
