"""The smallest data set that a network can learn, and a network that learns it."""

import keras
import networks
import numpy as np
import pytest
from keras import layers as L


def draw(count, seed, contrast=2):
    """Noise with a brighter half, `(count, 6, 6, 1)`: the label says which."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    images = rng.normal(size=(count, 6, 6, 1)).astype("float32")
    for image, label in zip(images, labels, strict=True):
        image[:, 3 * label : 3 * label + 3] += contrast
    return images, labels


TRAIN, VALIDATION = draw(128, seed=1), draw(64, seed=2)


def small_cnn():
    image = keras.Input((6, 6, 1), name="image")
    x = networks.conv_bn_relu(image, 8, "conv1")
    x = L.Conv2D(12, 3, activation="relu", name="conv2")(x)
    return keras.Model(image, L.Dense(2, name="logits")(L.Flatten(name="flatten")(x)), name="sides")


def compiled(model, optimizer="adam", metrics=("accuracy",)):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    in_jax = keras.backend.backend() == "jax"  # TensorFlow would compile for seconds to run for an instant
    model.compile(optimizer, loss, metrics=list(metrics), jit_compile=in_jax)
    return model


@pytest.fixture(scope="session")
def trained():
    """A trained network, which tests leave as it is."""
    keras.utils.set_random_seed(0)
    model = compiled(small_cnn(), keras.optimizers.Adam(0.01))
    model.fit(*TRAIN, epochs=6, batch_size=32, verbose=0)
    return model
