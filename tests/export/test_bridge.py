"""Keras 3 models in tf_keras: equal outputs or a refusal that names the layers; TF-MOT's tools over the bridge."""

import os

import keras
import networks
import numpy as np
import pytest
from keras import layers as L
from trained_digits import accuracy

import firekeras
from firekeras.export import cluster, quantization_aware, quantize_aware, sparsify, to_tf_keras
from firekeras.export.bridge import Bridge
from firekeras.export.quantization_aware import check_layers
from firekeras.export.running import open_runtime

pytestmark = pytest.mark.usefixtures("uncompiled")

SMALL = [
    *(networks.plain_cnn, networks.sequential_cnn, networks.residual, networks.siamese, networks.twin_towers),
    *(networks.dict_in_dict_out, networks.nested, networks.mobile, networks.grouped, networks.transposed),
    *(networks.one_dimensional, networks.three_dimensional, networks.branches, networks.resnet8_a),
]


def kernels(model):
    layers = [layer for layer in model.layers if isinstance(layer, (L.Conv2D, L.Dense))]
    return {layer.name: keras.ops.convert_to_numpy(layer.kernel) for layer in layers}


# Equal outputs


@pytest.mark.parametrize("network", SMALL, ids=lambda network: network.__name__)
def test_outputs_are_equal_and_weights_come_back(network):
    model = networks.scramble(network())
    x = networks.samples(model, 8)
    bridge = Bridge(model, x)
    assert bridge.difference.largest < 1e-5
    for weight in bridge.legacy.weights:
        weight.assign(np.full(weight.shape, 0.25))
    back = bridge.brought_back()
    assert all((weight == 0.25).all() for weight in back.get_weights())
    assert not any((weight == 0.25).all() for weight in model.get_weights() if weight.size > 1)


@pytest.mark.parametrize("name", ["MobileNetV2"])
def test_applications_are_equal_and_allowed(name):
    model = getattr(keras.applications, name)(
        weights=None, input_shape=(32, 32, 3), classes=10, classifier_activation=None
    )
    for layer in model.layers:
        if isinstance(layer, L.BatchNormalization):  # as if trained: outputs must depend on the statistics
            layer.moving_variance.assign(np.random.default_rng(0).uniform(0.5, 1.5, layer.moving_variance.shape))
            layer.beta.assign(np.random.default_rng(1).normal(0, 0.1, layer.beta.shape))
    bridge = Bridge(model)
    check_layers(bridge.legacy)
    assert bridge.difference.largest < 1e-4
    assert bridge.legacy.count_params() == model.count_params()


def test_rescaling_and_channel_padding_become_layers_that_tfmot_takes():
    model = networks.scramble(networks.resnet8_a())
    bridge = Bridge(model, networks.samples(model, 2))
    kinds = {type(layer).__name__ for layer in bridge.legacy.layers}
    assert "DepthwiseConv2D" in kinds and not kinds & {"Rescaling", "Normalization", "Lambda", "TFOpLambda"}
    check_layers(bridge.legacy)


def test_regularisers_and_frozen_layers_stay_what_they_were():
    image = keras.Input((8, 8, 3))
    x = L.Conv2D(4, 3, kernel_regularizer=keras.regularizers.L2(0.25), name="conv")(image)
    model = keras.Model(image, L.Dense(2, name="fc", trainable=False)(L.Flatten()(x)))
    legacy = to_tf_keras(model)
    assert float(legacy.get_layer("conv").kernel_regularizer.l2) == 0.25
    assert [layer.name for layer in legacy.layers if layer.trainable_weights] == ["conv"]


# Refusals name the layers


def test_layers_without_a_counterpart_are_all_named():
    image = keras.Input((8, 8, 3), name="image")
    x = L.Conv2D(4, 3, activation="hard_sigmoid", name="hard")(image)
    x = L.GroupNormalization(2, name="groups")(x)
    model = keras.Model(image, L.Dense(2)(L.Flatten()(x + 1.0)), name="odd")
    with pytest.raises(ValueError, match=r"'odd' cannot be written in tf_keras") as refused:
        to_tf_keras(model)
    for words in (
        "'hard' (Conv2D) has the activation 'hard_sigmoid'",
        "'groups' (GroupNormalization) has no counterpart",
        "(Add) takes a number beside a tensor",
    ):
        assert words in str(refused.value)


def test_other_precisions_are_refused():
    image = keras.Input((8, 8, 3), dtype="uint8", name="image")
    x = L.Conv2D(4, 3, dtype="mixed_float16", name="half")(L.Rescaling(1 / 255)(image))
    with pytest.raises(ValueError, match=r"'half' \(Conv2D\) computes in mixed_float16.*'image' is uint8"):
        to_tf_keras(keras.Model(image, L.Flatten()(x)))


def test_outputs_that_differ_are_refused(monkeypatch):
    model = networks.scramble(networks.two_convs())
    monkeypatch.setattr(Bridge, "_copy_weights", lambda self: {})
    with pytest.raises(ValueError, match="the outputs of the model"):
        to_tf_keras(model)


def test_what_quantisation_cannot_take_is_named_before_any_training(tmp_path, monkeypatch):
    image = keras.Input((8, 8, 3), name="image")
    x = L.ReLU()(L.BatchNormalization(name="alone")(image))
    x = L.Conv2D(3, 3, padding="same", name="conv")(x)
    x = L.Multiply(name="gate")([x, L.Activation("sigmoid")(x)])
    model = keras.Model(image, L.Dense(2)(L.GlobalAveragePooling2D()(x)), name="gated")
    monkeypatch.setattr("firekeras.export.tfmot.fine_tune", lambda *_, **__: pytest.fail("training began"))
    with pytest.raises(
        ValueError, match=r"'alone' \(BatchNormalization\) stands behind no.*'gate' \(Multiply\) is not"
    ):
        quantize_aware(model, (np.zeros((4, 8, 8, 3)), np.zeros(4)), tmp_path / "net.tflite")
    siamese = networks.siamese()
    with pytest.raises(ValueError, match="is called more than once"):
        check_layers(to_tf_keras(siamese))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("tool", "settings", "words"),
    [
        (sparsify, {"sparsity": 1.0}, "sparsity must be a share, above 0 and below 1. Received: 1.0"),
        (cluster, {"clusters": 1}, "clusters must be a whole number, at least 2. Received: 1"),
        (sparsify, {"epochs": 0}, "epochs must be a whole number, at least 1"),
        (cluster, {"learning_rate": 0}, "learning_rate must be a number, above 0"),
        (cluster, {"train_data": np.zeros((4, 8, 8, 3))}, r"a tuple of arrays \(x, y\)"),
        (cluster, {"loss": "nope"}, "loss must be a loss of tf_keras, an object or its name. Received: 'nope'"),
    ],
)
def test_settings_out_of_range_are_refused(tool, settings, words):
    settings = {"train_data": (np.zeros((4, 8, 8, 3)), np.zeros(4)), **settings}
    with pytest.raises(ValueError, match=words):
        tool(networks.two_convs(), **settings)


# TF-MOT's tools, on a trained network


LARGE = 256  # batches, thus few steps: each takes a fifth of a second


def of(model, data):
    return float((model.predict(data.x_test, verbose=0).argmax(axis=1) == data.y_test).mean())


def test_sparsity_is_really_there_among_the_weights_that_are_left(digits, tmp_path):
    model, data = digits
    plan = firekeras.plan_pruning(model, firekeras.score_filters(model, "l1"), pruning_ratio=0.3)
    pruned = firekeras.prune(model, plan)
    few_steps = {"epochs": 2, "batch_size": 128, "learning_rate": 0.05}
    sparse = sparsify(pruned, (data.x_train, data.y_train), sparsity=0.5, **few_steps)
    for name, kernel in kernels(sparse).items():
        assert (kernel == 0).mean() == pytest.approx(0.5, abs=0.01), name
        assert (kernels(pruned)[name] == 0).mean() < 0.01
    assert of(sparse, data) > 0.95
    int8 = firekeras.export_model(sparse, tmp_path / "sparse.tflite", samples=data.x_train, int8=True)
    assert accuracy(int8.path, data) > 0.94


def test_clusters_are_really_few(digits):
    model, data = digits
    clustered = cluster(model, (data.x_train, data.y_train), clusters=8, batch_size=LARGE)
    assert {np.unique(kernel).size for kernel in kernels(clustered).values()} == {8}
    assert all(np.unique(kernel).size > 100 for kernel in kernels(model).values())
    assert of(clustered, data) > 0.95


def test_quantisation_aware_training_ends_in_an_int8_file(digits, tmp_path):
    model, data = digits
    before = os.environ.get("TF_USE_LEGACY_KERAS")
    done = quantize_aware(model, (data.x_train, data.y_train), tmp_path / "int8.tflite", batch_size=LARGE)
    assert done.int8 and done.difference.rms < 0.05
    assert open_runtime(done.path).floating_layers() == []
    assert accuracy(done.path, data) > 0.97
    assert os.environ.get("TF_USE_LEGACY_KERAS") == before


def residual_of_unnamed_layers():
    """Blocks with and without zeros; its layers are called as tf_keras calls those that TF-MOT makes."""
    image = keras.Input((8, 8, 1))
    x = keep = L.ReLU()(L.BatchNormalization()(L.Conv2D(16, 3, padding="same", name="conv2d")(image)))
    x = L.BatchNormalization()(L.Conv2D(16, 3, padding="same", use_bias=False, name="conv2d_1")(x))
    x = L.SeparableConv2D(16, 3)(L.ReLU()(L.Add()([x, keep])))
    return keras.Model(image, L.Dense(10)(L.Flatten()(L.ReLU()(x))))


def int8_kernels(path):
    """The kernels of a file's convolutions and dense layers, filters first."""
    interpreter = open_runtime(path)._interpreter
    interpreter.allocate_tensors()
    found = [op for op in interpreter._get_ops_details() if op["op_name"] in ("CONV_2D", "FULLY_CONNECTED")]
    return [interpreter.get_tensor(op["inputs"][1]) for op in found]


def test_zeros_and_shared_values_survive_quantisation_aware_training(tmp_path):
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    train = rng.normal(size=(128, 8, 8, 1)).astype("float32"), rng.integers(0, 10, 128)
    sparse = sparsify(residual_of_unnamed_layers(), train, sparsity=0.5, batch_size=16)
    quantize_aware(sparse, train, tmp_path / "sparse.tflite", learning_rate=0.05, tolerance=1.0)
    few = cluster(sparse, train, clusters=6)
    assert {np.unique(kernel).size for kernel in kernels(few).values()} == {6}
    assert all((kernel == 0).mean() == pytest.approx(0.5, abs=0.01) for kernel in kernels(few).values())
    quantize_aware(few, train, tmp_path / "few.tflite", tolerance=1.0)
    for name in ("sparse", "few"):
        first, second, pointwise, dense = int8_kernels(tmp_path / f"{name}.tflite")
        assert [(kernel == 0).mean() for kernel in (first, second, dense)] == pytest.approx([0.5] * 3, abs=0.01), name
        assert (pointwise == 0).mean() < 0.1  # TF-MOT thins out no separable convolutions
    assert max(np.unique(row).size for row in (*second, *dense)) <= 6


def test_an_int8_file_that_is_not_what_was_trained_never_appears(tmp_path, monkeypatch):
    model = networks.two_convs()
    convert = quantization_aware._int8

    def converted_wrongly(tuned):
        tuned.set_weights([0.5 * weight for weight in tuned.get_weights()])
        return convert(tuned)

    monkeypatch.setattr(quantization_aware, "_int8", converted_wrongly)
    images = np.random.default_rng(0).uniform(size=(32, *model.input_shape[1:])).astype("float32")
    with pytest.raises(ValueError, match="not written"):
        quantize_aware(model, (images, np.zeros(32)), tmp_path / "int8.tflite")
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_gives_the_same_for_all_samples_never_appears(tmp_path, monkeypatch):
    model = networks.two_convs()
    monkeypatch.setattr("firekeras.export.tfmot.fine_tune", lambda *_, **__: None)  # so that it knows no ranges
    images = np.random.default_rng(0).uniform(size=(32, *model.input_shape[1:])).astype("float32")
    with pytest.raises(ValueError, match=r"the same for all 32 samples.*Train longer"):
        quantize_aware(model, (images, np.zeros(32)), tmp_path / "int8.tflite")
    assert list(tmp_path.iterdir()) == []
