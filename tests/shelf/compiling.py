"""Whether TensorFlow compiles; other backends do as ever."""

import contextlib

import keras


@contextlib.contextmanager
def compiling(wanted):
    """Has TensorFlow compile, or run as it comes what it would compile for seconds to run it for an instant.

    Args:
        wanted: Whether it compiles.
    """
    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    eagerly = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(not wanted)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(eagerly)
