"""Prunes every model of keras.applications, built without weights, and checks the result.

    python examples/applications.py [NAME ...] [--ratio 0.3] [--output examples/applications.md]

Each model is built at the smallest input size that it accepts. `--ratio` of its prunable filters are removed at random,
and at least as large a share of its MACs must go with them. The smaller network must run, train for a step, save,
load in plain Keras and, unless something normalises over channels, compute the same as the original with
the removed channels at zero, to 1e-4 of how much its outputs vary from image to image. Everything is computed in
float64, since with random weights some of these networks hardly depend on their input. The table says what
was locked, and why.
"""

import argparse
import collections
import gc
import os
import pathlib
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import firekeras
from firekeras.channels import traced
from firekeras.plan.pruning import checked_units

SIZES = (32, 48, 71, 75, 96, 128, 224)
RELOAD = """
import sys
sys.modules["firekeras"] = None
import keras, numpy as np
from keras.src.applications import convnext, inception_resnet_v2
custom = {c.__name__: c for c in (convnext.LayerScale, convnext.StochasticDepth, inception_resnet_v2.CustomScaleLayer)}
keras.config.set_floatx("float64")
model = keras.models.load_model(sys.argv[1], custom_objects=custom, compile=False)
np.save(sys.argv[2], keras.ops.convert_to_numpy(model(np.load(sys.argv[3]), training=False)))
"""


def model_names():
    """The names of the 40 models, in alphabetical order."""
    found = vars(keras.applications).items()
    return sorted(name for name, value in found if callable(value) and name[0].isupper())


def smallest(name):
    """The model without weights, at the smallest input size that it accepts."""
    for size in SIZES:
        try:
            return getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3), classes=10)
        except ValueError as error:
            refused = error
    raise refused


def scramble(model, seed=0):
    """Plausible, different values for all weights, so outputs depend on inputs and no two filters are equal."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        layer.set_weights([_plausible(rng, layer, w) for w in layer.weights])
    _settle_statistics(model, rng)


def _settle_statistics(model, rng):
    """Sets the statistics of batch normalisation to those of random images; deep networks would explode otherwise."""
    settled = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momentum = [layer.momentum for layer in settled]
    for layer in settled:
        layer.momentum = 0.0
    model(rng.uniform(0, 255, (16, *model.input_shape[1:])), training=True)
    for layer, value in zip(settled, momentum, strict=True):
        layer.momentum = value


def _plausible(rng, layer, weight):
    value, name = keras.ops.convert_to_numpy(weight), weight.name
    if isinstance(layer, keras.layers.Normalization) or value.dtype.kind != "f":
        return value
    if name in ("gamma", "moving_variance"):
        return rng.uniform(0.5, 1.5, value.shape)
    if value.ndim < 2:
        return rng.normal(0, 0.1, value.shape)
    depthwise = "depthwise" in layer.name or "depthwise" in name or (value.ndim == 4 and value.shape[-1] == 1)
    return rng.normal(0, np.sqrt(2 / np.prod(value.shape[:-2] if depthwise else value.shape[:-1])), value.shape)


def masked_outputs(model, plan, x):
    """The outputs of the original with zeros in all weights that read a removed channel; it is restored afterwards."""
    trace = traced(model)
    gone = checked_units(trace.graph, plan)
    saved = {}
    for layer in model.layers:
        for weight in layer.weights:
            if len(weight.shape) > 1 and id(weight) in trace.weights:
                saved[id(weight)] = weight, keras.ops.convert_to_numpy(weight).copy()
                _zero_what_reads(weight, trace, gone)
    outputs = predicted(model, x)
    for weight, value in saved.values():
        weight.assign(value)
    return outputs


def _zero_what_reads(weight, trace, gone):
    """Zeros every slice of a kernel that a removed channel runs along, on each of its axes."""
    value = keras.ops.convert_to_numpy(weight).copy()
    for axis, labels in enumerate(trace.weights[id(weight)]):
        if labels is not None:
            lost = np.setdiff1d(np.arange(labels.size), trace.keep(gone, labels))
            np.moveaxis(value, axis, 0)[lost] = 0
    weight.assign(value)


def predicted(model, x):
    return keras.ops.convert_to_numpy(model(x, training=False)).astype("float64")


def check(name, ratio):
    """One row of the table."""
    model = smallest(name)
    for layer in model.layers:  # a softmax would hide what happens before it
        if getattr(layer, "activation", None) is keras.activations.softmax:
            layer.activation = keras.activations.linear
    scramble(model)
    x = np.random.default_rng(0).uniform(0, 255, (4, *model.input_shape[1:]))
    start = time.perf_counter()
    graph = firekeras.channel_graph(model)
    scores = firekeras.score_filters(model, "random", seed=0)
    plan = firekeras.plan_pruning(graph, scores, pruning_ratio=ratio)
    smaller = firekeras.prune(model, plan)
    seconds = time.perf_counter() - start
    inexact = any("normalises over channels" in note for note in plan.notes)
    error = np.nan if inexact else compare(masked_outputs(model, plan, x), predicted(smaller, x))
    train_a_step(smaller, x)
    reload_error = compare(predicted(smaller, x), reloaded(smaller, x))
    reasons = collections.Counter({_kind(r): 0 for r in graph.locks.values()})
    for unit, reason in graph.locks.items():
        reasons[_kind(reason)] += int(graph.unit_sizes[unit])
    return {
        "model": name,
        "input": model.input_shape[1],
        "filters": int(graph.unit_sizes.sum()),
        "MACs gone": f"{1 - plan.costs_after.macs / plan.costs_before.macs:.1%}",
        "params gone": f"{1 - smaller.count_params() / model.count_params():.1%}",
        "error": "inexact" if inexact else f"{error:.0e}",
        "reload": f"{reload_error:.0e}",
        "seconds": f"{seconds:.1f}",
        "locked": "; ".join(f"{count} {kind}" for kind, count in reasons.most_common()),
    }, (inexact or error < 1e-4) and reload_error < 1e-4 and plan.costs_after.macs <= (
        1 - ratio
    ) * plan.costs_before.macs


def _kind(reason):
    return "output" if "output" in reason else reason.split(" ", 1)[1]


def compare(one, other):
    """The largest difference, relative to how much the outputs vary from image to image."""
    return float(np.abs(one - other).max() / np.std(one, axis=0).max())


def train_a_step(model, x):
    before = model.get_weights()
    model.compile(keras.optimizers.SGD(1e-4), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    loss = model.train_on_batch(x, np.arange(len(x)))
    if not np.isfinite(loss) or all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)):
        raise RuntimeError(f"A training step gave the loss {loss}, or changed nothing.")


def reloaded(model, x):
    """The outputs that plain Keras computes from the saved file, in a process without firekeras."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("model.keras", "out.npy", "x.npy")]
        model.save(paths[0])
        np.save(paths[2], x)
        subprocess.run([sys.executable, "-c", RELOAD, *paths], check=True, capture_output=True)
        return np.load(paths[1]).astype("float64")


def table(rows):
    head = list(rows[0])
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(str(row[key]) for key in head) + " |" for row in rows)]) + "\n"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("names", nargs="*", metavar="NAME")
    arguments.add_argument("--ratio", type=float, default=0.3)
    arguments.add_argument("--output", type=pathlib.Path)
    chosen = arguments.parse_args()
    keras.config.set_floatx("float64")
    rows, failed = [], 0
    for name in chosen.names or model_names():
        row, holds = check(name, chosen.ratio)
        failed += not holds
        rows.append(row)
        print("ok   " if holds else "FAILS", row, flush=True)
        keras.backend.clear_session()
        gc.collect()
    if chosen.output:
        chosen.output.write_text(table(rows))
    print(f"{len(rows) - failed} passed, {failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(main() > 0)
