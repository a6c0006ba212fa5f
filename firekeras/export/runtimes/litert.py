"""A `.tflite` file, run by LiteRT on the CPU through XNNPACK."""

from __future__ import annotations

import numpy as np

from firekeras.channels.costs import Costs
from firekeras.export.runtimes.file_costs import LITERT_COMPUTING, litert_costs
from firekeras.export.runtimes.runtime import Input, in_order, needed


class LiteRT:
    """A `.tflite` file.

    LiteRT's Python interface measures only whole passes, no single layers.
    """

    name = "LiteRT"

    def __init__(self, path, *, threads=1):
        module = needed("ai_edge_litert.interpreter")
        try:
            self._interpreter = module.Interpreter(model_path=str(path), num_threads=threads)
        except (ValueError, RuntimeError) as error:
            raise ValueError(f"{path} is not a .tflite file that LiteRT can run: {error}") from error
        self.threads, self._path = threads, path
        self._details = _by_name(self._interpreter)
        self.inputs = [
            Input(name, tuple(None if d < 0 else int(d) for d in one["shape_signature"]), np.dtype(one["dtype"]))
            for name, one in self._details[0].items()
        ]

    def prepare(self, arrays):
        places = [one["index"] for one in self._details[0].values()]
        for place, array in zip(places, arrays, strict=True):
            self._interpreter.resize_tensor_input(place, array.shape)
        try:
            self._interpreter.allocate_tensors()
        except RuntimeError as error:  # for instance some networks of single channels
            raise ValueError(f"LiteRT cannot run {self._path} on {len(arrays[0])} samples: {error}") from error
        for place, one, array in zip(places, self.inputs, arrays, strict=True):
            self._interpreter.set_tensor(place, np.ascontiguousarray(array, one.dtype))

    def invoke(self):
        self._interpreter.invoke()

    def outputs(self):
        return [self._interpreter.get_tensor(one["index"]) for one in self._details[1].values()]

    def costs(self) -> Costs:
        """MACs per sample, and parameters."""
        self.prepare([np.zeros([1, *(size or 32 for size in one.shape[1:])], one.dtype) for one in self.inputs])
        return litert_costs(self._interpreter)

    def floating_layers(self) -> list[str]:
        """The convolutions and dense layers that do not compute in integers, by the name of their output."""
        found = []
        for op in self._interpreter._get_ops_details():
            if op["op_name"] in LITERT_COMPUTING:
                given = self._interpreter._get_tensor_details(op["outputs"][0], 0)
                found += [given["name"]] if given["dtype"] == np.float32 else []
        return found


def _by_name(interpreter):
    """Inputs by Keras's names, and outputs in Keras's order, with LiteRT's details."""
    details = interpreter.get_input_details(), interpreter.get_output_details()
    signature = next(iter(interpreter.get_signature_list()), None)
    if signature is None:
        return [{one["name"]: one for one in side} for side in details]
    runner = interpreter.get_signature_runner(signature)
    inputs, outputs = runner.get_input_details(), runner.get_output_details()
    first = [one["index"] for one in details[0]]
    inputs = dict(sorted(inputs.items(), key=lambda item: first.index(item[1]["index"])))
    return inputs, {name: outputs[name] for name in in_order(outputs)}
