"""A small run of `compress` in a process of its own, so that tests can kill it."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from keras import layers as L
from sides import draw

SETTINGS = {
    "pruning_ratio": 0.15,
    "tolerance": 1.0,
    "epochs": 4,
    "batch_size": 32,
    "seed": 7,
    "verbose": 0,
}


def model():
    """A network with all that holds state: BatchNormalization, dropout, momentum."""
    keras.utils.set_random_seed(3)
    network = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            L.Conv2D(12, 3, name="conv1", use_bias=False),
            L.BatchNormalization(name="norm1"),
            L.ReLU(name="relu1"),
            L.Dropout(0.2, name="dropout"),
            L.Conv2D(16, 3, activation="relu", name="conv2"),
            L.GlobalAveragePooling2D(name="pool"),
            L.Dense(2, name="logits"),
        ],
        name="sides",
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss, metrics=["accuracy"])
    network.fit(*draw(128, 1, contrast=1), epochs=2, batch_size=32, verbose=0)
    return network


def run(folder, resume=False):
    """Begins or goes on with the run in a folder; returns its result."""
    import firekeras

    if keras.backend.backend() == "tensorflow":
        _without_compiling()
    settings = {**SETTINGS, "run_dir": folder, "resume": resume}
    return firekeras.compress(model(), draw(128, 1, contrast=1), draw(64, 2, contrast=1), **settings)


def _without_compiling():
    """Each process would compile for seconds what it then runs for a fraction of one."""
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    tf.config.run_functions_eagerly(True)
    tf.data.experimental.enable_debug_mode()


def run_or_go_on(folder):
    """What a user does after a crash: go on where there is a run, else begin."""
    run(folder, resume=os.path.exists(os.path.join(folder, "run.json")))
