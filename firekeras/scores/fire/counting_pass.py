"""A pass of data through a network, layer by layer, that counts zeros; what was compiled for a model serves again."""

from __future__ import annotations

import weakref
from typing import Any

import keras

from firekeras.channels.walk import visits
from firekeras.keras_models import devices
from firekeras.keras_models.internals import strategy_of
from firekeras.network.layer_by_layer import Enough, LayerByLayer
from firekeras.quiet import without_end_warnings
from firekeras.scores.fire.counting import Glance, NonFiniteCounter, ZeroCount, ZeroCounters

KEPT: weakref.WeakKeyDictionary[keras.Model, CountingPass] = weakref.WeakKeyDictionary()  # until the model goes
PLAIN = (bool, int, float, str, type(None))


class CountingPass:
    """Counts the zeros of a model's ReLUs over data, in inference mode.

    Args:
        model: The model. Its graph is not touched.
        axes: The channel axis of each ReLU, by the key of its call.
        per_position, spread: As in `ZeroCounters`.
    """

    def __init__(self, model: keras.Model, axes: dict, per_position: bool = False, spread: bool = False):
        self.counters = ZeroCounters(axes, per_position, spread)
        self._strange = NonFiniteCounter(dtype="float32", autocast=False, trainable=False)
        self._known = _known(model, axes, per_position, spread)
        with devices.scope_of(model), devices.counting_apart() as place:
            self._layers = counting_layers(model, self.counters, self._strange, place)
        self._serves_again = place is None and strategy_of(model) is None

    @classmethod
    def of(cls, model: keras.Model, axes: dict, per_position: bool = False, spread: bool = False) -> CountingPass:
        """The pass that is kept of the last time, if it still fits, or a new one.

        It is taken away until `keep`: of two threads, the second makes its own.
        """
        kept = KEPT.pop(model, None)
        if kept is None or kept._known != _known(model, axes, per_position, spread):
            return cls(model, axes, per_position, spread)
        kept._begin_again()
        return kept

    def keep(self) -> None:
        """Keeps the pass, with what was compiled for it, for as long as the model lives; call it after `counts`."""
        if self._serves_again:
            KEPT[self._layers.model] = self

    def _begin_again(self):
        for helper in self._layers.helpers:
            for variable in helper.variables:
                variable.assign(keras.ops.zeros(variable.shape, variable.dtype))

    def run(self, data: Any, *, batch_size: int | None = None, steps: int | None = None, callbacks=()) -> None:
        """Counts.

        Args:
            data, batch_size, steps: As `evaluate` takes them; `(x,)` for arrays.
            callbacks: Callbacks for `evaluate`.

        Raises:
            ValueError: If the data are empty, or not finite.
        """
        x, batch_size = (data[0], batch_size or 32) if isinstance(data, tuple) else (data, None)
        x = devices.share_of_process(x)
        with without_end_warnings(), devices.scope_of(self._layers.model), devices.counting_apart():
            self._layers.evaluate(x, batch_size=batch_size, steps=steps, verbose=0, callbacks=callbacks)
        devices.sum_over_processes([variable for helper in self._layers.helpers for variable in helper.variables])
        self._check()

    def _check(self):
        if self._strange.count():
            raise ValueError(
                f"{self._strange.count()} of the batches hold NaN or infinity, which a ReLU may turn into zeros. "
                "Look for them with np.isfinite(x).all(), and leave them out."
            )
        if not any(count.samples for count in self.counts().values()):
            raise ValueError("The data are empty: there was not a single batch. Pass data with at least one sample.")

    def counts(self) -> dict[Any, ZeroCount]:
        """What was counted so far, by key."""
        return self.counters.counts()


def _known(model, axes, per_position, spread):
    """What a pass is compiled for: the model's calls, and what its layers are set to."""
    settings = [(visit.key, _settings(visit.operation)) for visit in visits(model)]
    return axes, per_position, spread, model.jit_compile if model.compiled else None, settings


def _settings(operation):
    """The plain values and functions of a layer, by name; weights may change."""
    return {
        name: value
        for name, value in vars(operation).items()
        if not name.startswith("_") and (_is_plain(value) or callable(value))
    }


def _is_plain(value):
    return all(map(_is_plain, value)) if isinstance(value, tuple) else isinstance(value, PLAIN)


def counting_layers(model, counters, strange, place=None) -> LayerByLayer:
    """A model that runs another's layers up to its last ReLU, in inference mode, and has counters count.

    Args:
        model: The model.
        counters: The `ZeroCounters` of its ReLUs, by the keys of their calls.
        strange: A `NonFiniteCounter`, for the model's inputs.
        place: As in `LayerByLayer`.
    """
    counted = [visit for visit in visits(model) if visit.key in counters.axes]
    strange.build()
    counters.build_for({visit.key: visit.node.outputs[0].shape for visit in counted})
    seen: dict[tuple, Glance] = {}

    def watch(visit, x, run):
        if visit.key not in counters.axes:
            return None
        output = run()
        seen[visit.key] = counters.glance(visit.key, output)
        if visit.key == counted[-1].key:
            counters.add(seen)
            seen.clear()
            raise Enough
        return output, None

    def watch_inputs(flat):
        return [strange(x) if keras.backend.is_float_dtype(x.dtype) else x for x in flat]

    return LayerByLayer(model, watch, [counters, strange], watch_inputs=watch_inputs, place=place, weakly=True)
