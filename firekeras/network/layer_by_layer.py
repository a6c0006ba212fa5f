"""A model's layers called one by one on real tensors, while a function watches."""

from __future__ import annotations

import contextlib
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterable

import keras
from keras import ops

from firekeras.channels.walk import Visit, functional_graph, layers_of, walk
from firekeras.keras_models.internals import at_inference_arguments, check_inputs, flat_inputs, strategy_of


class Enough(Exception):  # noqa: N818 (it ends a pass, and is no error)
    """Raised by a watch: what comes after this call need not be computed."""


class LayerByLayer(keras.Model):
    """Calls another model's layers on real tensors, in inference mode, so that its graph is not touched.

    Gives the size of the batch, `(1,)`, and the rows by path: `predict` hands them on, and `evaluate` drops them, for
    watches that keep what they see in variables of their helpers. It is compiled as the model is.

    Args:
        model: A Functional or Sequential model. Nothing in it changes.
        watch: Called as `watch(visit, x, run)` for each call of a layer: with the `Visit`, the layer's first
            argument, and a function that runs the layer. Returns None to let the layer run; else `(output, rows)`:
            the output to use instead (None keeps the layer's own), and rows as `moments` gives them, or None.
            Raises `Enough` after the last call that it asks for.
        helpers: Layers that `watch` uses, beside those of the model. Defaults to none.
        watch_inputs: Called with the model's inputs, a flat list; returns what to use in their place. Defaults to
            nothing.
        place: Brings a batch to the devices, as `devices.counting_apart` gives it. Defaults to None.
        weakly: Whether to keep the model's layers alive, but not the model. Defaults to False.
    """

    def __init__(
        self,
        model: keras.Model,
        watch: Callable,
        helpers: Iterable[keras.Layer] = (),
        *,
        watch_inputs: Callable | None = None,
        place: Callable | None = None,
        weakly: bool = False,
    ):
        super().__init__(dtype="float32", autocast=False)  # the layers cast for themselves
        self._model = weakref.ref(model) if weakly else lambda: model
        self.inside, self.helpers, self.watch = list(layers_of(model)), list(helpers), watch
        self.watch_inputs = watch_inputs or list
        self.built = True
        self.compile(jit_compile=model.jit_compile if model.compiled else "auto")
        if place is not None:
            self._place_batches(place)

    @property
    def model(self):
        """The model whose layers are called."""
        return self._model()

    def _place_batches(self, place):
        def placing(step):
            return lambda state, batches: step(state, map(place, batches))

        self.make_predict_function()
        self.make_test_function()
        for name in ("predict_function", "test_function"):
            setattr(self, name, placing(getattr(self, name)))

    def make_test_function(self, force=False):
        """On TensorFlow, one graph for a step, if Keras would make two, one within the other: most of a short pass."""
        if keras.backend.backend() != "tensorflow" or self.jit_compile or strategy_of(self) is not None:
            super().make_test_function(force)
        elif force or getattr(self, "test_function", None) is None:
            self.test_function = _in_one_graph(self.test_step)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Builds on one replica's batch: Keras takes the replicas' mean, and theirs may differ in size."""
        if iterator is not None and strategy_of(self) is not None:
            batch = next(next(iter(iterator))[-1])
            parts = strategy_of(self).experimental_local_results
            iterator, data_batch = None, keras.tree.map_structure(lambda x: parts(x)[0], batch)
        super()._maybe_symbolic_build(iterator, data_batch)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return ops.zeros(())

    def call(self, inputs, training=None):
        graph = functional_graph(self.model)
        flat = flat_inputs(graph, inputs)
        check_inputs(graph, flat)
        size = ops.shape(flat[0])[0]
        if strategy_of(self) is None or isinstance(size, int):
            return one_row(size), self._rows(flat)
        # Of a small last batch nothing may be left for a replica, and not every layer takes nothing.
        return ops.cond(
            size > 0, lambda: (one_row(size), self._rows(flat)), lambda: (one_row(0), self._rows_of_nothing(flat))
        )

    def _rows(self, flat):
        rows: dict[str, list] = defaultdict(list)

        def call(visit: Visit, args, kwargs):
            def run():
                return visit.operation(*args, **at_inference_arguments(visit.operation, kwargs))

            output, seen = self.watch(visit, args[0] if args else None, run) or (None, None)
            if seen is not None:
                rows[visit.path].append(seen)
            return run() if output is None else output

        with contextlib.suppress(Enough):
            walk(self.model, self.watch_inputs(flat), call)
        return {path: [ops.concatenate(part) for part in zip(*calls, strict=True)] for path, calls in rows.items()}

    def _rows_of_nothing(self, flat):
        """Rows that count for nothing, shaped like those of one sample; no variable takes that up."""
        with keras.StatelessScope():
            rows = self._rows([ops.zeros((1, *ops.shape(tensor)[1:]), tensor.dtype) for tensor in flat])
        return {path: [ops.zeros_like(counts), *rest] for path, (counts, *rest) in rows.items()}


def _in_one_graph(step):
    import tensorflow as tf

    @tf.function(reduce_retracing=True, autograph=False)
    def function(iterator):
        return step(keras.tree.map_structure(given, iterator.get_next()))

    def given(part):
        return None if isinstance(part, tf.experimental.Optional) else part  # as Keras wraps what is None

    return function


def one_row(count):
    """How many of something a batch has, as a row: `(1,)`."""
    return ops.reshape(ops.cast(count, "int32"), (1,))
