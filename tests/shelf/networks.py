"""A shelf of tiny networks, one per way in which channels flow, and weights that make each filter its own."""

import keras
import numpy as np
from keras import layers as L

from firekeras.zoo import resnet_cifar, vgg16_cifar


def conv_bn_relu(x, filters, name, size=3, **settings):
    x = L.Conv2D(filters, size, padding="same", use_bias=False, name=name, **settings)(x)
    return L.ReLU(name=f"{name}_relu")(L.BatchNormalization(name=f"{name}_bn")(x))


def plain_cnn():
    """Convolutions with and without normalization, pooling, Flatten, dense layers."""
    image = keras.Input((8, 8, 3), name="image")
    x = L.MaxPooling2D(name="pool")(conv_bn_relu(image, 8, "conv1"))
    x = L.Conv2D(12, 3, activation="relu", name="conv2")(x)
    x = L.Flatten(name="flatten")(x)
    x = L.Dense(10, activation="relu", name="fc")(x)
    return keras.Model(image, L.Dense(4, name="logits")(L.Dropout(0.5, name="dropout")(x)), name="plain")


def sequential_cnn():
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            L.Conv2D(8, 3, activation="relu", name="conv1"),
            L.Conv2D(6, 3, activation="relu", name="conv2"),
            L.GlobalAveragePooling2D(name="pool"),
            L.Dense(4, name="logits"),
        ],
        name="sequential",
    )


def two_convs(first=8, second=11, activation="relu"):
    """The smallest network with two layers to choose between."""
    image = keras.Input((8, 8, 3), name="image")
    x = L.Conv2D(first, 3, activation=activation, name="conv1")(image)
    x = L.Conv2D(second, 3, activation=activation, name="conv2")(x)
    return keras.Model(image, L.Dense(3, name="logits")(L.GlobalAveragePooling2D(name="pool")(x)), name="two_convs")


def branches():
    """Two concatenated branches."""
    image = keras.Input((8, 8, 3), name="image")
    left, right = conv_bn_relu(image, 6, "left"), conv_bn_relu(image, 10, "right", size=1)
    x = conv_bn_relu(L.Concatenate(name="join")([left, right]), 8, "after")
    return keras.Model(image, L.Dense(4, name="logits")(L.Flatten(name="flatten")(x)), name="branches")


def nested():
    """A backbone within a model."""
    inner = keras.Input((8, 8, 3), name="inner_image")
    x = conv_bn_relu(conv_bn_relu(inner, 8, "conv1"), 10, "conv2")
    backbone = keras.Model(inner, x, name="backbone")
    image = keras.Input((8, 8, 3), name="image")
    x = conv_bn_relu(backbone(image), 6, "head")
    x = L.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, L.Dense(4, name="logits")(x), name="outer")


def siamese():
    """One convolution and one nested model, each called on both inputs."""
    inner = keras.Input((6, 6, 8), name="inner_features")
    tower = keras.Model(inner, conv_bn_relu(inner, 10, "deep"), name="tower")
    conv, relu = L.Conv2D(8, 3, name="shared"), L.ReLU(name="shared_relu")
    images = [keras.Input((8, 8, 3), name=name) for name in ("left", "right")]
    pools = [L.GlobalAveragePooling2D(name=f"pool_{i.name}")(tower(relu(conv(i)))) for i in images]
    return keras.Model(images, L.Dense(2, name="logits")(L.Concatenate(name="join")(pools)), name="siamese")


def twin_towers():
    """One nested model called on both images."""
    inner = keras.Input((8, 8, 3), name="inner_image")
    tower = keras.Model(inner, conv_bn_relu(conv_bn_relu(inner, 8, "conv1"), 6, "conv2"), name="tower")
    images = [keras.Input((8, 8, 3), name=name) for name in ("left", "right")]
    pools = [L.GlobalAveragePooling2D(name=f"pool_{i.name}")(tower(i)) for i in images]
    return keras.Model(images, L.Dense(2, name="logits")(L.Concatenate(name="join")(pools)), name="twins")


def residual():
    """An identity shortcut and a projected one."""
    image = keras.Input((8, 8, 3), name="image")
    x = conv_bn_relu(image, 8, "stem")
    for name, filters in (("a", 8), ("b", 12)):
        y = conv_bn_relu(x, filters, f"{name}1")
        y = L.BatchNormalization(name=f"{name}2_bn")(L.Conv2D(filters, 3, padding="same", name=f"{name}2")(y))
        if x.shape[-1] != filters:
            x = L.Conv2D(filters, 1, name=f"{name}_shortcut")(x)
        x = L.ReLU(name=f"{name}_relu")(L.Add(name=f"{name}_add")([x, y]))
    x = L.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, L.Dense(4, name="logits")(x), name="residual")


def mobile():
    """Depthwise and separable convolutions."""
    image = keras.Input((8, 8, 3), name="image")
    x = conv_bn_relu(image, 8, "stem")
    x = L.DepthwiseConv2D(3, padding="same", depth_multiplier=2, name="depthwise")(x)
    x = conv_bn_relu(L.ReLU(6.0, name="relu6")(x), 12, "pointwise", size=1)
    x = L.SeparableConv2D(10, 3, depth_multiplier=2, activation="relu", name="separable")(x)
    x = L.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, L.Dense(4, name="logits")(x), name="mobile")


def grouped():
    """Convolutions in few wide groups and in many narrow ones."""
    image = keras.Input((8, 8, 3), name="image")
    x = conv_bn_relu(image, 12, "stem")
    x = conv_bn_relu(x, 8, "wide_groups", groups=2)
    x = conv_bn_relu(x, 12, "mix", size=1)
    x = conv_bn_relu(x, 12, "narrow_groups", groups=6)
    x = L.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, L.Dense(4, name="logits")(x), name="grouped")


def transposed():
    """Down and up again, with a skip connection."""
    image = keras.Input((8, 8, 3), name="image")
    high = conv_bn_relu(image, 6, "high")
    low = conv_bn_relu(L.MaxPooling2D(name="pool")(high), 10, "low")
    up = L.Conv2DTranspose(8, 2, strides=2, activation="relu", name="up")(low)
    x = conv_bn_relu(L.Concatenate(name="join")([up, high]), 8, "after")
    return keras.Model(image, L.Conv2D(2, 1, name="logits")(x), name="transposed")


def one_dimensional():
    series = keras.Input((16, 2), name="series")
    x = L.Conv1D(8, 3, activation="relu", name="conv1")(series)
    x = L.Conv1D(6, 3, padding="causal", activation="relu", name="conv2")(x)
    return keras.Model(series, L.Dense(3, name="logits")(L.Flatten(name="flatten")(x)), name="one_dimensional")


def three_dimensional():
    volume = keras.Input((6, 6, 6, 2), name="volume")
    x = L.Conv3D(6, 3, activation="relu", name="conv1")(volume)
    x = L.Conv3D(8, 3, activation="relu", name="conv2")(x)
    return keras.Model(volume, L.Dense(3, name="logits")(L.Flatten(name="flatten")(x)), name="three_dimensional")


def dict_in_dict_out():
    image, extra = keras.Input((8, 8, 3), name="image"), keras.Input((5,), name="extra")
    x = conv_bn_relu(image, 8, "conv1")
    mask = L.Conv2D(1, 1, name="mask")(x)
    x = L.GlobalAveragePooling2D(name="pool")(conv_bn_relu(x, 6, "conv2"))
    x = L.Concatenate(name="join")([x, L.Dense(7, activation="relu", name="fc")(extra)])
    outputs = {"mask": mask, "classes": [L.Dense(4, name="logits")(x)]}
    return keras.Model({"image": image, "extra": extra}, outputs, name="dicts")


def resnet8_a():
    return resnet_cifar(8, shortcut="A")


def resnet20_a():
    return resnet_cifar(20, shortcut="A")


def resnet20_b():
    return resnet_cifar(20, shortcut="B")


def resnet56_a():
    return resnet_cifar(56, shortcut="A")


def resnet56_b():
    return resnet_cifar(56, shortcut="B")


TINY = [
    plain_cnn,
    sequential_cnn,
    branches,
    nested,
    siamese,
    twin_towers,
    residual,
    mobile,
    grouped,
    transposed,
    one_dimensional,
    three_dimensional,
    dict_in_dict_out,
]
PAPERS = [vgg16_cifar, resnet20_a, resnet20_b, resnet56_a, resnet56_b]


def leaves(model, prefix=""):
    """Layers by path, those of nested models included."""
    found = {}
    for layer in model.layers:
        if hasattr(layer, "layers"):
            found.update(leaves(layer, f"{prefix}{layer.name}/"))
        else:
            found[prefix + layer.name] = layer
    return found


def scramble(model, seed=0):
    """Gives every weight a value of its own, and normalizations statistics that do something."""
    rng = np.random.default_rng(seed)
    for layer in leaves(model).values():
        layer.set_weights([_plausible(weight, rng) for weight in layer.weights])
    return model


def _plausible(weight, rng):
    shape = tuple(weight.shape)
    if weight.name in ("gamma", "moving_variance"):
        return rng.uniform(0.5, 1.5, shape)
    if len(shape) < 2:
        return rng.normal(0, 0.1, shape)
    fan_in = np.prod(shape[:-2] if "depthwise" in weight.path else shape[:-1])
    return rng.normal(0, np.sqrt(2 / fan_in), shape)


def samples(model, count=4, seed=1):
    """Random inputs in the model's own structure; images for the papers' networks have values up to 255."""
    rng = np.random.default_rng(seed)
    bright = 255 if any(layer.name == "rescale" for layer in model.layers) else 1

    def draw(tensor):
        return (bright * rng.uniform(-1 if bright == 1 else 0, 1, (count, *tensor.shape[1:]))).astype("float32")

    return keras.tree.map_structure(draw, model.inputs[0] if isinstance(model, keras.Sequential) else model.input)


def predictions(model, x):
    """All outputs, flat, as float64 arrays."""
    return [value(y) for y in keras.tree.flatten(model(x, training=False))]


def value(variable):
    return keras.ops.convert_to_numpy(variable).astype("float64")


def outputs(model, layer, x):
    """What a layer returns, in inference mode."""
    inner = keras.Model(model.input, model.get_layer(layer).output)
    return value(inner(x, training=False))
