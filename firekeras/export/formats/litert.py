"""LiteRT: `.tflite` files, run on the CPU through XNNPACK."""

from __future__ import annotations

import math

from firekeras.export.formats.format import (
    ON_TENSORFLOW,
    Format,
    Input,
    export_format,
    in_one_sentence,
    in_order,
    needed,
)
from firekeras.export.harmless import LITERT_CUSTOM
from firekeras.quiet import silent_stderr
from firekeras.refusals import cause

# True: the kernel is applied once per input position (transposed); False: once per output position
CONVOLUTIONS = {"CONV_2D": False, "DEPTHWISE_CONV_2D": False, "CONV_3D": False, "TRANSPOSE_CONV": True}
COMPUTING = (*CONVOLUTIONS, "FULLY_CONNECTED")
SCRATCH = ("MEAN", "TRANSPOSE_CONV")  # which sum up in four bytes in int8
CALIBRATED = 300  # samples to calibrate on


@export_format("litert")
class LiteRT(Format):
    """A `.tflite` file, in floats or in int8."""

    title, ending, runtime, keras_name = "a .tflite file", ".tflite", "LiteRT", "litert"
    needs = ("ai_edge_litert",)
    refused_on = dict.fromkeys(("jax", "torch"), f"Keras exports to LiteRT from TensorFlow. {ON_TENSORFLOW}.")
    has_int8 = True

    def why_untrusted(self, path):
        return self.open(path).why_untrusted()  # opening runs nothing

    def open(self, path, threads=None) -> LiteRTRuntime:
        return LiteRTRuntime(path, threads=threads or 1)

    def costs(self, path):
        """MACs per sample, and parameters; normalisation is folded into kernels and biases."""
        runtime = self.open(path)
        with in_one_sentence(f"{path} is damaged: its costs cannot be counted"):
            return runtime.costs()

    def int8_settings(self, arrays, ends=False):
        import tensorflow as tf

        kinds = {"inference_input_type": tf.int8, "inference_output_type": tf.int8} if ends else {}
        return {
            **kinds,
            "optimizations": [tf.lite.Optimize.DEFAULT],
            "target_spec": {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]},
            "representative_dataset": _one_by_one(arrays),
        }

    def check_int8(self, path):
        floating = self.open(path).floating_layers()
        if floating:
            raise ValueError(f"Not int8 throughout: {', '.join(floating[:5])} still compute in floats.")


def _one_by_one(arrays):
    """Up to 300 evenly spaced samples, one at a time, as LiteRT's converter takes them."""
    import numpy as np

    count = len(next(iter(arrays.values())))
    chosen = np.unique(np.linspace(0, count - 1, min(CALIBRATED, count)).astype(int))

    def batches():
        for k in chosen:
            yield {name: array[k : k + 1] for name, array in arrays.items()}

    return batches


class LiteRTRuntime:
    """An open `.tflite` file.

    LiteRT's Python interface times whole passes only, not single layers.
    """

    name = "LiteRT"

    def __init__(self, path, *, threads=1):

        module = needed("ai_edge_litert.interpreter")
        self.threads, self._path = threads, path
        with in_one_sentence(f"{path} is not a .tflite file that LiteRT can run"):
            with silent_stderr():  # it says which delegate it created
                self._interpreter = module.Interpreter(model_path=str(path), num_threads=threads)
            self._details = _by_name(self._interpreter)
            self.inputs = [
                Input(name, tuple(None if d < 0 else int(d) for d in tensor["shape_signature"]), _as_given(tensor))
                for name, tensor in self._details[0].items()
            ]

    def prepare(self, arrays):
        tensors = self._details[0].values()
        # LiteRT itself refuses, for instance, some networks of single channels
        with in_one_sentence(f"LiteRT cannot run {self._path} on {len(arrays[0])} samples"), silent_stderr():
            for tensor, array in zip(tensors, arrays, strict=True):
                self._interpreter.resize_tensor_input(tensor["index"], array.shape)
            self._interpreter.allocate_tensors()
            for tensor, array in zip(tensors, arrays, strict=True):
                self._interpreter.set_tensor(tensor["index"], _quantized(tensor, array))

    def invoke(self):
        try:
            self._interpreter.invoke()
        except RuntimeError as error:
            raise ValueError(f"LiteRT cannot run {self._path}: {cause(error)}") from error

    def outputs(self):
        return [_in_floats(one, self._interpreter.get_tensor(one["index"])) for one in self._details[1].values()]

    def why_untrusted(self) -> str | None:
        """Why the file may do more than compute; None if it only computes.

        LiteRT's own operations have names in capitals, and compute only.
        """
        with in_one_sentence(f"{self._path} is damaged: its operations have no names"):
            names = {one["op_name"] for one in self._interpreter._get_ops_details()} - LITERT_CUSTOM
        foreign = next((name for name in sorted(names) if name != name.upper()), None)
        return f"it has the custom operation {foreign!r}, which may do more than compute" if foreign else None

    def costs(self):
        """MACs per sample, and parameters, as `Costs`."""
        import numpy as np

        from firekeras.export.file_costs import file_costs

        shapes = [[1, *(size or 32 for size in tensor.shape[1:])] for tensor in self.inputs]
        self.prepare([np.zeros(shape, tensor.dtype) for shape, tensor in zip(shapes, self.inputs, strict=True)])
        return file_costs(map(self._operation, self._computing()), self._program())

    def _program(self):
        """What the file does, as LiteRT for Microcontrollers would run it."""
        from firekeras.channels.program import Product, Program, Step, Tensor

        operations = [op for op in self._interpreter._get_ops_details() if op["op_name"] != "DELEGATE"]
        sides = [[int(tensor["index"]) for tensor in side.values()] for side in self._details]
        made = [int(index) for op in operations for index in op["outputs"]]
        number = {index: place for place, index in enumerate(dict.fromkeys([*sides[0], *sorted(made)]))}
        details = [self._interpreter._get_tensor_details(index, 0) for index in number]
        tensors = [
            Tensor(Product(math.prod(map(int, one["shape"]))), len(one["shape"]), one["dtype"]().itemsize)
            for one in details
        ]
        steps = []
        for op in operations:
            ends = (op["inputs"], op["outputs"])
            reads, makes = (tuple(number[i] for i in map(int, end) if i in number) for end in ends)
            numbers = 4 * tensors[makes[0]].size.factor
            scratch = Product(numbers) if op["op_name"] in SCRATCH and tensors[makes[0]].bytes == 1 else None
            steps.append(Step(details[makes[0]]["name"], op["op_name"], reads, makes, (), scratch))
        inputs, outputs = (tuple(number[index] for index in side) for side in sides)
        return Program(tuple(tensors), tuple(steps), inputs, outputs)

    def _computing(self):
        return [op for op in self._interpreter._get_ops_details() if op["op_name"] in COMPUTING]

    def _operation(self, operation):
        from firekeras.export.file_costs import Operation

        kind, inputs = operation["op_name"], [int(index) for index in operation["inputs"] if index >= 0]
        transposed = CONVOLUTIONS.get(kind, False)
        # inputs: (output shape, kernel, input, bias) if transposed, else (input, kernel, bias)
        where = inputs.pop(2) if transposed else operation["outputs"][0]
        weights = {str(index): math.prod(self._shape(index)) for index in inputs[1:]}
        macs = math.prod(self._shape(where)[:-1]) * weights[str(inputs[1])]
        return Operation(kind in CONVOLUTIONS, macs, weights)

    def _shape(self, index):
        return [int(size) for size in self._interpreter._get_tensor_details(index, 0)["shape"]]

    def floating_layers(self) -> list[str]:
        """The convolutions and dense layers that do not compute in int8, by the names of their outputs."""
        import numpy as np

        outputs = [self._interpreter._get_tensor_details(op["outputs"][0], 0) for op in self._computing()]
        return [tensor["name"] for tensor in outputs if tensor["dtype"] == np.float32]


def _as_given(tensor):
    """The dtype that an input is given in: floats if the file holds it as whole numbers with a scale."""
    import numpy as np

    return np.dtype("float32" if tensor["quantization"][0] else tensor["dtype"])


def _quantized(tensor, array):
    """An array as an input takes it."""
    import numpy as np

    scale, zero = tensor["quantization"]
    if scale and array.dtype.kind == "f":
        limits = np.iinfo(tensor["dtype"])
        array = np.clip(np.round(array / scale) + zero, limits.min, limits.max)
    return array.astype(tensor["dtype"], order="C", copy=False)


def _in_floats(tensor, array):
    """An output in floats, if the file gives whole numbers with a scale."""
    scale, zero = tensor["quantization"]
    return (array.astype("float32") - zero) * scale if scale else array


def _by_name(interpreter):
    """Inputs as Keras names them, and outputs as it numbers them, with LiteRT's details."""
    details = interpreter.get_input_details(), interpreter.get_output_details()
    signature = next(iter(interpreter.get_signature_list()), None)
    if signature is None:
        return [{tensor["name"]: tensor for tensor in side} for side in details]
    runner = interpreter.get_signature_runner(signature)
    inputs, outputs = runner.get_input_details(), runner.get_output_details()
    first = [tensor["index"] for tensor in details[0]]
    inputs = dict(sorted(inputs.items(), key=lambda item: first.index(item[1]["index"])))
    return inputs, {name: outputs[name] for name in in_order(outputs)}
