"""Layers and operations that leave values as they are at inference, whoever asks."""

from keras import layers

from firekeras.keras_models.internals import core_ops, numpy_ops

UNCHANGED = (
    layers.ActivityRegularization,
    layers.AlphaDropout,
    layers.Dropout,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.Identity,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
    layers.SpatialDropout3D,
    core_ops.Cast,
    core_ops.StopGradient,
    numpy_ops.Copy,
)
