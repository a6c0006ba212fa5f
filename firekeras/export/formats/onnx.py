"""ONNX: `.onnx` files, run by ONNX Runtime on the CPU."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import io
import json
import math
import os
import tempfile
from pathlib import Path

from firekeras.export.formats.format import ON_TENSORFLOW, PIP, Format, Input, export_format, in_one_sentence, needed
from firekeras.quiet import silent_stderr
from firekeras.refusals import cause

# True: the kernel is applied once per input position (transposed); False: once per output position
CONVOLUTIONS = {"Conv": False, "ConvTranspose": True}
COMPUTING = (*CONVOLUTIONS, "Gemm", "MatMul")
DTYPES = {"float": "float32", "double": "float64", "float16": "float16"}


@export_format("onnx")
class Onnx(Format):
    """An `.onnx` file; its runtime also times single layers."""

    title, ending, runtime, keras_name = "an .onnx file", ".onnx", "ONNX Runtime", "onnx"
    needs = ("onnxruntime", "tf2onnx")
    needs_on = {"jax": ("onnxruntime", "jax2onnx"), "torch": ("onnxruntime", "onnx")}  # noqa: RUF012 (never changed)
    times_layers = True

    def how_to_install(self, missing):
        others = f"pip install {' '.join(missing)}. Or: {ON_TENSORFLOW}"
        return others if "jax2onnx" in missing else PIP  # the extra does not include jax2onnx

    def why_untrusted(self, path):
        from firekeras.export.onnx_check import why_untrusted

        return why_untrusted(path)

    def open(self, path, threads=None) -> OnnxRuntime:
        return OnnxRuntime(path, threads=threads or 1)

    def costs(self, path):
        """MACs per sample; parameters are the file's constants. None if the file does not say its shapes."""
        onnx = needed("onnx")
        with in_one_sentence(f"{path} is not an .onnx file, or is truncated"):
            graph = onnx.shape_inference.infer_shapes(onnx.load(path)).graph
            return _costs(graph, (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16))

    def layer_seconds(self, path, arrays, *, runs, threads=1):
        with tempfile.TemporaryDirectory() as folder:
            runtime = OnnxRuntime(path, threads=threads, profile_in=folder)
            runtime.prepare(arrays)
            for _ in range(runs):
                runtime.invoke()
            return {name: seconds / runs for name, seconds in runtime.end_profile().items()}


def _costs(graph, floats):
    from firekeras.export.file_costs import file_costs

    sizes = {constant.name: math.prod(constant.dims) for constant in graph.initializer}
    tensors = (*graph.input, *graph.value_info, *graph.output)
    shapes = {tensor.name: [dim.dim_value for dim in tensor.type.tensor_type.shape.dim] for tensor in tensors}
    computing = [node for node in graph.node if node.op_type in COMPUTING and node.input[1] in sizes]
    operations = [_operation(node, sizes, shapes) for node in computing]
    if not all(operation.macs for operation in operations):
        return None
    floating = [constant.name for constant in graph.initializer if constant.data_type in floats]
    params = sum(sizes[name] for name in floating if sizes[name] > 1)  # a dense layer's bias is added by a separate Add
    return dataclasses.replace(file_costs(operations), params=params)


def _operation(node, sizes, shapes):
    from firekeras.export.file_costs import Operation

    transposed = CONVOLUTIONS.get(node.op_type, False)
    where = shapes.get(node.input[0] if transposed else node.output[0], [0, 0, 0])  # 0: unknown
    convolution = node.op_type in CONVOLUTIONS
    positions = where[2:] if convolution else where[1:-1]
    return Operation(convolution, math.prod(positions) * sizes[node.input[1]], {})


class OnnxRuntime:
    """An open `.onnx` file.

    Args:
        path: The file.
        threads: The number of threads per layer.
        profile_in: A folder to write the time of each layer to. Defaults to none.
    """

    name = "ONNX Runtime"

    def __init__(self, path, *, threads=1, profile_in=None):
        module = _onnxruntime()
        options = module.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 4  # what it would log it also raises; names in it may hold control characters
        if profile_in:
            options.enable_profiling, options.profile_file_prefix = True, str(Path(profile_in) / "profile")
        self.threads, self._path = threads, path
        printed = contextlib.redirect_stdout(io.StringIO())  # it prints what it then raises
        with in_one_sentence(f"{path} is not an .onnx file that ONNX Runtime can run"), printed, silent_stderr():
            self._session = module.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            self.inputs = [Input(arg.name, _shape(arg.shape), _dtype(arg.type)) for arg in self._session.get_inputs()]

    def prepare(self, arrays):
        self._feed = {input.name: array.astype(input.dtype) for input, array in zip(self.inputs, arrays, strict=True)}

    def invoke(self):
        try:
            self._outputs = self._session.run(None, self._feed)
        except Exception as error:  # ONNX Runtime exports no common base class of its errors
            raise ValueError(f"ONNX Runtime cannot run {self._path}: {cause(error)}") from error

    def outputs(self):
        return self._outputs

    def end_profile(self) -> dict[str, float]:
        """The seconds of each layer, over all passes together."""
        seconds: dict[str, float] = collections.defaultdict(float)
        for event in json.loads(Path(self._session.end_profiling()).read_text()):
            if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
                seconds[event["name"].removesuffix("_kernel_time")] += event["dur"] / 1e6
        return dict(seconds)


def _onnxruntime():
    """ONNX Runtime, which neither sends anything about its use, nor leaves an identifier in the temporary folder."""
    with _environment("ORT_DISABLE_TELEMETRY", "1"):  # it is read upon import
        module = needed("onnxruntime")
    if hasattr(module, "disable_telemetry_events"):
        module.disable_telemetry_events()
    return module


@contextlib.contextmanager
def _environment(name, value):
    kept = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if kept is None:
            del os.environ[name]
        else:
            os.environ[name] = kept


def _shape(shape):
    return tuple(size if isinstance(size, int) else None for size in shape)


def _dtype(text):
    import numpy as np

    name = text.removeprefix("tensor(").removesuffix(")")
    return np.dtype(DTYPES.get(name, name))
