"""The cost of FirePruningCallback inside `fit`: while it counts, while it has nothing to do, and when it cuts.

    python examples/benchmarks/callback.py [NAME ...]

Epochs of plain `fit`, of `fit` with the callback in its measuring epoch, and with the callback waiting for
a later one, take turns on the same network. It prints ratios of the fastest steps, which other work on
the machine disturbs least, and of the median steps, in wall-clock and in processor time; the first
step of an epoch is left out, since it may compile. A cut is timed from the end of an epoch to the end of
the first step of the next one, and compared with the first step of a new network. KERAS_BACKEND is respected.
"""

import argparse
import os
import time
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import firekeras
from firekeras import zoo

RUNS = 6
CUTS = 3
NEVER = 1_000_000


def networks(names):
    """(name, network, samples) of all networks, or of the requested ones."""
    known = {
        "VGG-16": (zoo.vgg16_cifar, 320),
        "ResNet-20": (lambda: zoo.resnet_cifar(20), 1280),
        "ResNet-56": (lambda: zoo.resnet_cifar(56), 640),
    }
    for name in names or ("VGG-16", "ResNet-56"):
        build, samples = known[name]
        yield name, build, samples


def now():
    """Wall-clock seconds, and seconds of processor time that this process has used."""
    return np.array([time.perf_counter(), time.process_time()])


class Clock(keras.callbacks.Callback):
    """Times each step except the first of an epoch, and everything up to the end of that first step."""

    def on_train_begin(self, logs=None):
        self.firsts, self.steps, self.edge = [], [], now()

    def on_train_batch_end(self, batch, logs=None):
        (self.steps if batch else self.firsts).append(now() - self.edge)
        self.edge = now()

    def on_epoch_end(self, epoch, logs=None):
        self.edge = now()


def fit(model, samples, epochs=1, **settings):
    """Trains; returns the `Clock`, which is the only callback if there are no settings."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(samples, 32, 32, 3)).astype("float32"), rng.integers(0, 10, samples)
    clock = Clock()
    ours = {"monitor": "accuracy", "tolerance": 1.0, "verbose": 0, **settings}
    callbacks = [firekeras.FirePruningCallback(**ours)] if settings else []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nothing is pruned on purpose
        model.fit(x, y, epochs=epochs, batch_size=64, verbose=0, callbacks=[clock, *callbacks])
    return clock


def compiled(build):
    model = build()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(1e-4, momentum=0.9), loss, metrics=["accuracy"])
    return model


def compare(name, build, samples):
    model = compiled(build)
    first_step = fit(model, samples).firsts[0]
    ways = {"plain": {}, "counting": {"start_epoch": 0}, "waiting": {"start_epoch": NEVER}}
    times = {way: [] for way in ways}
    for _ in range(RUNS):
        for way, settings in ways.items():
            times[way].extend(fit(model, samples, **settings).steps)
    fastest = {way: np.min(steps, axis=0) for way, steps in times.items()}
    median = {way: np.median(steps, axis=0) for way, steps in times.items()}
    clock, processors = fastest["plain"]
    print(
        f"{keras.backend.backend()} {name}: the fastest step of plain fit {clock:.4f} s, processors {processors:.4f} s"
    )
    for way in ("counting", "waiting"):
        (clock, processors), medians = fastest[way] / fastest["plain"], median[way] / median["plain"]
        print(
            f"    {way}: {clock:.4f} times that, processors {processors:.4f} "
            f"(medians of {len(times[way])} steps {medians[0]:.4f}, {medians[1]:.4f})",
            flush=True,
        )
    cuts = [fit(model, samples, epochs=2, pruning_ratio=0.05).firsts[1] for _ in range(CUTS)]
    cut, fresh = np.min(cuts, axis=0), first_step
    print(f"    a cut {cut[0]:.2f} s, processors {cut[1]:.2f} s")
    print(f"    the first step of a fresh network {fresh[0]:.2f} s, processors {fresh[1]:.2f} s", flush=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("names", nargs="*", metavar="NAME")
    for network in networks(arguments.parse_args().names):
        compare(*network)


if __name__ == "__main__":
    main()
