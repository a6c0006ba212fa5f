"""The steps that LiteRT's converter makes of each layer, with what it folds and fuses."""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import keras
from keras import activations, layers

from firekeras.channels.labels import Channels
from firekeras.channels.program import Constant, Product, Program, Step, Tensor
from firekeras.channels.registry import find_in
from firekeras.channels.running_order import running_order, scope
from firekeras.channels.unchanged import UNCHANGED
from firekeras.keras_models.internals import nn_ops, numpy_ops

if TYPE_CHECKING:
    from firekeras.channels.trace import Axes, Tracer

FOLDS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "CONV_3D")  # BatchNormalization
FUSES = (*FOLDS[:3], "ADD", "SUB", "MUL", "DIV", "AVERAGE_POOL_2D", "MAX_POOL_2D")  # a ReLU or ReLU6 behind it
RELUS = ("RELU", "RELU6")
BATCH_NORM = "BATCH_NORM"  # until it is folded, or becomes a product and a sum
UNNAMED = 14  # the length of the name of a constant that the converter adds
OUTPUT = 27  # and of that of an output
STEPS: dict[type, Callable[[Lowering, Ran], None]] = {}


def becomes(*operations: type):
    """Registers a function that adds the steps of a call of these layers or operations to a `Lowering`."""

    def register(function):
        STEPS.update(dict.fromkeys(operations, function))
        return function

    return register


@dataclasses.dataclass(frozen=True)
class Ran:
    """One call, as the trace saw it.

    Args:
        name: The path of the layer.
        layer: The layer or operation.
        inputs, outputs: What goes in and comes out.
    """

    name: str
    layer: Any
    inputs: Sequence[Channels]
    outputs: Sequence[Channels]


@dataclasses.dataclass(eq=False)
class Draft:
    """A step that may still be folded into another."""

    layer: str
    kind: str
    reads: list[int]
    makes: list[int]
    constants: list[Constant]
    names: list[int]  # the length of the name of each operation that it does the work of
    scratch: Product | None = None
    fused: bool = False
    behind: Draft | None = None  # the step before it if it only changes the shape of what that makes

    @property
    def core(self):
        """The step that takes in what follows: itself, or the one whose shape it changes."""
        return self.behind or self

    @property
    def name(self):
        """The length of the name of what it makes."""
        return _joined(self.names) + 1


def _joined(lengths):
    """The length of names of these lengths, with something between them."""
    return sum(lengths) + len(lengths) - 1


class Lowering:
    """Turns the calls of a model into a `Program`.

    Args:
        tracer: Knows which labels run along which weight.
        units: Collects the axes of the graph.
        model: The model's name.
    """

    def __init__(self, tracer: Tracer, units: Axes, model: str):
        self.tracer, self.units, self.model = tracer, units, model
        self.tensors: list[Tensor] = []
        self.drafts: list[Draft] = []
        self.unknown: list[str] = []
        self._index: dict[int, int] = {}
        self._has: set[int] = set()

    # What functions of STEPS use

    def tensor(self, x: Channels) -> int:
        """The index of a tensor of the model."""
        if id(x) not in self._index:
            self._index[id(x)] = self.new(self.size(x), len(x.shape))
        return self._index[id(x)]

    def new(self, size: Product, rank: int = 4, bytes: int = 0) -> int:
        """The index of a tensor that only the exported file has."""
        self.tensors.append(Tensor(size, rank, bytes))
        return len(self.tensors) - 1

    def size(self, x: Channels) -> Product:
        """How many numbers a tensor holds, per sample of the network's input."""
        whole = int(math.prod(x.shape[1:]) * x.samples)
        if not x.labels.any():
            return Product(whole)
        return self.units.product(whole // x.labels.size, [x.labels.ravel()])

    def channels(self, x: Channels, axis: int = -1) -> Product:
        """How many channels a tensor has along an axis."""
        if x.labels.any() and x.varies_only_along(axis):
            return self.units.product(1, [x.vector(axis)])
        return Product(int(x.shape[axis]))

    def weight(self, variable) -> Product:
        """How many numbers a weight holds."""
        return self.units.weight_size(self.tracer, variable)

    def is_new(self, owner) -> bool:
        """Whether the weights of a layer are not in the file yet."""
        known = id(owner) in self._has
        self._has.add(id(owner))
        return not known

    def length(self, ran: Ran, operation: str) -> int:
        """The length of the name of an operation of a layer: that of the model, its path and its own."""
        return len(f"{self.model}/{scope(ran.name)}{operation}")

    def step(self, ran: Ran, kind, reads, makes, *, names=(), constants=(), scratch=None) -> Draft:
        """Adds a step that makes one tensor, or several; returns it."""
        makes = makes if isinstance(makes, list) else [makes]
        lengths = [self.length(ran, name) for name in names or (kind,)]
        self.drafts.append(Draft(ran.name, kind, list(reads), makes, list(constants), lengths, scratch))
        return self.drafts[-1]

    def alike(self, x: Channels) -> int:
        """A new tensor of the size of another."""
        return self.new(self.size(x), len(x.shape))

    def constant(self, numbers: Product, scales: Product | None = None, name: int = 0) -> Constant:
        """A constant with one scale unless another number is given."""
        return Constant(numbers, scales or Product(1), name=name)

    def whole_numbers(self, count: int, name: int = 10) -> Constant:
        """A constant of whole numbers, such as a shape."""
        return Constant(Product(count), None, 4, name)

    def single(self, ran: Ran, kind: str, constants=(), scratch=None):
        """Adds the usual: one step that reads all inputs and makes all outputs."""
        self.step(
            ran,
            kind,
            map(self.tensor, ran.inputs),
            [self.tensor(x) for x in ran.outputs],
            constants=constants,
            scratch=scratch,
        )

    def nothing(self, ran: Ran):
        """Makes the outputs of a call another name of its inputs: the converter removes it."""
        for before, after in zip(ran.inputs, ran.outputs, strict=False):
            self._index[id(after)] = self.tensor(before)

    def activate(self, ran: Ran, x: int, activation, make: Channels):
        """Adds the steps of an activation of tensor `x`, whose output is `make`."""
        entered, steps = x, _steps_of(activation)
        for place, (kind, reads_both) in enumerate(steps, 1):
            y = self.tensor(make) if place == len(steps) else self.alike(make)
            self.step(ran, kind, [entered, x] if reads_both else [x], y, names=(kind.title(),))
            x = y

    # The whole

    def program(
        self, calls: Sequence[Ran], inputs: Sequence[tuple[Channels, str, str]], outputs: Sequence[Channels]
    ) -> Program:
        """The program of a model, from its calls in order; inputs with their dtypes and names."""
        starts = [self._index.setdefault(id(x), self.new(self.size(x), len(x.shape), _bytes(t))) for x, t, _ in inputs]
        for ran in calls:
            _lower(self, ran)
        names = {start: name for start, (*_, name) in zip(starts, inputs, strict=True)}
        self.drafts = running_order(self.drafts, names, self.model)
        ends = [self.tensor(x) for x in outputs]
        steps = _folded(self, ends)
        return _numbered(self.tensors, steps, starts, ends, tuple(dict.fromkeys(self.unknown)))


def _bytes(dtype):
    """The bytes of a number of an input if they do not depend on how the network computes."""
    return 0 if "float" in dtype else 4


def _lower(lowering, ran):
    known, begun = find_in(STEPS, ran.layer), len(lowering.drafts)
    if known is not None:
        try:
            return known(lowering, ran)
        except (ValueError, TypeError, LookupError, AttributeError):  # a call of a kind that nobody has seen
            del lowering.drafts[begun:]
    lowering.unknown.append(ran.name)
    sizes = [lowering.weight(v) for v in getattr(ran.layer, "weights", ())] if lowering.is_new(ran.layer) else []
    return lowering.single(ran, "CUSTOM", [lowering.constant(size) for size in sizes])


# Folding and fusing


def _folded(lowering, ends) -> list[Draft]:
    """The steps after the converter has folded BatchNormalization, and fused ReLUs, into the steps before them."""
    uses = collections.Counter(k for draft in lowering.drafts for k in draft.reads) + collections.Counter(ends)
    steps: list[Draft] = []
    maker: dict[int, Draft] = {}
    for draft in lowering.drafts:
        before = maker.get(draft.reads[0]) if draft.reads else None
        if before is not None and (uses[draft.reads[0]] > 1 or before.core.fused):
            before = None  # somebody else reads it as it is
        if before is not None and draft.kind == BATCH_NORM and before.core.kind in FOLDS:
            _fold(before.core, draft, renames=before is not before.core)
        elif before is not None and draft.kind in RELUS and before.core.kind in FUSES:
            before.core.names, before.core.fused = [*draft.names, *before.core.names], True
        else:
            parts = _product_and_sum(lowering, draft) if draft.kind == BATCH_NORM else [draft]
            steps += parts
            maker.update((k, part) for part in parts for k in part.makes)
            continue
        if before is not before.core:
            before.names = [*draft.names, *before.names]
        steps.append(steps.pop(steps.index(before)))  # it runs where the last of its operations stood
        before.makes = draft.makes
        maker.update(dict.fromkeys(draft.makes, before))
    return steps


def _fold(before, norm, renames):
    """Takes BatchNormalization into the kernel and bias of the layer before it."""
    add, multiplied, scale, shift = norm.names
    depthwise, biased = before.kind == "DEPTHWISE_CONV_2D", len(before.names) > 1
    if before.constants:
        kernel, count = before.constants[0], norm.constants[1].size
        if depthwise or renames:
            kernel = dataclasses.replace(kernel, name=_joined([multiplied, scale, *before.names]))
        before.constants = [kernel, Constant(count, count, 4)]
    before.names = [*(norm.names if depthwise or biased else (add, shift)), *before.names]


def _product_and_sum(lowering, norm):
    scale, shift = norm.constants
    tensor = lowering.tensors[norm.makes[0]]
    between = lowering.new(tensor.size, tensor.rank)
    product = dataclasses.replace(norm, kind="MUL", makes=[between], constants=[scale], names=norm.names[1:3])
    return [product, dataclasses.replace(norm, kind="ADD", reads=[between], constants=[shift], names=norm.names[:1])]


def _numbered(tensors, drafts, starts, ends, unknown) -> Program:
    """The program, with those tensors alone that are left, numbered as they appear."""
    order = list(dict.fromkeys([*starts, *(k for draft in drafts for k in (*draft.reads, *draft.makes)), *ends]))
    number = {k: place for place, k in enumerate(order)}
    steps = [
        Step(
            draft.layer,
            draft.kind,
            tuple(number[k] for k in draft.reads),
            tuple(number[k] for k in draft.makes),
            _named(draft),
            draft.scratch,
            OUTPUT if set(draft.makes) & set(ends) else draft.name,
        )
        for draft in drafts
    ]
    inputs, outputs = (tuple(number[k] for k in side) for side in (starts, ends))
    return Program(tuple(tensors[k] for k in order), tuple(steps), inputs, outputs, unknown)


def _named(draft):
    """Its constants; a bias without a name has that of the operations that made it."""
    return tuple(c if c.name else dataclasses.replace(c, name=draft.name - 1) for c in draft.constants)


# Activations


def _steps_of(activation) -> list[tuple[str, bool]]:
    """The operations of an activation, and whether each also reads what went into the one before it."""
    known = {
        activations.relu: [("RELU", False)],
        activations.relu6: [("RELU6", False)],
        activations.softmax: [("SOFTMAX", False)],
        activations.sigmoid: [("LOGISTIC", False)],
        activations.tanh: [("TANH", False)],
        activations.silu: [("LOGISTIC", False), ("MUL", True)],
        activations.leaky_relu: [("LEAKY_RELU", False)],
        activations.elu: [("ELU", False)],
        activations.gelu: [("GELU", False)],
        activations.exponential: [("EXP", False)],
        activations.hard_sigmoid: [("ADD", False), ("RELU6", False), ("MUL", False)],
        activations.hard_silu: [("HARD_SWISH", False)],
    }
    name = getattr(activation, "__name__", type(activation).__name__)
    return known.get(activation, [(name.upper(), False)])


def _ends_with(lowering, ran, make_step):
    """Adds the steps of a layer that may end with an activation: `make_step` gets the tensor that it makes."""
    activation = getattr(ran.layer, "activation", None) or activations.linear
    out = ran.outputs[0]
    if activation is activations.linear:
        make_step(lowering.tensor(out))
        return
    between = lowering.alike(out)
    make_step(between)
    lowering.activate(ran, between, activation, out)


# Layers


def _kernel_and_bias(lowering, ran, kernel, axis, name):
    """The constants of a layer that sums: a scale for each filter, and whole numbers of four bytes as biases."""
    if not lowering.is_new(ran.layer):
        return []
    made = lowering.channels(ran.outputs[0], axis)
    constants = [Constant(lowering.weight(kernel), made, 1, lowering.length(ran, name), 4)]
    if isinstance(ran.layer, layers.Dense):
        bias = [Constant(made, made, 4, lowering.length(ran, "BiasAdd"))] if ran.layer.use_bias else []
        return [*constants, *bias]
    return [*constants, Constant(made, made, 4, 0 if ran.layer.use_bias else UNNAMED)]


def _axis(layer):
    return 1 if getattr(layer, "data_format", None) == "channels_first" else -1


def _sums(lowering, ran, kind, kernel, name, scratch=None, reads=None):
    axis = _axis(ran.layer)
    constants = _kernel_and_bias(lowering, ran, kernel, axis, name)
    names = ("BiasAdd", name, "Squeeze") if ran.layer.use_bias else (name,)
    reads = reads or [lowering.tensor(ran.inputs[0])]
    _ends_with(
        lowering,
        ran,
        lambda make: lowering.step(ran, kind, reads, make, names=names, constants=constants, scratch=scratch),
    )


@becomes(layers.Conv2D)
def conv(lowering, ran):
    """Convolutions; those with gaps between positions may run between changes of shape."""
    if max(ran.layer.dilation_rate) > 1:
        lowering.unknown.append(ran.name)
    _sums(lowering, ran, "CONV_2D", ran.layer.kernel, "convolution")


@becomes(layers.Conv3D)
def conv3d(lowering, ran):
    """Convolutions of volumes."""
    _sums(lowering, ran, "CONV_3D", ran.layer.kernel, "convolution")


@becomes(layers.DepthwiseConv2D)
def depthwise(lowering, ran):
    """Depthwise convolutions."""
    _sums(lowering, ran, "DEPTHWISE_CONV_2D", ran.layer.kernel, "depthwise")


@becomes(layers.Dense)
def dense(lowering, ran):
    """Dense layers: of more than one position, between changes of shape."""
    if len(ran.inputs[0].shape) > 2:
        lowering.unknown.append(ran.name)
    _sums(lowering, ran, "FULLY_CONNECTED", ran.layer.kernel, "MatMul")


@becomes(layers.Conv2DTranspose)
def transposed(lowering, ran):
    """Transposed convolutions: sums of four bytes each before they become int8."""
    size, x = lowering.size(ran.outputs[0]), ran.inputs[0]
    scratch = dataclasses.replace(size, factor=4 * size.factor)
    shape = _put_together(lowering, ran, lowering.tensor(x), 4, 4, "conv_transpose/input_sizes")
    _sums(lowering, ran, "TRANSPOSE_CONV", ran.layer.kernel, "conv_transpose", scratch, [lowering.tensor(x), shape])


@becomes(layers.SeparableConv2D)
def separable(lowering, ran):
    """A depthwise convolution, then one with kernels of one position."""
    layer, axis, out = ran.layer, _axis(ran.layer), ran.outputs[0]
    read, made = lowering.channels(ran.inputs[0], axis), lowering.channels(out, axis)
    spread = dataclasses.replace(read, factor=read.factor * layer.depth_multiplier)
    positions = math.prod(size for k, size in enumerate(out.shape) if k not in (0, axis % len(out.shape)))
    between = lowering.new(dataclasses.replace(spread, factor=spread.factor * positions))
    first, second = [], []
    if lowering.is_new(layer):
        first = [Constant(lowering.weight(layer.depthwise_kernel), spread, 1, lowering.length(ran, "depthwise"), 4)]
        first.append(Constant(spread, spread, 4, UNNAMED))
        second = [Constant(lowering.weight(layer.pointwise_kernel), made, 1, lowering.length(ran, "convolution"), 4)]
        second.append(Constant(made, made, 4, 0 if layer.use_bias else UNNAMED))
    reads = [lowering.tensor(ran.inputs[0])]
    lowering.step(ran, "DEPTHWISE_CONV_2D", reads, between, names=("separable_conv2d/depthwise",), constants=first)
    names = (*(("BiasAdd", "Squeeze") if layer.use_bias else ()), "separable_conv2d", "separable_conv2d/depthwise")
    _ends_with(
        lowering,
        ran,
        lambda make: lowering.step(ran, "CONV_2D", [between], make, names=names, constants=second),
    )


@becomes(layers.Conv1D)
def conv1d(lowering, ran):
    """Convolutions over time: those of images of height 1, between two changes of shape."""
    kernel = ran.layer.kernel
    _as_image(lowering, ran, "CONV_2D", lambda: _kernel_and_bias(lowering, ran, kernel, _axis(ran.layer), "Conv1D"))


@becomes(layers.DepthwiseConv1D)
def depthwise1d(lowering, ran):
    """Depthwise convolutions over time."""
    kernel = ran.layer.kernel
    _as_image(
        lowering,
        ran,
        "DEPTHWISE_CONV_2D",
        lambda: _kernel_and_bias(lowering, ran, kernel, _axis(ran.layer), "depthwise"),
    )


@becomes(layers.MaxPooling1D, layers.AveragePooling1D)
def pool1d(lowering, ran):
    """Pooling over time."""
    kind = "MAX_POOL_2D" if isinstance(ran.layer, layers.MaxPooling1D) else "AVERAGE_POOL_2D"
    _as_image(lowering, ran, kind, list)


def _as_image(lowering, ran, kind, constants):
    x, out = ran.inputs[0], ran.outputs[0]
    image, made = lowering.alike(x), lowering.alike(out)
    lowering.step(ran, "RESHAPE", [lowering.tensor(x)], image, names=("ExpandDims",), constants=[_shape(lowering)])
    names = ("BiasAdd", "convolution/Squeeze", "Squeeze", "convolution") if kind in FOLDS else (kind,)
    core = lowering.step(ran, kind, [image], made, names=names, constants=constants())

    def back(make):
        squeezed = lowering.step(ran, "RESHAPE", [made], make, names=names[:3], constants=[_shape(lowering)])
        squeezed.behind = core

    _ends_with(lowering, ran, back)


def _shape(lowering):
    return lowering.whole_numbers(4)


@becomes(layers.BatchNormalization)
def batch_norm(lowering, ran):
    """Normalization by fixed statistics: part of the layer before it, or a product and a sum."""
    layer, x = ran.layer, ran.inputs[0]
    count = lowering.channels(x, layer.axis if isinstance(layer.axis, int) else layer.axis[0])
    constants = [lowering.constant(count, name=lowering.length(ran, "batchnorm/mul")) for _ in range(2)]
    names = ("batchnorm/add_1", "batchnorm/mul_1", "batchnorm/mul", "batchnorm/sub")
    lowering.step(
        ran, BATCH_NORM, [lowering.tensor(x)], lowering.tensor(ran.outputs[0]), names=names, constants=constants
    )


@becomes(layers.Activation)
def activation(lowering, ran):
    """The Activation layer."""
    if ran.layer.activation is activations.linear:
        lowering.nothing(ran)
    else:
        lowering.activate(ran, lowering.tensor(ran.inputs[0]), ran.layer.activation, ran.outputs[0])


@becomes(layers.ReLU)
def relu(lowering, ran):
    """ReLUs: LiteRT has one without a limit and one that ends at 6."""
    layer = ran.layer
    if layer.negative_slope:
        lowering.single(ran, "LEAKY_RELU")
    elif layer.threshold or layer.max_value not in (None, 6):
        lowering.single(ran, "RELU_0_TO_1" if layer.max_value == 1 else "MINIMUM")
    else:
        kind = "RELU" if layer.max_value is None else "RELU6"
        lowering.step(
            ran, kind, [lowering.tensor(ran.inputs[0])], lowering.tensor(ran.outputs[0]), names=(kind.title(),)
        )


@becomes(*UNCHANGED, layers.InputLayer)
def nothing(lowering, ran):
    """What leaves values as they are."""
    lowering.nothing(ran)


@becomes(
    layers.Add,
    layers.Multiply,
    layers.Subtract,
    layers.Maximum,
    layers.Minimum,
    numpy_ops.Add,
    numpy_ops.Multiply,
    numpy_ops.Subtract,
    numpy_ops.Divide,
    numpy_ops.TrueDivide,
    numpy_ops.Maximum,
    numpy_ops.Minimum,
)
def combined(lowering, ran):
    """Sums, products and the like, of two at a time."""
    kinds = {"Add": "ADD", "Multiply": "MUL", "Subtract": "SUB", "Divide": "DIV", "TrueDivide": "DIV"}
    name = type(ran.layer).__name__
    kind = kinds.get(name, name.upper())
    first, *others = map(lowering.tensor, ran.inputs)
    if not others:
        constants = [lowering.constant(Product(1))]
        lowering.step(ran, kind, [first], lowering.tensor(ran.outputs[0]), names=(name,), constants=constants)
        return
    for x in others[:-1]:
        y = lowering.alike(ran.outputs[0])
        lowering.step(ran, kind, [first, x], y, names=(name,))
        first = y
    lowering.step(ran, kind, [first, others[-1]], lowering.tensor(ran.outputs[0]), names=(name,))


@becomes(layers.Average)
def average(lowering, ran):
    """A sum and a product."""
    first, *others = map(lowering.tensor, ran.inputs)
    for x in others:
        y = lowering.alike(ran.outputs[0])
        lowering.step(ran, "ADD", [first, x], y, names=("Add",))
        first = y
    constants = [lowering.constant(Product(1))]
    lowering.step(ran, "MUL", [first], lowering.tensor(ran.outputs[0]), names=("mul",), constants=constants)


# Calls that become one step, and nothing else

SINGLE: dict[str, tuple[type, ...]] = {
    "CONCATENATION": (layers.Concatenate, numpy_ops.Concatenate),
    "MAX_POOL_2D": (layers.MaxPooling2D, nn_ops.MaxPool),
    "AVERAGE_POOL_2D": (layers.AveragePooling2D, nn_ops.AveragePool),
    "SOFTMAX": (layers.Softmax, nn_ops.Softmax),
    "LEAKY_RELU": (layers.LeakyReLU, nn_ops.LeakyRelu),
    "RELU": (nn_ops.Relu,),
    "RELU6": (nn_ops.Relu6,),
    "LOGISTIC": (nn_ops.Sigmoid,),
}


def _one_step(kind):
    def alone(lowering, ran):
        lowering.single(ran, kind)

    return alone


for _kind, _operations in SINGLE.items():
    becomes(*_operations)(_one_step(_kind))


@becomes(layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D, layers.GlobalAveragePooling3D, numpy_ops.Mean)
def mean(lowering, ran):
    """Means over positions: sums of four bytes each before they become int8."""
    size = lowering.size(ran.outputs[0])
    scratch = dataclasses.replace(size, factor=4 * size.factor)
    lowering.single(ran, "MEAN", [lowering.whole_numbers(2)], scratch)


@becomes(layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D, layers.GlobalMaxPooling3D, numpy_ops.Max)
def largest(lowering, ran):
    """The largest over positions."""
    lowering.single(ran, "REDUCE_MAX", [lowering.whole_numbers(2)])


@becomes(layers.ZeroPadding1D, layers.ZeroPadding2D, layers.ZeroPadding3D, numpy_ops.Pad)
def pad(lowering, ran):
    """Padding of its own copies; that of a convolution does not."""
    lowering.single(ran, "PAD", [lowering.whole_numbers(8)])


@becomes(layers.UpSampling2D)
def up_sampling(lowering, ran):
    """Each position repeated, along one axis after the other; or a resizing."""
    if ran.layer.interpolation != "nearest":
        lowering.single(ran, f"RESIZE_{ran.layer.interpolation.upper()}", [lowering.whole_numbers(2)])
        return
    x, size = lowering.tensor(ran.inputs[0]), lowering.size(ran.inputs[0])
    for axis, times in enumerate(ran.layer.size):
        grown = dataclasses.replace(size, factor=size.factor * times)
        out = lowering.tensor(ran.outputs[0]) if axis else lowering.new(grown)
        _repeated(lowering, ran, x, size, grown, out)
        x, size = out, grown


def _repeated(lowering, ran, x, size, grown, out):
    wider, tiled = lowering.new(size, 5), lowering.new(grown, 5)
    shape, batch, wanted = (
        lowering.new(Product(4), 1, 4),
        lowering.new(Product(2), 1, 4),
        lowering.new(Product(4), 1, 4),
    )
    some = lowering.whole_numbers
    lowering.step(ran, "EXPAND_DIMS", [x], wider, names=("Repeat/ExpandDims",), constants=[some(1, 15)])
    lowering.step(ran, "TILE", [wider], tiled, names=("Repeat/Tile",), constants=[some(5, 44)])
    lowering.step(ran, "SHAPE", [x], shape, names=("Repeat/Shape",))
    lowering.step(ran, "STRIDED_SLICE", [shape], batch, names=("Repeat/strided_slice",), constants=[some(1, 15)] * 2)
    lowering.step(ran, "CONCATENATION", [batch], wanted, names=("Repeat/concat",), constants=[some(1, 15), some(2, 45)])
    lowering.step(ran, "RESHAPE", [tiled, wanted], out, names=("Repeat/Reshape_1",))


@becomes(layers.PReLU)
def prelu(lowering, ran):
    """ReLUs with slopes that are learned."""
    size = [lowering.constant(lowering.weight(ran.layer.alpha))] if lowering.is_new(ran.layer) else []
    lowering.single(ran, "PRELU", size)


@becomes(nn_ops.Silu)
def silu_op(lowering, ran):
    """`keras.ops.silu`."""
    lowering.activate(ran, lowering.tensor(ran.inputs[0]), activations.silu, ran.outputs[0])


@becomes(layers.Flatten, layers.Reshape, numpy_ops.Reshape)
def reshape(lowering, ran):
    """A change of shape copies, to a shape that is put together while the network runs."""
    x, out = ran.inputs[0], ran.outputs[0]
    wanted = _put_together(lowering, ran, lowering.tensor(x), len(x.shape), len(out.shape))
    lowering.step(ran, "RESHAPE", [lowering.tensor(x), wanted], lowering.tensor(out), names=("Reshape",))


def _put_together(lowering, ran, x, rank, wanted_rank, name="Reshape/shape"):
    """Adds the steps that make a shape while the network runs, for its batch is open; returns the tensor."""
    shape, batch = lowering.new(Product(rank), 1, 4), lowering.new(Product(1), 0, 4)
    wanted = lowering.new(Product(wanted_rank), 1, 4)
    ones = [lowering.whole_numbers(1, 37), lowering.whole_numbers(1, 14)]
    lowering.step(ran, "SHAPE", [x], shape, names=("Shape",))
    lowering.step(ran, "STRIDED_SLICE", [shape], batch, names=("strided_slice",), constants=ones)
    sizes = [lowering.whole_numbers(1, 33) for _ in range(wanted_rank - 1)][:2]
    lowering.step(ran, "PACK", [batch], wanted, names=(name,), constants=sizes)
    return wanted


@becomes(layers.Rescaling)
def rescaling(lowering, ran):
    """A product, and a sum if something is added."""
    x, out = lowering.tensor(ran.inputs[0]), ran.outputs[0]
    number = [lowering.constant(Product(1))]
    if not _is_zero(ran.layer.offset):
        between = lowering.alike(out)
        lowering.step(ran, "MUL", [x], between, names=("mul",), constants=number)
        lowering.step(ran, "ADD", [between], lowering.tensor(out), names=("add",), constants=number)
    else:
        lowering.step(ran, "MUL", [x], lowering.tensor(out), names=("mul",), constants=number)


def _is_zero(value):
    return isinstance(value, (int, float)) and not value


@becomes(layers.Normalization)
def normalization(lowering, ran):
    """A difference and a product."""
    x, out = lowering.tensor(ran.inputs[0]), ran.outputs[0]
    between = lowering.alike(out)
    count = [lowering.constant(lowering.channels(out))]
    lowering.step(ran, "SUB", [x], between, names=("sub",), constants=count)
    lowering.step(ran, "MUL", [between], lowering.tensor(out), names=("mul",), constants=count)


def ran_of(name: str, operation, args, kwargs, outputs) -> Ran:
    """The record of a call."""
    inputs = [x for x in keras.tree.flatten((args, kwargs)) if isinstance(x, Channels)]
    return Ran(name, operation, inputs, [x for x in keras.tree.flatten(outputs) if isinstance(x, Channels)])
