"""A pass over data in which a model's layers are called one by one, and some of them are watched."""

from __future__ import annotations

import math
from collections.abc import Iterator

import keras
import numpy as np
from keras import ops

from firekeras.data.checks import checked_data, num_samples
from firekeras.data.ending import watched
from firekeras.keras_models import devices
from firekeras.network.layer_by_layer import LayerByLayer, one_row
from firekeras.quiet import without_end_warnings
from firekeras.refusals import check_batch_size, checked_whole

BATCH_SIZE = 128


def observed(model, data, watch, helpers=(), *, batch_size=None, samples) -> dict[str, list[np.ndarray]]:
    """Runs data through a model in inference mode, and gathers what a function makes of its calls.

    Args:
        model: A Functional or Sequential model. Nothing in it changes.
        data: What `model.fit` takes. Labels are not looked at.
        watch: Called as `watch(visit, x, run)` for each call of a layer: see `LayerByLayer`.
        helpers: Layers that `watch` uses, beside those of the model.
        batch_size: For arrays. Defaults to 128.
        samples: After how many to stop: of arrays so many at random are taken, in whole batches where
            they fill one; of anything else the first batches.

    Returns:
        The rows of all calls and batches, by path: one array per tensor.
    """
    return RepeatedPass(model, data, watch, helpers, batch_size=batch_size, samples=samples).run()


class RepeatedPass:
    """What `observed` does, as often as it is asked to: over the same samples, with the weights as they are then.

    It is compiled once.

    Args:
        model, data, watch, helpers, batch_size, samples: As in `observed`. Of arrays the samples are chosen, and
            kept, once; data in batches are read each time.
    """

    def __init__(self, model, data, watch, helpers=(), *, batch_size=None, samples):
        _check_one_process()
        check_batch_size(batch_size)
        if samples != math.inf:
            checked_whole("samples", samples, 1, "the number of samples to use")
        self.model, self.watch, self.helpers, self.samples = model, watch, helpers, samples
        self.data, self.batch_size = _at_most(checked_data(model, data), samples, batch_size or BATCH_SIZE)
        self.compiled: LayerByLayer | None = None

    def run(self) -> dict[str, list[np.ndarray]]:
        """The rows of all calls and batches, by path: one array per tensor."""
        if self.compiled is not None and isinstance(self.data, Iterator):
            raise ValueError(
                f"The data are read several times, but a {type(self.data).__name__} can be read only once. Pass "
                "arrays, a keras.utils.PyDataset, a tf.data.Dataset or a torch DataLoader."
            )
        with devices.scope_of(self.model), devices.counting_apart() as place:
            self.compiled = self.compiled or LayerByLayer(self.model, self.watch, self.helpers, place=place)
            stop = _StopAfter(self.samples)
            suspect = self.data if self.samples == math.inf else None
            with without_end_warnings(), watched(suspect, "Measuring") as watch:
                _, rows = self.compiled.predict(
                    self.data, batch_size=self.batch_size, verbose=0, callbacks=[stop, *watch]
                )
        return rows


def _check_one_process():
    if devices.several_processes():
        raise ValueError(
            "A network is recovered in one process; received one that is distributed over several, each of which sees "
            "its own share of the data only. Recover it in one process, and distribute it then."
        )


def _at_most(data, samples, batch_size):
    """Random samples of arrays, since they may be sorted by class; no last batch of just a few."""
    if not isinstance(data, tuple):
        return data, None
    count = min(samples, num_samples(data))
    whole = count - count % batch_size or count
    chosen = np.random.default_rng(0).permutation(num_samples(data))[:whole]
    return keras.tree.map_structure(lambda a: np.asarray(a)[chosen], data[0]), batch_size


class _StopAfter(keras.callbacks.Callback):
    """Ends a pass once so many samples have come."""

    def __init__(self, samples):
        super().__init__()
        self.left = samples

    def on_predict_batch_end(self, batch, logs=None):
        self.left -= int(ops.convert_to_numpy(logs["outputs"][0]).sum())
        if self.left <= 0:
            self.model.stop_predicting = True


# Moments


def moments(x, axis) -> list:
    """How many values each channel of a batch has, their mean and variance, as rows: `(1,)`, `(1, channels)` twice."""
    axes = [k for k in range(len(x.shape)) if k != axis % len(x.shape)]
    sizes = ops.shape(x)
    mean = ops.mean(x, axes, keepdims=True)
    variance = ops.mean(ops.square(x - mean), axes)  # from the mean: squares minus a square lose digits
    return [one_row(math.prod(sizes[k] for k in axes)), ops.reshape(mean, (1, -1)), variance[None]]


def pooled(counts, means, variances) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of all values together, `(channels,)` in float64, from rows of `moments`."""
    some = counts > 0  # a replica's share of a batch may be empty
    shares = counts[some].astype("float64") / counts[some].sum(dtype="float64")
    means, variances = means[some].astype("float64"), variances[some].astype("float64")
    with np.errstate(invalid="ignore"):  # of infinite values, which `check_finite` refuses
        mean = shares @ means
        return mean, shares @ (variances + np.square(means - mean))


def check_finite(found):
    """Raises `ValueError` where NaN or infinity came out, by path."""
    for path, arrays in found.items():
        if not np.isfinite(arrays).all():
            raise ValueError(
                f"What reaches layer {path!r} holds NaN or infinity. Look for them in the data with "
                "np.isfinite(x).all(), and leave them out."
            )
