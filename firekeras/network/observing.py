"""A pass over data in which a model's layers are called one by one, and some of them are watched."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

import keras
import numpy as np
from keras import ops

from firekeras.channels.walk import Visit, functional_graph, walk
from firekeras.data.checks import checked_data, num_samples
from firekeras.keras_models import devices
from firekeras.keras_models.internals import at_inference_arguments, flat_inputs, strategy_of

BATCH_SIZE = 128


def observed(model, data, watch, helpers=(), *, batch_size=None, samples) -> dict[str, list[np.ndarray]]:
    """Runs data through a model in inference mode, and gathers what a function makes of its calls.

    Args:
        model: A Functional or Sequential model. Nothing in it changes.
        data: What `model.fit` takes. Labels are not looked at.
        watch: Called as `watch(path, layer, x, inference)` for each call of a layer: with the layer's
            path, its first argument, and whether the model itself calls it with `training=False`.
            Returns None to let it be; else `(given, rows)`: what the call shall give (None: what the
            layer gives), and rows as `moments` gives them.
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
        self.model, self.watch, self.helpers, self.samples = model, watch, helpers, samples
        self.data, self.batch_size = _at_most(checked_data(model, data), samples, batch_size or BATCH_SIZE)
        self.compiled: LayerByLayer | None = None

    def run(self) -> dict[str, list[np.ndarray]]:
        """The rows of all calls and batches, by path: one array per tensor."""
        if self.compiled is not None and isinstance(self.data, Iterator):
            raise ValueError(
                f"The data are read each time, but a {type(self.data).__name__} gives what it has only once. Give "
                "arrays, a keras.utils.PyDataset, a tf.data.Dataset or a torch DataLoader."
            )
        with devices.scope_of(self.model), devices.counting_apart() as place:
            self.compiled = self.compiled or self._compiled(place)
            callbacks = [_StopAfter(self.samples)]
            _, rows = self.compiled.predict(self.data, batch_size=self.batch_size, verbose=0, callbacks=callbacks)
        return rows

    def _compiled(self, place):
        run = LayerByLayer(self.model, self.watch, self.helpers)
        run.compile(jit_compile=self.model.jit_compile if self.model.compiled else "auto")
        if place is not None:
            run.make_predict_function()
            step = run.predict_function
            run.predict_function = lambda state, batches: step(state, map(place, batches))
        return run


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


class LayerByLayer(keras.Model):
    """Calls another model's layers on real tensors, in inference mode, so that its graph is not touched.

    Gives the size of the batch, `(1,)`, and the rows by path.

    Args:
        model, watch, helpers: As in `observed`.
    """

    def __init__(self, model, watch, helpers):
        super().__init__(dtype="float32", autocast=False)  # the layers cast for themselves
        self.model, self.helpers, self.watch = model, list(helpers), watch
        self.built = True

    def call(self, inputs, training=None):
        flat = flat_inputs(functional_graph(self.model), inputs)
        size = ops.shape(flat[0])[0]
        if strategy_of(self) is None or isinstance(size, int):
            return _one_row(size), self._rows(flat)
        # Of a small last batch nothing may be left for a replica, and not every layer takes nothing.
        rows = self._rows(ops.cond(size > 0, lambda: flat, lambda: [_zeros(tensor) for tensor in flat]))
        return _one_row(size), {path: [counts * _one_row(size > 0), *rest] for path, (counts, *rest) in rows.items()}

    def _rows(self, flat):
        rows: dict[str, list] = defaultdict(list)

        def call(visit: Visit, args, kwargs):
            layer, path = visit.operation, visit.path
            given, found = self.watch(path, layer, args[0] if args else None, visit.at_inference) or (None, None)
            if found is not None:
                rows[path].append(found)
            return layer(*args, **at_inference_arguments(layer, kwargs)) if given is None else given

        walk(self.model, flat, call)
        return {path: [ops.concatenate(part) for part in zip(*found, strict=True)] for path, found in rows.items()}


def _zeros(tensor):
    """One sample of zeros, shaped like those of a batch."""
    return ops.zeros((1, *ops.shape(tensor)[1:]), tensor.dtype)


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
    return [_one_row(math.prod(sizes[k] for k in axes)), ops.reshape(mean, (1, -1)), variance[None]]


def _one_row(count):
    return ops.reshape(ops.cast(count, "int32"), (1,))


def pooled(counts, means, variances) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of all values together, `(channels,)` in float64, from rows of `moments`."""
    some = counts > 0  # a replica's share of a batch may be empty
    shares = counts[some].astype("float64") / counts[some].sum(dtype="float64")
    means, variances = means[some].astype("float64"), variances[some].astype("float64")
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
