"""The costs of exported files, counted from their operations: MACs and parameters."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import NamedTuple

from firekeras.channels.costs import Costs
from firekeras.export.runtimes.runtime import needed

# True: the kernel is applied once for each position that is read (transposed); False: for each that is given
LITERT_CONVOLUTIONS = {"CONV_2D": False, "DEPTHWISE_CONV_2D": False, "CONV_3D": False, "TRANSPOSE_CONV": True}
ONNX_CONVOLUTIONS = {"Conv": False, "ConvTranspose": True}
LITERT_COMPUTING = (*LITERT_CONVOLUTIONS, "FULLY_CONNECTED")
ONNX_COMPUTING = (*ONNX_CONVOLUTIONS, "Gemm", "MatMul")


class Operation(NamedTuple):
    """A convolution or a dense layer: its multiplications per sample, and the sizes of its weights, by name."""

    convolution: bool
    macs: int
    params: dict[str, int]


def file_costs(operations: Iterable[Operation]) -> Costs:
    """The costs of all operations; shared weights count once."""
    operations = list(operations)
    conv_macs = sum(operation.macs for operation in operations if operation.convolution)
    params = {name: size for operation in operations for name, size in operation.params.items()}
    return Costs(conv_macs, sum(operation.macs for operation in operations), sum(params.values()), {})


def litert_costs(interpreter) -> Costs:
    """The costs of a `.tflite` file, per sample; normalization is folded into kernels and biases.

    Args:
        interpreter: LiteRT's interpreter, with tensors allocated for one sample.
    """
    computing = [details for details in interpreter._get_ops_details() if details["op_name"] in LITERT_COMPUTING]
    return file_costs(_litert_operation(details, interpreter) for details in computing)


def _litert_operation(operation, interpreter):
    def shape(index):
        return [int(size) for size in interpreter._get_tensor_details(index, 0)["shape"]]

    kind, inputs = operation["op_name"], [int(index) for index in operation["inputs"] if index >= 0]
    transposed = LITERT_CONVOLUTIONS.get(kind, False)
    # (the shape to give, kernel, what is read, bias), or (what is read, kernel, bias)
    where = inputs.pop(2) if transposed else operation["outputs"][0]
    weights = {str(index): math.prod(shape(index)) for index in inputs[1:]}
    macs = math.prod(shape(where)[:-1]) * weights[str(inputs[1])]
    return Operation(kind in LITERT_CONVOLUTIONS, macs, weights)


def onnx_costs(path) -> Costs | None:
    """The costs of an `.onnx` file, per sample; parameters are its constants. None if shapes are unknown.

    Args:
        path: The file.
    """
    onnx = needed("onnx")
    try:
        graph = onnx.shape_inference.infer_shapes(onnx.load(path)).graph
    except Exception as error:  # of protobuf, or of onnx: they share no base class
        raise ValueError(f"{path} is not an .onnx file, or is truncated: {error}") from error
    sizes = {one.name: math.prod(one.dims) for one in graph.initializer}
    tensors = (*graph.input, *graph.value_info, *graph.output)
    shapes = {one.name: [dim.dim_value for dim in one.type.tensor_type.shape.dim] for one in tensors}
    computing = [node for node in graph.node if node.op_type in ONNX_COMPUTING and node.input[1] in sizes]
    operations = [_onnx_operation(node, sizes, shapes) for node in computing]
    if not all(operation.macs for operation in operations):
        return None
    kinds = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
    floating = [one.name for one in graph.initializer if one.data_type in kinds]
    params = sum(sizes[name] for name in floating if sizes[name] > 1)  # the bias of a dense layer is an Add of its own
    return dataclasses.replace(file_costs(operations), params=params)


def _onnx_operation(node, sizes, shapes):
    transposed = ONNX_CONVOLUTIONS.get(node.op_type, False)
    where = shapes.get(node.input[0] if transposed else node.output[0], [0, 0, 0])  # 0: unknown
    convolution = node.op_type in ONNX_CONVOLUTIONS
    positions = where[2:] if convolution else where[1:-1]
    return Operation(convolution, math.prod(positions) * sizes[node.input[1]], {})
