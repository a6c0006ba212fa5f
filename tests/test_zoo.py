import keras
import numpy as np
import pytest

from firekeras.zoo import digits_cnn, resnet_cifar, vgg16_cifar


def convs(model):
    return [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]


def filters(model):
    return sum(conv.filters for conv in convs(model))


def conv_macs(model):
    macs = 0
    for conv in convs(model):
        _, height, width, _ = conv.output.shape
        macs += int(np.prod(conv.kernel.shape)) * height * width
    return macs


def logits(model, *shape):
    images = np.random.default_rng(0).uniform(0, 255, shape).astype("float32")
    return np.asarray(keras.ops.convert_to_numpy(model(images)))


def test_vgg16_has_the_structure_of_the_paper():
    model = vgg16_cifar()
    assert [conv.name for conv in convs(model)] == [f"conv{i}" for i in range(1, 14)]
    assert filters(model) == 4224
    assert conv_macs(model) == 313_196_544
    assert all(conv.use_bias for conv in convs(model))
    assert model.get_layer("fc1").kernel.shape == (512, 512)
    assert model.get_layer("logits").kernel.shape == (512, 10)


def test_vgg16_takes_other_sizes_heads_and_classes():
    model = vgg16_cifar(classes=7, head=20, input_shape=(64, 32, 1))
    assert model.get_layer("fc1").kernel.shape == (2 * 1 * 512, 20)
    assert logits(model, 2, 64, 32, 1).shape == (2, 7)


def test_vgg16_preprocessing_is_division_by_255():
    keras.utils.set_random_seed(0)
    model = vgg16_cifar()
    bare = vgg16_cifar(include_preprocessing=False)
    bare.set_weights(model.get_weights())
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("uint8")
    scaled = (images / 255).astype("float32")
    np.testing.assert_allclose(model.predict(images, verbose=0), bare.predict(scaled, verbose=0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("depth", "shortcut", "conv_count", "filter_count", "macs"),
    [
        (56, "A", 55, 2032, 125_485_056),
        (56, "B", 57, 2128, 125_747_200),
        (110, "A", 109, 4048, 252_887_040),
    ],
)
def test_resnet_has_the_structure_of_the_paper(depth, shortcut, conv_count, filter_count, macs):
    model = resnet_cifar(depth, shortcut=shortcut)
    assert len(convs(model)) == conv_count
    assert filters(model) == filter_count
    assert conv_macs(model) == macs
    assert not any(conv.use_bias for conv in convs(model))
    assert model.get_layer("logits").kernel.shape == (64, 10)


@pytest.mark.parametrize("depth", [8, 20, 32, 44])
def test_resnet_depth_counts_layers_with_weights(depth):
    model = resnet_cifar(depth)
    assert len(convs(model)) + 1 == depth


@pytest.mark.parametrize("shortcut", ["A", "B"])
def test_resnet_gives_one_logit_per_class(shortcut):
    outputs = logits(resnet_cifar(8, classes=5, shortcut=shortcut), 3, 32, 32, 3)
    assert outputs.shape == (3, 5)
    assert np.isfinite(outputs).all()


def test_shortcut_a_is_every_second_pixel_between_zero_channels():
    model = resnet_cifar(8)
    add = model.get_layer("stage2_block1_add")
    block_input = model.get_layer("stage1_block1_relu").output
    probe = keras.Model(model.input, [block_input, *add.input])
    images = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3)).astype("float32")
    x, _, shortcut = [keras.ops.convert_to_numpy(output) for output in probe(images)]
    np.testing.assert_array_equal(shortcut[..., 8:24], x[:, ::2, ::2, :])
    assert not shortcut[..., :8].any()
    assert not shortcut[..., 24:].any()


def test_strided_convolution_is_centred_on_the_pixels_the_shortcut_takes():
    model = resnet_cifar(8)
    conv = model.get_layer("stage2_block1_conv1")
    centre_tap = np.zeros(conv.kernel.shape, "float32")
    centre_tap[1, 1, 0, 0] = 1.0
    conv.set_weights([centre_tap])
    block_input = model.get_layer("stage1_block1_relu").output
    probe = keras.Model(model.input, [block_input, conv.output])
    images = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3)).astype("float32")
    x, y = [keras.ops.convert_to_numpy(output) for output in probe(images)]
    np.testing.assert_allclose(y[..., 0], x[:, ::2, ::2, 0], rtol=1e-5)


# Keras itself, saving TensorFlow variables with NumPy 2
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")
def test_resnet_survives_saving(tmp_path):
    model = resnet_cifar(8)
    model.save(tmp_path / "resnet.keras")
    loaded = keras.saving.load_model(tmp_path / "resnet.keras")
    np.testing.assert_allclose(logits(model, 2, 32, 32, 3), logits(loaded, 2, 32, 32, 3), rtol=1e-5, atol=1e-6)


def test_digits_cnn_takes_raw_digits():
    model = digits_cnn(classes=4)
    assert [conv.filters for conv in convs(model)] == [32, 32, 64, 64]
    assert logits(model, 2, 8, 8, 1).shape == (2, 4)


@pytest.mark.parametrize(("depth", "nearest"), [(18, 20), (34, 32), (57, 56), (2, 8), (0, 8), (-4, 8)])
def test_a_wrong_depth_gets_the_nearest(depth, nearest):
    with pytest.raises(ValueError, match=rf"6n \+ 2 .* Received: {depth}. The nearest is {nearest}."):
        resnet_cifar(depth)


def test_a_depth_must_be_an_integer():
    with pytest.raises(ValueError, match="Received: '56'"):
        resnet_cifar("56")


def test_an_unknown_shortcut_is_refused():
    with pytest.raises(
        ValueError, match=r"shortcut must be one of 'A', 'B'\. Received: 'C'\. A is the zero-padded identity"
    ):
        resnet_cifar(20, shortcut="C")


@pytest.mark.parametrize(
    "build",
    [
        lambda: vgg16_cifar(0),
        lambda: resnet_cifar(20, 0),
        lambda: digits_cnn(0),
        lambda: vgg16_cifar(head=0),
    ],
)
def test_counts_must_be_positive(build):
    with pytest.raises(ValueError, match=r"at least 1. Received: 0"):
        build()


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32), (32.0, 32, 3), (None, None, 3)])
def test_vgg16_refuses_images_it_cannot_halve_five_times(shape):
    with pytest.raises(
        ValueError, match=r"height and width of at least 32.*Use larger images|must be a tuple of whole numbers"
    ):
        vgg16_cifar(input_shape=shape)
