"""A small network in `fit`, and callbacks that watch what becomes of it."""

import keras
import numpy as np


def images(count=96, seed=0):
    """Images whose class is the quarter that is bright."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, count)
    x = rng.uniform(0, 0.3, (count, 8, 8, 1)).astype("float32")
    for image, label in zip(x, y, strict=True):
        image[4 * (label // 2) : 4 * (label // 2) + 4, 4 * (label % 2) : 4 * (label % 2) + 4] += 0.7
    return x, y


class SetMetric(keras.Metric):
    """A metric whose value is set from outside."""

    def __init__(self, name="score", dtype=None):
        super().__init__(dtype=dtype, name=name)
        self.score = self.add_weight(shape=(), initializer="ones", name="score")

    def update_state(self, *args, **kwargs):
        pass

    def reset_state(self):
        pass

    def result(self):
        return self.score + 0.0


class SetValues(keras.callbacks.Callback):
    """Sets the value of a metric in each epoch."""

    def __init__(self, metric, *values):
        super().__init__()
        self.metric, self.values = metric, values

    def on_epoch_begin(self, epoch, logs=None):
        self.metric.score.assign(self.values[epoch])


def network(dead=(), optimizer="adam", layers=keras.layers, metrics=("accuracy",), norm=False, **compiled):
    """A small compiled CNN; the filters in `dead` of its second convolution never fire."""
    i = keras.Input((8, 8, 1))
    x = layers.Conv2D(8, 3, padding="same", name="conv1")(i)
    x = layers.ReLU(name="relu1")(layers.BatchNormalization()(x) if norm else x)
    x = layers.Conv2D(16, 3, padding="same", activation="relu", name="conv2")(x)
    model = keras.Model(i, layers.Dense(4, name="logits")(layers.Flatten()(layers.MaxPooling2D()(x))))
    if dead:
        bias = keras.ops.convert_to_numpy(model.get_layer("conv2").bias).copy()
        bias[list(dead)] = -1e3
        model.get_layer("conv2").bias.assign(bias)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, metrics=list(metrics), **{"loss": loss} | compiled)
    return model


def state(model):
    """All that training changes: weights, statistics, slots, iterations, learning rate."""
    return [np.array(keras.ops.convert_to_numpy(v)) for v in (*model.variables, *model.optimizer.variables)]


def check_state(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


class States(keras.callbacks.Callback):
    """Remembers the state at both ends of each epoch."""

    def __init__(self):
        super().__init__()
        self.before, self.after = [], []

    def on_epoch_begin(self, epoch, logs=None):
        self.before.append(state(self.model))

    def on_epoch_end(self, epoch, logs=None):
        self.after.append(state(self.model))


def fit(model, callback, epochs=4, **kwargs):
    x, y = images()
    if callback is not None:
        callback.verbose = 0
    kwargs = {"validation_data": images(48, seed=1), "shuffle": False, "batch_size": 32, "verbose": 0} | kwargs
    return model.fit(x, y, epochs=epochs, **{"callbacks": [callback]} | kwargs)


class Poison(keras.callbacks.Callback):
    """Makes a weight NaN in some epochs."""

    def __init__(self, *epochs):
        super().__init__()
        self.epochs = epochs

    def on_epoch_begin(self, epoch, logs=None):
        if epoch in self.epochs:
            self.model.get_layer("logits").bias.assign(np.full(4, np.nan))
