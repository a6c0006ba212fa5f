"""How far FIRE counted inside training steps is from FIRE in inference mode, and how much counting costs.

    python examples/benchmarks/fire_in_training.py MODEL.keras DATA.npz [--limit 4000]

The model trains for two epochs with a learning rate so small that its weights hardly move, so the only difference
is that batch normalisation uses the batch or its running averages. Then it trains for one epoch at 0.01.
"""

import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from scipy.stats import spearmanr

import firekeras


class Timed(keras.callbacks.Callback):
    """Seconds of each epoch's steps, without the first step of an epoch, which may compile."""

    def on_train_begin(self, logs=None):
        self.epochs = []

    def on_epoch_begin(self, epoch, logs=None):
        self.epochs.append([])

    def on_train_batch_end(self, batch, logs=None):
        self.epochs[-1].append(time.perf_counter())

    def per_step(self):
        return [np.median(np.diff(ends)) for ends in self.epochs]


def counted(path, x, y, rate):
    """(profile counted in training, profile measured afterwards, seconds per step of both epochs)."""
    model = keras.models.load_model(path, compile=False)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(rate), loss, metrics=["accuracy"])
    callback = firekeras.FirePruningCallback(pruning_ratio=0.001, tolerance=1.0, monitor="accuracy", verbose=0)
    timed = Timed()
    before = firekeras.measure_fire(model, x, batch_size=100)
    model.fit(x, y, epochs=2, batch_size=100, verbose=0, callbacks=[callback, timed])
    return callback.profile, before, timed.per_step()


def compare(one, other):
    ranked = other.rankable()
    a, b = (np.concatenate([profile[name][ranked[name]] for name in ranked]) for profile in (one, other))
    top = max(1, round(0.05 * b.size))
    same = len(set(np.argsort(-a, kind="stable")[:top]) & set(np.argsort(-b, kind="stable")[:top])) / top
    return f"mean difference {np.abs(a - b).mean():.4f}, Spearman {spearmanr(a, b)[0]:.3f}, same top 5%: {same:.0%}"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("model")
    arguments.add_argument("data")
    arguments.add_argument("--limit", type=int, default=4000)
    chosen = arguments.parse_args()
    data = np.load(chosen.data)
    x, y = data["x_train"][: chosen.limit], data["y_train"][: chosen.limit]
    for rate in (1e-9, 0.01):
        training, inference, seconds = counted(chosen.model, x, y, rate)
        print(f"learning rate {rate}: {compare(training, inference)}")
        print(
            f"    a step that counts takes {seconds[0] / seconds[1]:.3f} times as long as one that does not", flush=True
        )


if __name__ == "__main__":
    main()
