"""The papers' CIFAR networks, and a small one for demonstrations, all untrained."""

import keras
from keras import layers

from firekeras.arguments import typed
from firekeras.refusals import check_one_of, checked_whole

VGG16_WIDTHS = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
VGG16_POOL_AFTER = (2, 4, 7, 10, 13)
RESNET_WIDTHS = (16, 32, 64)


@typed
def vgg16_cifar(
    classes: int = 10,
    *,
    head: int = 512,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    include_preprocessing: bool = True,
) -> keras.Model:
    """VGG-16 for CIFAR: 13 convolutions with batch normalization, then two dense layers.

    Convolutions are named `"conv1"` to `"conv13"`. For 32x32 images it has 4,224 filters and
    313,196,544 convolution MACs.

    Args:
        classes: Number of classes, at least 1. Defaults to `10`.
        head: Units of the hidden dense layer, at least 1. Defaults to `512`.
        input_shape: Height and width in pixels, each at least 32 (they are halved five times),
            and channels. Defaults to `(32, 32, 3)`.
        include_preprocessing: Whether the model divides its input by 255 itself. `True` takes
            raw images, 0..255; `False` takes images that are already scaled. Defaults to `True`.

    Returns:
        A `keras.Model` from images, channels last, to logits `(batch, classes)`.

    Raises:
        ValueError: If `classes` or `head` is below 1, or `input_shape` is too small.

    Example:
    >>> model = firekeras.zoo.vgg16_cifar(classes=100)
    >>> model.get_layer("conv13").output.shape
    (None, 2, 2, 512)

    Source: Li et al. 2017, "Pruning Filters for Efficient ConvNets", section 4.1: VGG-16 with
    batch normalization after each convolution and the first dense layer, without dropout.
    """
    classes = checked_whole("classes", classes, 1)
    head = checked_whole("head", head, 1)
    _check_vgg_input_shape(input_shape)
    image = keras.Input(input_shape, name="image")
    x = _rescale(image, 255) if include_preprocessing else image
    for number, filters in enumerate(VGG16_WIDTHS, start=1):
        x = _conv_bn_relu(x, filters, f"conv{number}", use_bias=True)
        if number in VGG16_POOL_AFTER:
            x = _halve(x, f"pool_after_conv{number}")
    x = layers.Flatten(data_format="channels_last", name="flatten")(x)
    x = layers.Dense(head, kernel_initializer="he_normal", name="fc1")(x)
    x = _relu(_bn(x, "fc1"), "fc1")
    return keras.Model(image, _logits(x, classes), name="vgg16")


@typed
def resnet_cifar(depth: int, classes: int = 10, *, shortcut: str = "A") -> keras.Model:
    """ResNet for CIFAR: three stages of 16, 32 and 64 filters, `(depth - 2) / 6` blocks each.

    Takes raw images, 0..255, of 32x32 pixels and 3 channels, and rescales them itself. Layers are
    named by their position: `"conv1"`, then `"stage2_block1_conv1"` and so on.

    Args:
        depth: Number of layers with weights, `6n + 2`: 20, 32, 44, 56, 110, ...
        classes: Number of classes, at least 1. Defaults to `10`.
        shortcut: What a block that changes shape adds to its output. `"A"`: every second pixel of
            its input, with zero channels before and after, which has no weights. `"B"`: a 1x1
            convolution of stride 2 with batch normalization. Defaults to `"A"`.

    Returns:
        A `keras.Model` from images, channels last, to logits `(batch, classes)`.

    Raises:
        ValueError: If `depth` is not `6n + 2`, `classes` is below 1, or `shortcut` is unknown.

    Example:
    >>> model = firekeras.zoo.resnet_cifar(20)
    >>> model.get_layer("stage3_block3_conv2").output.shape
    (None, 8, 8, 64)

    Source: He et al. 2016, "Deep Residual Learning for Image Recognition", section 4.2; shortcuts
    A and B: section 4.1.
    """
    _check_depth(depth)
    classes = checked_whole("classes", classes, 1)
    hint = " A is the zero-padded identity, B a 1x1 convolution."
    check_one_of("shortcut", shortcut, ("A", "B"), hint=hint)
    image = keras.Input((32, 32, 3), name="image")
    x = _conv_bn_relu(_rescale(image, 255), RESNET_WIDTHS[0], "conv1")
    for stage, filters in enumerate(RESNET_WIDTHS, start=1):
        for block in range(1, (depth - 2) // 6 + 1):
            x = _basic_block(x, filters, shortcut, f"stage{stage}_block{block}")
    x = layers.GlobalAveragePooling2D(data_format="channels_last", name="global_pool")(x)
    return keras.Model(image, _logits(x, classes), name=f"resnet{depth}")


@typed
def digits_cnn(classes: int = 10) -> keras.Model:
    """A small network for scikit-learn's digits, wider than necessary, for trying out pruning.

    Takes images of 8x8 pixels and 1 channel with values 0..16, as `sklearn.datasets.load_digits`
    has them, and rescales them itself. It trains within seconds on a CPU.

    Args:
        classes: Number of classes, at least 1. Defaults to `10`.

    Returns:
        A `keras.Model` from images, channels last, to logits `(batch, classes)`.

    Raises:
        ValueError: If `classes` is below 1.

    Example:
    >>> model = firekeras.zoo.digits_cnn()
    >>> model.output_shape
    (None, 10)
    """
    classes = checked_whole("classes", classes, 1)
    image = keras.Input((8, 8, 1), name="image")
    x = _rescale(image, 16)
    x = _conv_bn_relu(x, 32, "conv1")
    x = _conv_bn_relu(x, 32, "conv2")
    x = _halve(x, "pool_after_conv2")
    x = _conv_bn_relu(x, 64, "conv3")
    x = _conv_bn_relu(x, 64, "conv4")
    x = layers.GlobalAveragePooling2D(data_format="channels_last", name="global_pool")(x)
    return keras.Model(image, _logits(x, classes), name="digits_cnn")


def _basic_block(x, filters, shortcut, name):
    strides = 1 if x.shape[-1] == filters else 2
    residual = _conv_bn_relu(x, filters, f"{name}_conv1", strides=strides)
    residual = _conv_bn(residual, filters, f"{name}_conv2")
    if strides == 2:
        x = _zero_padded(x, filters, name) if shortcut == "A" else _projected(x, filters, name)
    return _relu(layers.Add(name=f"{name}_add")([residual, x]), name)


def _zero_padded(x, filters, name):
    subsample = layers.AveragePooling2D(1, strides=2, data_format="channels_last", name=f"{name}_subsample")
    missing = filters - x.shape[-1]
    front = missing // 2
    return keras.ops.pad(subsample(x), ((0, 0), (0, 0), (0, 0), (front, missing - front)))


def _projected(x, filters, name):
    return _conv_bn(x, filters, f"{name}_shortcut", kernel_size=1, strides=2)


def _conv_bn_relu(x, filters, name, *, strides=1, use_bias=False):
    return _relu(_conv_bn(x, filters, name, strides=strides, use_bias=use_bias), name)


def _conv_bn(x, filters, name, *, kernel_size=3, strides=1, use_bias=False):
    padding = "same"
    if strides == 2 and kernel_size == 3:
        # "same" would pad only below and to the right, half a pixel off the shortcut's grid
        x = layers.ZeroPadding2D(1, data_format="channels_last", name=f"{name}_pad")(x)
        padding = "valid"
    conv = layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding=padding,
        data_format="channels_last",
        use_bias=use_bias,
        kernel_initializer="he_normal",
        name=name,
    )
    return _bn(conv(x), name)


def _bn(x, name):
    # Keras's momentum of 0.99 lags by hundreds of steps: too many for short fine-tuning
    return layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x)


def _relu(x, name):
    return layers.ReLU(name=f"{name}_relu")(x)


def _halve(x, name):
    return layers.MaxPooling2D(2, data_format="channels_last", name=name)(x)


def _rescale(x, brightest):
    return layers.Rescaling(1 / brightest, name="rescale")(x)


def _logits(x, classes):
    return layers.Dense(classes, name="logits")(x)


def _check_depth(depth):
    if isinstance(depth, int) and depth >= 8 and depth % 6 == 2:
        return
    message = (
        "A CIFAR ResNet has 6n + 2 layers: `depth` must be one of 8, 14, 20, 26, 32, 38, 44, 50, "
        f"56, ..., 110, ... Received: {depth!r}."
    )
    if isinstance(depth, int):
        nearest = 6 * max(1, round((depth - 2) / 6)) + 2
        message += f" The nearest is {nearest}."
    raise ValueError(message)


def _check_vgg_input_shape(shape):
    if len(shape) != 3 or any(not isinstance(n, int) for n in shape) or min(shape[:2]) < 32:
        raise ValueError(
            "VGG-16 halves its input five times: `input_shape` must be (height, width, channels) "
            f"with height and width of at least 32. Received: {shape!r}. Use larger images, or "
            "`resnet_cifar` or `digits_cnn` for small ones."
        )
