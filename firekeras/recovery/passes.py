"""A pass over data that is compiled once and can be run many times."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from firekeras import devices
from firekeras.data import checked_data
from firekeras.observing import BATCH_SIZE, LayerByLayer, _at_most, _check_one_process, _StopAfter


class RepeatedPass:
    """What `firekeras.observing.observed` does, again and again: over the same samples, with the weights as they are.

    Args:
        model, data, watch, batch_size, samples: As in `observed`. Of arrays the samples are chosen, and
            kept, once; data in batches are read each time.
    """

    def __init__(self, model, data, watch, *, batch_size=None, samples):
        _check_one_process()
        self.model, self.watch, self.samples = model, watch, samples
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
        run = LayerByLayer(self.model, self.watch, ())
        run.compile(jit_compile=self.model.jit_compile if self.model.compiled else "auto")
        if place is not None:
            run.make_predict_function()
            step = run.predict_function
            run.predict_function = lambda state, batches: step(state, map(place, batches))
        return run
