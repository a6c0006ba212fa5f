"""The cost of measuring FIRE, relative to a forward pass of the same network over the same data.

    python examples/benchmarks/measure.py [NAME ...] [--runs N] [--scale N] [--naive] [--detector] [--first]
    python examples/benchmarks/measure.py --memory

Each pass is `evaluate` of a compiled model, so data handling is the same; passes alternate. It prints
the ratio of the fastest passes, which other work on the machine disturbs least, and the median of the ratios.
"Read once" is a pass that only reads each ReLU's output, one value to one byte, and counts nothing: unless the
framework fuses that into the previous layer, which TensorFlow does not do on a CPU, no counting can cost less.
KERAS_BACKEND is respected. `--scale` makes batches and data that many times larger, for GPUs. `--naive` adds the usual
way, one `predict` per layer and NumPy. `--detector` compares measuring FIRE with predicting it. `--first` prints the
processor's seconds for a new network's first `predict` and first `measure_fire` on two batches: what it costs to begin.
`--memory` prints how the peak grows from 1,000 to 50,000 samples.
"""

import argparse
import functools
import os
import resource
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import firekeras
from firekeras import zoo
from firekeras.channels import traced
from firekeras.scores.fire.counting import Glance, NonFiniteCounter, ZeroCounters
from firekeras.scores.fire.counting_pass import counting_layers


def networks(names, scale):
    """(name, network, batches of data) of all four networks, or of the requested ones."""
    known = {
        "VGG-16": (lambda: zoo.vgg16_cifar(), 32, 1024, 128),
        "ResNet-56": (lambda: zoo.resnet_cifar(56), 32, 1024, 128),
        "ResNet-50": (lambda: keras.applications.ResNet50(weights=None), 224, 64, 16),
        "MobileNetV2": (lambda: keras.applications.MobileNetV2(weights=None), 224, 64, 16),
    }
    for name in names or known:
        build, size, samples, batch = known[name]
        keras.utils.set_random_seed(0)
        x = np.random.default_rng(0).uniform(0, 255, (scale * samples, size, size, 3)).astype("float32")
        yield name, build(), x, scale * batch


class Forward(keras.Model):
    """A plain forward pass of a network, run through `evaluate` like the counting pass."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.built = True

    def call(self, x, training=None):
        return self.model(x, training=False)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return keras.ops.sum(y_pred)  # uses the result, so nothing can be optimised away


class ReadOnce(ZeroCounters):
    """Reads each value, and counts none."""

    def glance(self, key, x):
        read = keras.ops.cast(keras.ops.cast(x, "bool"), "uint8")
        first = keras.ops.reshape(read, (-1, x.shape[self.axes[key]]))[0]
        return Glance(x.shape, 1, 1, keras.ops.cast(first, "int32"))


def passes(model, jit):
    """The compiled models, by name."""
    trace = traced(model)
    kinds = {"FIRE": ZeroCounters, "read once": ReadOnce}
    models = {"forward": Forward(model)}
    for key, kind in kinds.items():
        models[key] = counting_layers(model, kind({r.key: r.axis for r in trace.relus}), NonFiniteCounter())
    for one in models.values():
        one.compile(jit_compile=jit)
    return models


def seconds(run, clock=time.perf_counter):
    start = clock()
    run()
    return clock() - start


def compare(name, model, x, batch, runs):
    models = passes(model, jit=keras.backend.backend() == "jax")
    times = {key: [] for key in models}
    for round_ in range(runs + 1):
        for key, one in models.items():
            value = seconds(lambda one=one: one.evaluate(x, batch_size=batch, verbose=0))
            if round_:  # the first compiles
                times[key].append(value)
    fastest = {key: min(values) for key, values in times.items()}
    ratios = [fire / forward for fire, forward in zip(times["FIRE"], times["forward"], strict=True)]
    print(
        f"{keras.backend.backend()} {name}: forward {fastest['forward']:.3f} s, FIRE {fastest['FIRE']:.3f} s, "
        f"ratio {fastest['FIRE'] / fastest['forward']:.3f} (median of {runs} ratios {statistics.median(ratios):.3f}; "
        f"read once {fastest['read once'] / fastest['forward']:.3f})",
        flush=True,
    )


def naive(name, model, x, batch):
    """One `predict` per layer, and NumPy, as keras-surgeon does it."""
    relus = [layer for layer in model.layers if isinstance(layer, keras.layers.ReLU) or _is_relu(layer)]

    def run():
        for layer in relus:
            y = keras.Model(model.inputs, layer.output).predict(x, batch_size=batch, verbose=0)
            (y == 0).mean(axis=tuple(range(y.ndim - 1)))

    one, many = seconds(lambda: firekeras.measure_fire(model, x, batch_size=batch)), seconds(run)
    print(
        f"{name}: measure_fire {one:.1f} s with compiling, one predict per layer {many:.1f} s, {many / one:.0f} times"
    )


def detector(name, model, x, batch):
    """Ranking all filters by FIRE measured on these samples, and by FIRE predicted from the weights."""
    profile = firekeras.measure_fire(model, x, batch_size=batch)
    one = seconds(lambda: firekeras.measure_fire(model, x, batch_size=batch))
    trained = firekeras.FireDetector().fit(model, profile)
    many = min(seconds(lambda: trained.predict(model)) for _ in range(3))
    filters = sum(len(fire) for fire in profile.values())
    print(f"{name}: {filters} filters measured on {len(x)} samples in {one:.2f} s, predicted in {many:.2f} s")


def first(name, model, x, batch):
    """What it costs to begin, most of which is compiling."""
    few = x[: 2 * batch]
    runs = {
        "predict": lambda: model.predict(few, batch_size=batch, verbose=0),
        "predict again": lambda: model.predict(few, batch_size=batch, verbose=0),
        "measure_fire": lambda: firekeras.measure_fire(model, few, batch_size=batch),
        "measure_fire again": lambda: firekeras.measure_fire(model, few, batch_size=batch),
    }
    times = ", ".join(f"{what} {seconds(run, time.process_time):.2f} s" for what, run in runs.items())
    print(f"{keras.backend.backend()} {name}: {times} of the processor", flush=True)


def _is_relu(layer):
    return getattr(layer, "activation", None) is keras.activations.relu


def memory():
    """Peak memory after 1,000, 10,000 and 50,000 samples, which are generated on demand."""

    class Made(keras.utils.PyDataset):
        def __init__(self, batches):
            super().__init__()
            self.batches = batches

        def __len__(self):
            return self.batches

        def __getitem__(self, index):
            return (np.random.default_rng(index).uniform(0, 255, (100, 32, 32, 3)).astype("float32"),)

    model = zoo.resnet_cifar(20)
    for batches in (10, 100, 500):
        firekeras.measure_fire(model, Made(batches))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{100 * batches} samples: peak {peak:.0f} MiB", flush=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("names", nargs="*", metavar="NAME")
    arguments.add_argument("--runs", type=int, default=12, help="timed passes of each")
    arguments.add_argument("--scale", type=int, default=1, help="the factor by which batches and data are larger")
    arguments.add_argument("--naive", action="store_true")
    arguments.add_argument("--detector", action="store_true")
    arguments.add_argument("--first", action="store_true")
    arguments.add_argument("--memory", action="store_true")
    chosen = arguments.parse_args()
    if chosen.memory:
        memory()
    else:
        for name, model, x, batch in networks(chosen.names, chosen.scale):
            shown = {"naive": naive, "detector": detector, "first": first}
            asked = [run for option, run in shown.items() if getattr(chosen, option)]
            for run in asked or [functools.partial(compare, runs=chosen.runs)]:
                run(name, model, x, batch)


if __name__ == "__main__":
    main()
