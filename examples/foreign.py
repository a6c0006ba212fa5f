"""Prunes networks of public packages, with random weights, and checks the result.

    pip install --no-deps keras-hub regex kagglehub tensorflow-text kimm keras-unet-collection keras-unet keras-tcn \
k3im classification-models-3d
    python examples/foreign.py [PACKAGE | PACKAGE/NETWORK ...] [--ratio 0.3] [--output examples/foreign.md]

The packages do not need each other, hence `--no-deps`; if one lacks a dependency, its import says so. Each network is
built small and offline, given random weights, and pruned by l1: `--ratio` of its prunable filters go. The check does
not ask firekeras which filters went. The surviving weights show which channels each layer still reads; the original
reads zeros for the others, and both outputs are compared, relative to how much they vary from sample to sample.
LayerNormalization and similar layers only scale and shift during the check, since removal cannot be exact with their
statistics. Then the smaller network trains for a step, is saved, and is loaded by plain Keras in a process without
firekeras.

Verdicts: OK. NOTHING: no filter could go. REFUSED: firekeras says why. NOT BUILT: the package fails with this Keras.
UNCLEAR: the outputs hardly depend on the inputs. All others are faults: WRONG (another function), TOUCHED (the
original changed), MISCOUNTED (the plan promised other parameters), UNTRAINED, RELOAD (although the original can be
loaded), CRASH, SLOW. Each network runs in its own process, forked once the packages are imported.
"""

import argparse
import collections
import contextlib
import json
import multiprocessing
import os
import pathlib
import sys
import tempfile
import traceback

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import foreign_networks
import keras
import numpy as np
from keras import layers
from keras.src.layers.rnn.conv_lstm import ConvLSTMCell

TOLERANCE = 1e-3
COLUMNS = ("network", "class", "filters", "locked", "MACs gone", "error", "reload", "verdict")
TRANSPOSED = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
CELLS = (layers.LSTMCell, layers.GRUCell, layers.SimpleRNNCell, ConvLSTMCell)
NORMS = (layers.LayerNormalization, layers.RMSNormalization, layers.GroupNormalization)
FINE = ("OK", "NOTHING", "REFUSED", "NOT BUILT", "UNCLEAR")


class VerdictError(Exception):
    """Ends a check."""


# The weights, and the data


def leaves(model, prefix=""):
    """Layers by path, those inside layers and models included, as Keras keeps track of them."""
    found = {}
    for layer in parts(model):
        found.update(leaves(layer, f"{prefix}{layer.name}/") if parts(layer) else {prefix + layer.name: layer})
    return found


def parts(layer):
    if isinstance(layer, keras.Model):  # one of a class of its own may keep track of others beside
        return layer.layers
    return list(layer._flatten_layers(include_self=False, recursive=False))


def scramble(model, x):
    """Gives all weights plausible values, all different within a weight, so each value identifies its slice."""
    rng = np.random.default_rng(0)
    for layer in model._flatten_layers():
        for weight in (*layer._trainable_variables, *layer._non_trainable_variables):
            if "float" in weight.dtype and not isinstance(layer, layers.Normalization):
                weight.assign(plausible(rng, weight))
    settle_statistics(model, x)


def plausible(rng, weight):
    shape = tuple(weight.shape)
    spread = rng.permutation(np.linspace(-1, 1, int(np.prod(shape)) + 2)[1:-1]).reshape(shape)
    if weight.name in ("gamma", "scale", "moving_variance", "variance"):
        return 1 + spread / 2
    if len(shape) < 2:
        return spread / 5
    read = shape[:-2] if "depthwise" in weight.path else shape[:-1]
    return spread * np.sqrt(6 / np.prod(read))


def settle_statistics(model, x):
    """Sets the statistics of batch normalisation to those of the samples."""
    settled = [layer for layer in model._flatten_layers() if isinstance(layer, layers.BatchNormalization)]
    momentum = [layer.momentum for layer in settled]
    for layer in settled:
        layer.momentum = 0.0
    if settled:
        model(x, training=True)
    for layer, value in zip(settled, momentum, strict=True):
        layer.momentum = value
        layer.moving_variance.assign(keras.ops.maximum(layer.moving_variance, 1e-3))


def samples(model):
    rng = np.random.default_rng(0)
    flat = [rng.uniform(0, 1, (4, *(size or 32 for size in one.shape[1:]))).astype("float32") for one in model.inputs]
    return keras.tree.pack_sequence_as(model.input, flat) if len(flat) > 1 else flat[0]


def predictions(model, x):
    return [keras.ops.convert_to_numpy(one).astype("float64") for one in keras.tree.flatten(model(x, training=False))]


# The proof


def reading_axes(layer):
    """Pairs (weight, axis) of what a layer multiplies and adds up its channels with."""
    if isinstance(layer, CELLS):
        return [(kernel, kernel.ndim - 2) for kernel in (layer.kernel, layer.recurrent_kernel)]
    if isinstance(layer, TRANSPOSED):
        return [(layer.kernel, layer.kernel.ndim - 1)]
    if isinstance(layer, (layers.SeparableConv1D, layers.SeparableConv2D)):
        return [(layer.pointwise_kernel, layer.pointwise_kernel.ndim - 2)]
    if isinstance(layer, layers.EinsumDense):
        given, kernel, made = layer.equation.replace("->", ",").split(",")
        return [(layer.kernel, k) for k, letter in enumerate(kernel) if letter in given and letter not in made]
    if (
        isinstance(layer, (layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.Dense))
        and getattr(layer, "groups", 1) == 1
    ):
        return [(layer.kernel, layer.kernel.ndim - 2)]
    return []


def still_read(whole, cut, axis):
    """Which slices of a weight are left on an axis: each is known by its first value."""
    first = np.moveaxis(cut, axis, 0).reshape(cut.shape[axis], -1)[:, 0]
    order = np.argsort(whole, axis=None)
    places = order[np.searchsorted(whole.ravel()[order], first)]
    if not np.array_equal(whole.ravel()[places], first):
        raise VerdictError("WRONG: weights were not only cut")
    return np.unravel_index(places, whole.shape)[axis]


def ignore_removed(layer, twin):
    """Makes a layer of the original read zeros for the channels that its twin no longer reads."""
    for (weight, axis), (cut, _) in zip(reading_axes(layer), reading_axes(twin), strict=True):
        value = keras.ops.convert_to_numpy(weight).copy()
        if cut.shape[axis] < value.shape[axis]:
            kept = still_read(keras.ops.convert_to_numpy(weight), keras.ops.convert_to_numpy(cut), axis)
            np.moveaxis(value, axis, 0)[np.setdiff1d(np.arange(value.shape[axis]), kept)] = 0
            weight.assign(value)


@contextlib.contextmanager
def without_statistics():
    """Makes normalisations over channels only scale and shift."""

    def scale_and_shift(self, x, **_):
        axes = {axis % len(x.shape) for axis in np.ravel(self.axis).tolist()}
        shape = [size if k in axes else 1 for k, size in enumerate(x.shape)]
        for name, apply in (("gamma", keras.ops.multiply), ("scale", keras.ops.multiply), ("beta", keras.ops.add)):
            weight = getattr(self, name, None)
            if weight is not None and not isinstance(weight, bool):
                x = apply(x, keras.ops.cast(keras.ops.reshape(weight, shape), x.dtype))
        return x

    calls = [cls.call for cls in NORMS]
    for cls in NORMS:
        cls.call = scale_and_shift
    yield
    for cls, call in zip(NORMS, calls, strict=True):
        cls.call = call


def error_of(model, smaller, x):
    """How far the smaller network is from the original that ignores the removed channels; the original is restored."""
    weights, twins = model.get_weights(), leaves(smaller)
    with without_statistics():
        for path, layer in leaves(model).items():
            if reading_axes(layer):
                ignore_removed(layer, twins[path])
        expected, found = predictions(model, x), predictions(smaller, x)
    model.set_weights(weights)
    return worst_difference(expected, found)


def worst_difference(expected, found):
    """The largest difference, relative to how much an output varies from sample to sample."""
    spreads = [np.std(one, axis=0).max() for one in expected]
    if not all(spread > 1e-5 * np.abs(one).max() for spread, one in zip(spreads, expected, strict=True)):
        raise VerdictError("UNCLEAR: the outputs hardly depend on the inputs")
    pairs = zip(expected, found, spreads, strict=True)
    return max(float(np.abs(one - other).max() / spread) for one, other, spread in pairs)


# One network


def check(network, build, ratio, folder):
    """Fills a row of the table, in its own process, and leaves the smaller network in the folder."""
    row = {"network": network}
    try:
        row["verdict"] = prove(row, built(build), ratio, folder) or "OK"
    except VerdictError as verdict:
        row["verdict"] = str(verdict)
    except ValueError as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        row["verdict"] = f"{'REFUSED' if 'firekeras' in pathlib.Path(last.filename).parts else 'CRASH'}: {error}"
        traceback.print_exc()
    except Exception as error:
        row["verdict"] = f"CRASH: {type(error).__name__}: {error}"
        traceback.print_exc()
    (folder / "row.json").write_text(json.dumps(row))


def built(build):
    keras.utils.set_random_seed(0)
    try:
        return build()
    except Exception as error:
        raise VerdictError(f"NOT BUILT: {type(error).__name__}: {error}") from error


def prove(row, model, ratio, folder):
    """The verdict if something is wrong, else None."""
    import firekeras

    row["class"] = type(model).__name__
    x = samples(model)
    scramble(model, x)
    before = model.get_weights()
    model.save(folder / "original.keras")
    graph = firekeras.channel_graph(model)
    row["filters"], row["locked"] = int(graph.unit_sizes.sum()), locked(graph)
    plan = firekeras.plan_pruning(
        graph, firekeras.score_filters(model, "l1"), pruning_ratio=ratio, layer_caps={"*": 1.0}
    )
    row["MACs gone"] = f"{1 - plan.costs_after.macs / max(1, plan.costs_before.macs):.1%}"
    smaller = firekeras.prune(model, plan)
    if not all(
        np.array_equal(one, other, equal_nan=True) for one, other in zip(before, model.get_weights(), strict=True)
    ):
        return "TOUCHED"
    if plan.costs_after.params != smaller.count_params():
        return f"MISCOUNTED: {plan.costs_after.params} promised, {smaller.count_params()} found"
    error = error_of(model, smaller, x)
    row["error"] = f"{error:.0e}"
    if not error < TOLERANCE:
        return "WRONG"
    train_a_step(smaller, x)
    smaller.save(folder / "smaller.keras")
    np.savez(folder / "data.npz", *keras.tree.flatten(x), *predictions(smaller, x))
    return None if plan.num_removed else f"NOTHING: {main_reason(graph)}"


def locked(graph):
    return sum(int(graph.unit_sizes[unit]) for unit in graph.locks)


def main_reason(graph):
    """Why most of the locked filters must stay, without the name of the layer."""
    counts = collections.Counter()
    for unit, reason in graph.locks.items():
        counts[reason.partition(" ")[2]] += int(graph.unit_sizes[unit])
    return counts.most_common(1)[0][0] if counts else "; ".join(graph.notes)


def train_a_step(model, x):
    before = model.get_weights()
    goal = keras.tree.map_structure(lambda y: 0.9 * keras.ops.convert_to_numpy(y) + 0.1, model(x, training=False))
    model.compile(keras.optimizers.SGD(1e-4), keras.tree.map_structure(lambda y: "mse", goal))
    loss = np.ravel(model.train_on_batch(x, goal))[0]
    if not np.isfinite(loss) or all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)):
        raise VerdictError(f"UNTRAINED: a step gave the loss {loss}, or changed nothing")


def load(package, folder):
    """Loads the smaller network in plain Keras; records the outcome, and whether the original can be loaded."""
    sys.modules["firekeras"] = None
    custom = {cls.__name__: cls for cls in subclasses(keras.Layer) if cls.__module__.split(".")[0] == package}
    found = loaded(folder / "smaller.keras", custom)
    if isinstance(found, str):
        original = loaded(folder / "original.keras", custom)
        (folder / "reload.json").write_text(json.dumps({"reload": found, "original": not isinstance(original, str)}))
        return
    with np.load(folder / "data.npz") as data:
        flat = [data[name] for name in data.files]
    x, expected = flat[: len(found.inputs)], flat[len(found.inputs) :]
    x = keras.tree.pack_sequence_as(found.input, x) if len(x) > 1 else x[0]
    error = worst_difference(expected, predictions(found, x))
    (folder / "reload.json").write_text(json.dumps({"reload": f"{error:.0e}", "wrong": not error < TOLERANCE}))


def subclasses(cls):
    return {cls}.union(*(subclasses(one) for one in cls.__subclasses__()))


def loaded(path, custom):
    """The model; or why it cannot be loaded."""
    try:
        return keras.models.load_model(path, custom_objects=custom, compile=False, safe_mode=False)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


# All of them


def in_a_process(limit, function, *arguments):
    """Whether a function, run in a fork of this process, ended in time."""
    process = multiprocessing.get_context("fork").Process(target=function, args=arguments)
    process.start()
    process.join(limit)
    if process.is_alive():
        process.kill()
        process.join()
        return "SLOW"
    return f"CRASH: the process ended with {process.exitcode}" if process.exitcode else None


def row_of(network, build, ratio, limit):
    """One row of the table, whatever happens."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        ended = in_a_process(limit, check, network, build, ratio, folder)
        row = {"network": network, "verdict": ended} if ended else json.loads((folder / "row.json").read_text())
        if (folder / "data.npz").exists() and not ended:
            ended = in_a_process(limit, load, network.split("/")[0], folder)
            judge_reload(row, {"reload": ended} if ended else json.loads((folder / "reload.json").read_text()))
    return row


def judge_reload(row, found):
    row["reload"] = found["reload"]
    if found.get("original") is False:
        row["reload"] = "nor can the original"
    elif found.get("wrong") or "original" in found or not found["reload"][:1].isdigit():
        row["verdict"] = f"RELOAD: {found['reload']}"


def chosen_networks(names):
    """Pairs (PACKAGE/NETWORK, function that builds it); the packages are imported."""
    for package, networks in foreign_networks.PACKAGES.items():
        if not names or any(name.split("/")[0] == package for name in names):
            for network, build in networks().items():
                if not names or package in names or f"{package}/{network}" in names:
                    yield f"{package}/{network}", build


def table(rows):
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + " --- |" * len(COLUMNS)]
    return "\n".join([*lines, *("| " + " | ".join(cell(row.get(key, "")) for key in COLUMNS) + " |" for row in rows)])


def cell(value):
    """A value in one short line."""
    line = " ".join(str(value).replace("|", "/").split())
    return line if len(line) <= 240 else line[:237] + "..."


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("names", nargs="*", metavar="PACKAGE[/NETWORK]")
    arguments.add_argument("--ratio", type=float, default=0.3)
    arguments.add_argument("--limit", type=float, default=600, help="seconds per network, at most")
    arguments.add_argument("--output", type=pathlib.Path)
    chosen = arguments.parse_args()
    rows = []
    for network, build in list(chosen_networks(chosen.names)):
        rows.append(row_of(network, build, chosen.ratio, chosen.limit))
        print(*(cell(rows[-1].get(key, "-")) for key in COLUMNS), sep=" | ", flush=True)
        if chosen.output:
            write(chosen.output, rows)
    verdicts = collections.Counter(row["verdict"].split(":")[0] for row in rows)
    print(", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common()))
    return sum(count for verdict, count in verdicts.items() if verdict not in FINE)


def write(path, rows):
    """Writes the table, completely or not at all."""
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(table(rows) + "\n")
    os.replace(temporary, path)


if __name__ == "__main__":
    sys.exit(main() > 0)
