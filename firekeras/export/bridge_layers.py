"""How each Keras 3 layer is written in tf_keras: by its config, or by a function registered here."""

from __future__ import annotations

import inspect

import keras
import numpy as np

from firekeras.refusals import Registry

# activations that tf_keras computes like Keras 3; hard_sigmoid, for instance, is a different function there
ACTIVATIONS = frozenset(
    (
        "linear",
        "relu",
        "softmax",
        "sigmoid",
        "tanh",
        "elu",
        "selu",
        "softplus",
        "softsign",
        "exponential",
        "silu",
        "gelu",
    )
)
# fmt: off
BY_CONFIG = frozenset((
    "Conv1D", "Conv2D", "Conv3D", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose", "DepthwiseConv2D",
    "SeparableConv1D", "SeparableConv2D", "Dense", "BatchNormalization", "LayerNormalization", "Activation", "ReLU",
    "ELU", "Softmax", "PReLU", "Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate",
    "Flatten", "Reshape", "Permute", "RepeatVector", "Dropout", "SpatialDropout1D", "SpatialDropout2D",
    "SpatialDropout3D", "GaussianNoise", "GaussianDropout", "ActivityRegularization", "MaxPooling1D", "MaxPooling2D",
    "MaxPooling3D", "AveragePooling1D", "AveragePooling2D", "AveragePooling3D", "GlobalMaxPooling1D",
    "GlobalMaxPooling2D", "GlobalMaxPooling3D", "GlobalAveragePooling1D", "GlobalAveragePooling2D",
    "GlobalAveragePooling3D", "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D", "Cropping1D", "Cropping2D",
    "Cropping3D", "UpSampling1D", "UpSampling2D", "UpSampling3D",
))
# fmt: on
LEFT_OUT = ("initializer", "constraint", "dtype")  # weights are copied; everything is float32, tf_keras's precision

CONVERSIONS = Registry("layer class", "firekeras.export.bridge_layers.conversion")


def conversion(*class_names):
    """Registers a function `(layer, name, shape) -> tf_keras layers, one behind the other`, for Keras 3 classes.

    `layer` may also be an operation of `keras.ops`; `shape` is that of its input, batch included. The function
    raises `ValueError` if it cannot convert, with a reason that completes "NAME ...".
    """
    return CONVERSIONS.register(*class_names)


def converted(layer, name, shape) -> list:
    """The tf_keras layers, in sequence, that compute what a Keras 3 layer or operation does.

    Args:
        layer: A `keras.Layer`, or an operation of `keras.ops`.
        name: The name of the first of them.
        shape: The shape of its input, batch included; of the first one if there are several.

    Raises:
        ValueError: If it has no counterpart; the reason completes "NAME ...".
    """
    kind = type(layer).__name__
    if not type(layer).__module__.startswith("keras."):
        raise ValueError("is not a Keras layer")
    if kind in CONVERSIONS:
        return CONVERSIONS[kind](layer, name, shape)
    if kind not in BY_CONFIG or not isinstance(layer, keras.Layer):
        raise ValueError("has no counterpart here")
    _check_precision(layer)
    return [_by_config(layer, kind, name)]


def _by_config(layer, kind, name):
    """The layer of the same name, with all settings that it takes."""
    import tf_keras

    target = getattr(tf_keras.layers, kind)
    taken = {key for cls in target.__mro__ for key in inspect.signature(cls.__init__).parameters}
    settings = {
        k: v for k, v in layer.get_config().items() if k in taken and not k.endswith(LEFT_OUT) and k != "trainable"
    }
    for key, value in settings.items():
        settings[key] = _setting(key, value)
    made = target(**{**settings, "name": name})
    made.trainable = layer.trainable
    return made


def _setting(key, value):
    if key.endswith("activation"):
        return _known_activation(value)
    if key.endswith("regularizer") and value is not None:
        import tf_keras

        return tf_keras.regularizers.deserialize({"class_name": value["class_name"], "config": value["config"]})
    return value


def _known_activation(value):
    if value is None or value in ACTIVATIONS:
        return value
    shown = value if isinstance(value, str) else value.get("config", value)
    raise ValueError(f"has the activation {shown!r}, which tf_keras computes differently or does not know")


def _check_precision(layer):
    import tf_keras

    expected = tf_keras.backend.floatx()
    if layer.dtype_policy.name != expected:
        raise ValueError(f"computes in {layer.dtype_policy.name}: rebuild the model with {expected} layers")


# Layers with other names, or that TF-MOT knows under another name


@conversion("LeakyReLU")
def _leaky_relu(layer, name, shape):
    import tf_keras

    return [tf_keras.layers.LeakyReLU(alpha=layer.negative_slope, name=name)]


@conversion("Relu")
def _relu(operation, name, shape):
    import tf_keras

    return [tf_keras.layers.ReLU(name=name)]


@conversion("Relu6")
def _relu6(operation, name, shape):
    import tf_keras

    return [tf_keras.layers.ReLU(6.0, name=name)]


@conversion("Activation")
def _activation(layer, name, shape):
    import tf_keras

    _check_precision(layer)
    if layer.activation is keras.activations.relu6:
        return [tf_keras.layers.ReLU(6.0, name=name)]
    return [_by_config(layer, "Activation", name)]


@conversion("Rescaling")
def _rescaling(layer, name, shape):
    return [_per_channel(layer.scale, layer.offset, name, shape)]


@conversion("Normalization")
def _normalization(layer, name, shape):
    if layer.invert or layer.mean is None:
        raise ValueError("is inverted, or not adapted to data yet")
    mean, variance = (np.squeeze(keras.ops.convert_to_numpy(value)) for value in (layer.mean, layer.variance))
    scale = 1 / np.maximum(np.sqrt(variance), keras.backend.epsilon())
    return [_per_channel(scale, -mean * scale, name, shape)]


def _per_channel(scale, offset, name, shape):
    """`x * scale + offset` per channel, as a fixed 1x1 depthwise convolution, which TF-MOT can quantize."""
    import tf_keras

    if len(shape) != 4 or np.ndim(scale) > 1 or np.size(scale) not in (1, shape[-1]):
        raise ValueError(f"scales an input of shape {shape}: expected images, scaled by channel")
    made = tf_keras.layers.DepthwiseConv2D(1, name=name, trainable=False)
    made.build(shape)
    one = np.ones(shape[-1], "float32")
    made.set_weights([(one * scale).reshape(1, 1, -1, 1), one * offset])
    return made


@conversion("Pad")
def _pad(operation, name, shape):
    """Zeros around images; for zero channels, which no tf_keras layer adds, the axes are transposed."""
    import tf_keras

    layers = tf_keras.layers
    width = operation.pad_width
    if operation.mode != "constant" or len(shape) != 4 or len(width) != 4 or any(width[0]):
        raise ValueError("pads something other than images, or not with zeros")
    if not any(width[3]):
        return [layers.ZeroPadding2D(width[1:3], name=name)]
    if any(width[1]) or any(width[2]):
        raise ValueError("pads space and channels at once")
    there, padding = (
        layers.Permute((3, 1, 2), name=name),
        layers.ZeroPadding2D((width[3], (0, 0)), name=f"{name}_zeros"),
    )
    return [there, padding, layers.Permute((2, 3, 1), name=f"{name}_back")]
