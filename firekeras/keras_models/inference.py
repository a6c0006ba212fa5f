"""Runs layers at inference, whatever they call.

A layer that takes no `training` passes on what is around it. If nothing is, some of Keras's layers (Resizing) have all
that comes after them train, and batch normalisation takes up what it is given.
"""

from __future__ import annotations

import keras


class _Inference(keras.Layer):
    def __init__(self):
        super().__init__(autocast=False)

    def call(self, function, training=None):
        return function()


def at_inference(function):
    """What a function without arguments gives, with all layers that it calls at inference."""
    return _Inference()(function=function, training=False)
