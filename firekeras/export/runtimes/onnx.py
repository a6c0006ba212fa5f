"""An `.onnx` file, run by ONNX Runtime on the CPU."""

from __future__ import annotations

import collections
import json
import tempfile
from pathlib import Path

import numpy as np

from firekeras.export.runtimes.runtime import Input, needed

DTYPES = {"float": "float32", "double": "float64", "float16": "float16"}


class OnnxRuntime:
    """An `.onnx` file.

    Args:
        path: The file.
        threads: The number of threads per layer. Defaults to 1.
        profile_in: A folder to write the time of each layer to. Defaults to none.
    """

    name = "ONNX Runtime"

    def __init__(self, path, *, threads=1, profile_in=None):
        module = needed("onnxruntime")
        options = module.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        if profile_in:
            options.enable_profiling, options.profile_file_prefix = True, str(Path(profile_in) / "profile")
        try:
            self._session = module.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its errors share no base class that it exports
            raise ValueError(f"{path} is not an .onnx file that ONNX Runtime can run: {error}") from error
        self.threads = threads
        self.inputs = [Input(one.name, _shape(one.shape), _dtype(one.type)) for one in self._session.get_inputs()]

    def prepare(self, arrays):
        self._feed = {one.name: array.astype(one.dtype) for one, array in zip(self.inputs, arrays, strict=True)}

    def invoke(self):
        self._given = self._session.run(None, self._feed)

    def outputs(self):
        return self._given

    def end_profile(self) -> dict[str, float]:
        """Seconds per layer, over all passes."""
        seconds: dict[str, float] = collections.defaultdict(float)
        for event in json.loads(Path(self._session.end_profiling()).read_text()):
            if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
                seconds[event["name"].removesuffix("_kernel_time")] += event["dur"] / 1e6
        return dict(seconds)


def layer_seconds(path, arrays, *, runs, threads=1) -> dict[str, float]:
    """Mean seconds per layer of an `.onnx` file, in execution order.

    Args:
        path: The file.
        arrays: One array per input, `(batch, ...)`.
        runs: The number of passes.
        threads: The number of threads. Defaults to 1.
    """
    with tempfile.TemporaryDirectory() as folder:
        runtime = OnnxRuntime(path, threads=threads, profile_in=folder)
        runtime.prepare(arrays)
        for _ in range(runs):
            runtime.invoke()
        return {name: seconds / runs for name, seconds in runtime.end_profile().items()}


def _shape(shape):
    return tuple(size if isinstance(size, int) else None for size in shape)


def _dtype(text):
    name = text.removeprefix("tensor(").removesuffix(")")
    return np.dtype(DTYPES.get(name, name))
