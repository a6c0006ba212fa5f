"""Runs layers at inference, whatever they call.

A layer without a `training` argument passes on that of the call around it. If there is none, some of Keras's layers
(Resizing) put all later layers into training mode, and batch normalization updates its statistics.
"""

from __future__ import annotations

import keras


class _Inference(keras.Layer):
    def __init__(self):
        super().__init__(autocast=False)

    def call(self, function, training=None):
        return function()


def at_inference(function):
    """The result of a function without arguments, with all layers that it calls at inference."""
    return _Inference()(function=function, training=False)
