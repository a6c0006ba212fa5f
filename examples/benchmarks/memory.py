"""RAM and file size as `count_costs` gives them, against LiteRT for Microcontrollers and real files.

    python examples/benchmarks/memory.py [NAME.h5 | NAME.keras ...] [--share 0.6]
    python examples/benchmarks/memory.py [NAME.h5 | NAME.keras ...] --ram 0.75 0.5 0.3

Exports each network, unpruned and pruned, in int8 (inputs and outputs too) and float32, and prints a table. The arena
is what the recording allocator of `tflite-micro` reports (`pip install -e ".[micro,deployment]"`); networks that it
cannot run are shown with a dash. Ten networks of this file come first, with random weights, then those of the files.
With --ram, nothing is exported: the table shows how many MACs are left if RAM is cut to these shares, by l1 norms.
"""

import argparse
import os
import re
import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

import firekeras
from firekeras.export.formats import FORMATS
from firekeras.export.keras_export import written_by_keras
from firekeras.keras2.converting import convert_model

FORMS = ("int8", "float32")
PARTS = ("allocation head", "allocation tail")
LARGEST_ARENA = 60_000_000


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("paths", nargs="*", type=Path)
    arguments.add_argument("--share", type=float, default=0.6, help="of the parameters that is left in pruned networks")
    arguments.add_argument("--ram", nargs="+", type=float, help="shares of the RAM to cut to")
    chosen = arguments.parse_args()
    if chosen.ram:
        cut_to(networks(chosen.paths), chosen.ram)
        return
    print("| network | | RAM, ours | arena's head | its tail | file, ours | file | peak at |")
    print("|---|---|---|---|---|---|---|---|")
    apart = [measured(model, chosen.share) for model in networks(chosen.paths)]
    rams, files = (np.abs(np.concatenate([one[part] for one in apart])) for part in (0, 1))
    print(f"\nLargest error: RAM {rams.max():.2%} of {rams.size}, file {files.max():.2%} of {files.size}.")


def cut_to(models, shares):
    """Prints the MACs that are left of each network if its RAM is cut to some shares."""
    print("| network | " + " | ".join(f"{share:.0%}" for share in shares) + " |")
    print("|---|" + "--:|" * len(shares))
    for model in models:
        scores = firekeras.score_filters(model, "l1")
        print(f"| {model.name} | " + " | ".join(left(model, scores, share) for share in shares) + " |", flush=True)


def left(model, scores, share):
    """The share of the MACs that is left; a dash if RAM cannot be cut so far."""
    try:
        plan = firekeras.plan_pruning(model, scores, target={"ram": share})
    except ValueError:
        return "-"
    return f"{plan.costs_after.macs / plan.costs_before.macs:.0%}"


def measured(model, share):
    """Prints the rows of a network; returns the errors of RAM and of file size."""
    plan = firekeras.plan_pruning(model, firekeras.score_filters(model, "l1"), target={"params": share})
    both = {"": model, ", pruned": firekeras.prune(model, plan)}
    rows = [row(f"{model.name}{label}", one, form) for label, one in both.items() for form in FORMS]
    return [ram for ram, _ in rows if ram is not None], [file for _, file in rows]


def row(title, model, form):
    costs = firekeras.count_costs(model)
    ram, flash = (costs.ram, costs.flash) if form == "int8" else (costs.ram_float32, costs.flash_float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.tflite"
        written_by_keras(model, path, FORMATS["litert"], settings(model) if form == "int8" else {})
        size, (head, tail) = path.stat().st_size, arena(path)
    shown = (f"{head:,}", f"{tail:,}") if head else ("-", "-")
    print(
        f"| {title} | {form} | {ram:,} | {shown[0]} | {shown[1]} | {flash:,} | {size:,} | {costs.ram_layer} |",
        flush=True,
    )
    return (ram / head - 1 if head else None), flash / size - 1


def settings(model):
    rng = np.random.default_rng(0)
    samples = {one.name: rng.uniform(size=(8, *one.shape[1:])).astype("float32") for one in model.inputs}
    return FORMATS["litert"].int8_settings(samples, ends=True)


def arena(path):
    """Head and tail of the arena of LiteRT for Microcontrollers; None if it cannot run the file."""
    from tflite_micro import runtime  # prints what it records on standard error

    with tempfile.TemporaryFile() as record:
        before = os.dup(2)
        os.dup2(record.fileno(), 2)
        try:
            runtime.Interpreter.from_file(str(path), arena_size=LARGEST_ARENA).print_allocations()
        except RuntimeError:  # an operation that it does not have
            return None, None
        finally:
            os.dup2(before, 2)
        record.seek(0)
        return (int(re.search(rf"{part} (\d+) bytes", text)[1]) for text in [record.read().decode()] for part in PARTS)


# The networks


def networks(paths):
    keras.utils.set_random_seed(0)
    for build in (
        small_vgg,
        residual,
        named,
        preactivated,
        inverted,
        squeezed,
        branches,
        separable,
        activity,
        perceptron,
        zoo,
    ):
        yield with_random_weights(build())
    for path in paths:
        yield loaded(path)


def loaded(path):
    with tempfile.TemporaryDirectory() as folder:
        if path.suffix == ".h5":
            path = Path(convert_model(path, Path(folder) / f"{path.stem}.keras").path)
        model = keras.models.load_model(path, compile=False)
    model.name = path.stem
    return model


def with_random_weights(model):
    """Zeros would be left out of the file."""
    rng = np.random.default_rng(0)
    for weight in model.weights:
        deviation = 1 / np.sqrt(max(1, np.prod(weight.shape[:-1])))
        value = rng.normal(0, deviation, weight.shape)
        weight.assign(np.abs(value) + 0.5 if weight.name in ("gamma", "moving_variance") else value)
    return model


def conv(x, filters, size=3, strides=1, activation="relu"):
    x = layers.Conv2D(filters, size, strides=strides, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return layers.Activation(activation)(x) if activation else x


def classifier(inputs, x, name, classes=10):
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(x), name=name)


def small_vgg():
    convs = [layers.Conv2D(f, 3, padding="same", activation="relu") for f in (16, 16, 32, 32, 48, 48)]
    blocks = [layer for k in (0, 2, 4) for layer in (*convs[k : k + 2], layers.MaxPooling2D())]
    head = [layers.Flatten(), layers.Dense(64, activation="relu"), layers.Dropout(0.5), layers.Dense(10)]
    return keras.Sequential([layers.Input((32, 32, 3)), layers.Rescaling(1 / 255), *blocks, *head], name="small_vgg")


def residual():
    inputs = layers.Input((32, 32, 3))
    x = conv(inputs, 16)
    for filters, strides in ((16, 1), (32, 2)):
        y = conv(conv(x, filters, strides=strides), filters, activation=None)
        x = layers.Conv2D(filters, 1, strides=strides)(x) if strides > 1 else x
        x = layers.ReLU()(layers.Add()([x, y]))
    return classifier(inputs, x, "residual")


def named():
    """Blocks of two ways that run in another order than Keras's, by the names of their layers."""
    x = inputs = layers.Input((16, 16, 3))
    for k, (filters, way) in enumerate(((8, "way"), (12, "a_way"), (16, "zigzag"))):
        y = layers.Conv2D(2 * filters, 3, padding="same", activation="relu", name=f"{way}{k}_1")(x)
        y = layers.BatchNormalization(name=f"{way}{k}_bn")(
            layers.Conv2D(filters, 3, padding="same", name=f"{way}{k}_2")(y)
        )
        x = layers.Conv2D(filters, 1, name=f"shortcut{k}")(x)
        x = layers.ReLU(name=f"relu{k}")(layers.Add(name=f"add{k}")([x, y]))
    return classifier(inputs, x, "named")


def preactivated():
    inputs = layers.Input((32, 32, 3))
    x = layers.Conv2D(16, 3, padding="same")(inputs)
    for _ in range(3):
        y = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.Concatenate()([x, layers.Conv2D(12, 3, padding="same")(y)])
    x = layers.AveragePooling2D(2)(layers.ReLU()(layers.BatchNormalization()(x)))
    return keras.Model(inputs, layers.Dense(10)(layers.Flatten()(x)), name="preactivated")


def inverted():
    inputs = layers.Input((48, 48, 3))
    x = layers.ZeroPadding2D(((0, 1), (0, 1)))(inputs)
    x = layers.Conv2D(8, 3, strides=2, use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    for filters in (8, 16, 16):
        y = conv(x, 4 * x.shape[-1], 1, activation="relu6")
        y = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(y)
        y = conv(layers.ReLU(6.0)(layers.BatchNormalization()(y)), filters, 1, activation=None)
        x = layers.Add()([x, y]) if x.shape[-1] == filters else y
    return classifier(inputs, x, "inverted", 4)


def squeezed():
    inputs = layers.Input((32, 32, 3))
    x = conv(conv(inputs, 16), 24, strides=2)
    gates = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gates = layers.Conv2D(24, 1, activation="sigmoid")(layers.Conv2D(6, 1, activation="relu")(gates))
    return classifier(inputs, conv(layers.Multiply()([x, gates]), 32, strides=2, activation="silu"), "squeezed")


def branches():
    inputs = layers.Input((24, 24, 8))
    pooled = layers.MaxPooling2D(3, strides=1, padding="same")(inputs)
    x = layers.Concatenate()([conv(inputs, 16, 1), conv(conv(inputs, 8, 1), 16), conv(pooled, 8, 1)])
    x = layers.Flatten()(layers.Average()([conv(x, 20), conv(x, 20, 1)]))
    outputs = [layers.Dense(5, name="first")(x), layers.Dense(2, activation="tanh", name="second")(x)]
    return keras.Model(inputs, outputs, name="branches")


def separable():
    inputs = layers.Input((40, 40, 1))
    x = layers.ReLU()(layers.BatchNormalization()(layers.SeparableConv2D(16, 3, padding="same")(inputs)))
    x = layers.LeakyReLU()(layers.SeparableConv2D(24, 3, strides=2, padding="same")(x))
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalMaxPooling2D()(x)), name="separable")


def activity():
    second = [layers.Conv1D(32, 5, padding="same"), layers.BatchNormalization(), layers.ReLU()]
    first = [layers.Input((128, 9)), layers.Conv1D(32, 5, activation="relu"), layers.MaxPooling1D()]
    return keras.Sequential(
        [*first, *second, layers.GlobalAveragePooling1D(), layers.Dense(6, activation="softmax")], name="activity"
    )


def perceptron():
    hidden = [layers.Dense(128), layers.BatchNormalization(), layers.ReLU(), layers.Dense(64, activation="relu")]
    return keras.Sequential([layers.Input((64,)), *hidden, layers.Dense(5, activation="softmax")], name="perceptron")


def zoo():
    return firekeras.zoo.resnet_cifar(20, shortcut="B")


if __name__ == "__main__":
    tf.get_logger().setLevel("ERROR")
    main()
