"""Beyond one softmax: a U-Net, a regression, a network of two outputs and a binary one, compressed with the defaults.

    python examples/other_tasks.py [--tasks unet regression] [--epochs 10] [--images 1500]

Each network is trained on generated images until it is good. Then firekeras.compress halves its conv MACs and, starting
from the same network again, prunes within the default tolerance. The table shows the metric on 500 unseen images,
with BatchNormalization's statistics settled, before and after. Nothing is downloaded; KERAS_BACKEND is respected.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers

import firekeras

SIZE = 32
HELD_OUT = 500  # images to validate on, and as many to test on


# Images


def discs(count, seed):
    """Noisy images of a bright disc; and its centre, radius and brightness, `(count, 4)`."""
    rng = np.random.default_rng(seed)
    middle, radius, bright = rng.uniform(8, 24, (count, 2)), rng.uniform(3, 8, count), rng.uniform(0.3, 1, count)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    far = np.hypot(rows - middle[:, :1, None], columns - middle[:, 1:, None])
    inside = far < radius[:, None, None]
    x = inside * bright[:, None, None] + rng.normal(0, 0.15, inside.shape)
    return x[..., None].astype("float32"), inside[..., None].astype("float32"), np.c_[middle / SIZE, radius / 8, bright]


def labels(task, masks, where):
    """The targets of a task for the images."""
    if task == "unet":
        return masks
    if task == "regression":
        return where[:, 2:3].astype("float32")
    large = (where[:, 2] > 0.7).astype("int32")
    return large if task == "binary" else {"large": large, "middle": where[:, :2].astype("float32")}


# Networks


def conv(x, filters):
    """Convolution, BatchNormalization, ReLU."""
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization()(x))


def body(image):
    """Four convolutions, and their mean over positions."""
    x = image
    for filters in (16, 32, 48, 48):
        x = layers.MaxPooling2D()(conv(x, filters))
    return layers.Flatten()(x)


def unet(image):
    """Two steps down and two up, with skip connections."""
    first = conv(conv(image, 12), 12)
    second = conv(layers.MaxPooling2D()(first), 24)
    low = conv(layers.MaxPooling2D()(second), 48)
    x = layers.Concatenate()([layers.UpSampling2D()(low), second])
    x = layers.Concatenate()([layers.UpSampling2D()(conv(x, 24)), first])
    return layers.Conv2D(1, 1, activation="sigmoid")(conv(x, 12))


def network(task):
    """The network of a task, compiled."""
    image = keras.Input((SIZE, SIZE, 1))
    if task == "unet":
        model = keras.Model(image, unet(image))
        model.compile(
            keras.optimizers.Adam(2e-3), keras.losses.Dice(), metrics=[keras.metrics.BinaryIoU([1], name="iou")]
        )
    elif task == "regression":
        model = keras.Model(image, layers.Dense(1)(body(image)))
        model.compile(keras.optimizers.Adam(2e-3), "mse", metrics=[keras.metrics.R2Score(name="r2")])
    elif task == "binary":
        model = keras.Model(image, layers.Dense(1, activation="sigmoid")(body(image)))
        model.compile(keras.optimizers.Adam(2e-3), "binary_crossentropy", metrics=["accuracy"])
    else:
        x = body(image)
        heads = {
            "large": layers.Dense(1, activation="sigmoid", name="large")(x),
            "middle": layers.Dense(2, name="middle")(x),
        }
        model = keras.Model(image, heads)
        losses = {"large": "binary_crossentropy", "middle": "mse"}
        model.compile(keras.optimizers.Adam(2e-3), losses, metrics={"large": ["accuracy"], "middle": ["mae"]})
    return model


TASKS = ("unet", "regression", "binary", "two outputs")


# Runs


def run(task, options):
    """Trains the network of a task, compresses it in both ways, and prints the results."""
    keras.utils.set_random_seed(0)
    parts = [(0, options.images), (1, HELD_OUT), (2, HELD_OUT)]
    drawn = [(x, labels(task, masks, where)) for x, masks, where in (discs(count, seed) for seed, count in parts)]
    train, validation, test = drawn
    model = network(task)
    model.fit(*train, validation_data=validation, epochs=options.epochs, batch_size=32, verbose=0)
    before = tested(model, train, test)
    show(task, "before", before, before, model, model)
    for title, settings in (("half the conv MACs", {"target": {"conv_macs": 0.5}}), ("within the tolerance", {})):
        found = firekeras.compress(
            model, train, validation, epochs=options.epochs, batch_size=32, verbose=0, **settings
        )
        show(task, title, before, tested(found.model, train, test), model, found.model)


def tested(model, train, test):
    """All metrics on the test images, settled."""
    settled = firekeras.recovery.settled_copy(model, train[0])
    settled.compile(**{name: model._compile_config.config[name] for name in ("loss", "metrics")})
    return settled.evaluate(*test, verbose=0, return_dict=True)


def show(task, title, before, after, first, now):
    """One line: metrics before and after, and the share of conv MACs that is left."""
    left = firekeras.count_costs(now).conv_macs / firekeras.count_costs(first).conv_macs
    told = ", ".join(f"{name} {before[name]:.4f} -> {after[name]:.4f}" for name in before)
    print(f"{task:12} {title:21} {left:6.1%}  {told}", flush=True)


def main():
    """Runs the requested tasks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS)
    parser.add_argument("--epochs", type=int, default=10, help="epochs of the first training, and of each run")
    parser.add_argument("--images", type=int, default=1500, help="training images")
    options = parser.parse_args()
    for task in options.tasks:
        run(task, options)


if __name__ == "__main__":
    main()
