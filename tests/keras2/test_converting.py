"""Files of Keras 2: mended, checked against tf_keras, and refused if they hold what Keras 3 lacks."""

import errno
import json
import os
import pathlib
import re
import shutil

import h5py
import keras
import numpy as np
import pytest
import tf_keras
from command_line import run

import firekeras
from firekeras.keras2.config import Mender
from firekeras.keras_models.compiling import MENDED, is_broken

L2 = tf_keras.layers


def functional():
    inputs = tf_keras.Input((6, 6, 3))
    x = L2.Conv2D(4, 3, name="conv")(inputs)
    x = L2.DepthwiseConv2D(3, activation="relu", name="depthwise")(L2.BatchNormalization()(x))
    x = L2.Reshape((4, 4))(x)
    x = tf_keras.Sequential([L2.Conv1D(5, 1, input_shape=(4, 4)), L2.BatchNormalization()], name="nested")(x)
    x = L2.TimeDistributed(tf_keras.Sequential([L2.Dense(3, input_shape=(5,))]))(x)
    return tf_keras.Model(inputs, L2.Dense(2, name="out")(L2.Flatten()(x)))


def scrambled(model):
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.1, 1, weight.shape) for weight in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """A model of Keras 2 that was trained a step, as a file and as a SavedModel."""
    folder = tmp_path_factory.mktemp("old")
    model = scrambled(functional())
    model.compile("adam", "mse")
    model.train_on_batch(np.ones((2, 6, 6, 3)), np.ones((2, 2)))
    model.save(folder / "old.h5")
    model.save(folder / "saved")
    return folder


pytestmark = [
    pytest.mark.usefixtures("uncompiled"),
    pytest.mark.filterwarnings("ignore"),  # tf_keras warns of its own formats
]


@pytest.mark.parametrize(("name", "trust"), [("old.h5", False), ("saved", True)])
def test_outputs_are_those_of_keras_2(old, name, trust, tmp_path):
    made = firekeras.convert_model(old / name, tmp_path / "new.keras", trust=trust)
    assert made.difference.largest < 1e-5
    assert "Left out of DepthwiseConv2D: groups=1." in made.notes
    legacy, new = tf_keras.models.load_model(old / name), keras.models.load_model(tmp_path / "new.keras")
    x = np.random.default_rng(1).normal(size=(3, 6, 6, 3)).astype("float32")
    np.testing.assert_allclose(new.predict(x, verbose=0), legacy(x), rtol=1e-4, atol=1e-5)
    assert new.compiled
    new.fit(x, np.ones((3, 2)), verbose=0)


def test_an_hdf5_file_of_keras_3_is_compared_with_keras_3(tmp_path):
    image = keras.Input((6, 6, 1))
    x = keras.layers.Conv2D(4, 3, activation="relu")(image)
    keras.Model(image, keras.layers.Dense(2)(keras.layers.Flatten()(x))).save(tmp_path / "three.h5")
    made = firekeras.convert_model(tmp_path / "three.h5", tmp_path / "new.keras")
    assert made.difference.largest < 1e-6 and not made.notes


def test_a_saved_model_is_not_run_unless_it_is_trusted(old, tmp_path):
    made = firekeras.convert_model(old / "saved", tmp_path / "new.keras")
    assert made.difference is None
    assert any("is not run unless you trust it" in note for note in made.notes)


def test_what_was_converted_is_pruned(old, tmp_path):
    firekeras.convert_model(old / "old.h5", tmp_path / "new.keras")
    model = keras.models.load_model(tmp_path / "new.keras")
    plan = firekeras.plan_pruning(model, firekeras.score_filters(model, "l1"), pruning_ratio=0.4)
    assert firekeras.count_costs(firekeras.prune(model, plan)) == plan.costs_after
    assert plan.removed


def test_the_command_says_what_it_left_out_and_how_close_it_is(old, tmp_path):
    done = run("convert", old / "old.h5", tmp_path / "new.keras")
    assert done.exit_code == 0, done.output
    assert "Left out of DepthwiseConv2D: groups=1." in done.stdout
    differ = re.search(r"Outputs differ from the old model's by at most (\S+) of the largest output", done.stdout)
    same = "Outputs are the same as those of the old model." in done.stdout
    assert same if differ is None else 0 < float(differ[1]) < 1e-3
    assert (tmp_path / "new.keras").is_file()


@pytest.mark.parametrize(("name", "words"), [("old.h5", "firekeras convert"), ("saved", "is a SavedModel")])
def test_other_commands_point_to_it(old, name, words):
    from firekeras.keras_models.model_file import load_model

    with pytest.raises(ValueError, match=rf"{words}.*{name.split('.')[0]}.keras|Convert it once: firekeras convert"):
        load_model(old / name)


# What is refused


def edited(old, tmp_path, edit):
    path = tmp_path / "edited.h5"
    shutil.copy(old / "old.h5", path)
    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs["model_config"])
        edit({layer["config"]["name"]: layer for layer in config["config"]["layers"]})
        file.attrs["model_config"] = json.dumps(config)
    return path


def more_groups(layers):
    layers["depthwise"]["config"]["groups"] = 4


def a_lambda(layers):
    layers["depthwise"]["class_name"] = "Lambda"


def an_operation(layers):
    layers["depthwise"]["class_name"] = "TFOpLambda"


def a_stranger(layers):
    layers["depthwise"] |= {"module": "os", "class_name": "system", "registered_name": "x>system"}


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (more_groups, r"Layer 'depthwise' \(DepthwiseConv2D\) has groups=4, which Keras 3 lacks"),
        (a_lambda, "Layer 'depthwise' holds a Python lambda, and code from a file is never executed"),
        (an_operation, "Layer 'depthwise' is a TFOpLambda, which is not part of Keras 3"),
        (a_stranger, "Layer 'depthwise' needs 'system', which is not part of Keras"),
    ],
)
def test_what_keras_3_does_not_have_is_refused(old, tmp_path, edit, words):
    with pytest.raises(ValueError, match=words):
        firekeras.convert_model(edited(old, tmp_path, edit), tmp_path / "new.keras")
    assert not (tmp_path / "new.keras").exists()


def test_paths_and_files_that_are_none(old, tmp_path):
    weights, damaged = tmp_path / "weights.h5", tmp_path / "damaged.h5"
    with h5py.File(weights, "w") as file:
        file.create_group("model_weights")
    damaged.write_bytes((old / "old.h5").read_bytes()[:3000])
    new = tmp_path / "new.keras"
    for path, words in (
        (tmp_path / "none.h5", "There is no file"),
        (tmp_path / "model.onnx", "There is no file"),
        (tmp_path, "is a folder, but not a SavedModel"),
        (weights, "holds no model, perhaps only weights"),
        (damaged, "is not a whole HDF5 file of a model"),
    ):
        with pytest.raises(ValueError, match=words):
            firekeras.convert_model(path, new)
    with pytest.raises(ValueError, match=r"Expected the name of a new file, NAME.keras"):
        firekeras.convert_model(old / "old.h5", tmp_path / "new.h5")


# Configs


def test_an_old_sequential_model_has_its_input_shape_in_its_first_layer():
    layers = [{"class_name": "Dense", "config": {"name": "d", "units": 2, "batch_input_shape": [None, 3]}}]
    mended = Mender().model({"class_name": "Sequential", "config": layers})
    assert mended["config"]["layers"][0]["config"] == {"batch_shape": [None, 3], "dtype": "float32", "name": "d_input"}
    assert "batch_input_shape" not in mended["config"]["layers"][1]["config"]


def test_training_settings_in_the_words_of_keras_3():
    loss = {"class_name": "CategoricalCrossentropy", "config": {"reduction": "auto", "fn": "x", "from_logits": False}}
    wrapped = {"class_name": "MeanMetricWrapper", "config": {"name": "accuracy", "fn": "sparse_categorical_accuracy"}}
    settings = {
        "loss": loss,
        "metrics": ["mae", wrapped, {**wrapped, "config": {"name": "hits", "fn": "binary_accuracy"}}],
        "optimizer_config": {"class_name": "Custom>Adam", "config": {"decay": 0}},
    }
    mended = Mender().training(settings)
    assert mended["loss"]["config"] == {"reduction": "sum_over_batch_size", "from_logits": False}
    assert mended["metrics"] == ["mean_absolute_error", "accuracy", "binary_accuracy"]
    assert mended["optimizer_config"] == {"class_name": "Adam", "config": {}}


# The optimizer that Keras loads from .h5


@pytest.fixture
def broken(tmp_path):
    """A classifier as Keras 3 loads it from an .h5 file."""
    keras.utils.clear_session(free_memory=False)
    inputs = keras.Input((6,))
    x = keras.layers.Dense(8, activation="relu", name="hidden")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax", name="scores")(x))
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(*data(), verbose=0)
    model.save(tmp_path / "model.h5")
    return keras.models.load_model(tmp_path / "model.h5")


def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(32, 6)), np.arange(32) % 3


def test_rounds_train_a_model_with_a_broken_optimizer(broken):
    assert is_broken(broken)
    with pytest.raises(ValueError, match="Unknown variable"):
        broken.fit(*data(), verbose=0)
    result = firekeras.compress(broken, data(), data(), target={"macs": 0.6}, epochs=2, verbose=0)
    assert MENDED in result.notes
    assert result.rounds and not is_broken(result.model)


def test_fit_with_the_callback_trains_it(broken):
    callback = firekeras.FirePruningCallback(tolerance=1.0)
    broken.fit(*data(), validation_data=data(), epochs=2, callbacks=[callback], verbose=0)
    assert MENDED in callback.result.notes
    assert float(broken.optimizer.learning_rate) == pytest.approx(0.01)


def test_what_is_pruned_from_it_can_train(broken):
    plan = firekeras.plan_pruning(broken, firekeras.score_filters(broken, "l1"), pruning_ratio=0.3)
    firekeras.prune(broken, plan).fit(*data(), verbose=0)


def test_weights_that_lie_elsewhere_are_refused(old, tmp_path):
    path = tmp_path / "edited.h5"
    shutil.copy(old / "old.h5", path)
    with h5py.File(path, "a") as file:
        file["model_weights"]["beside"] = h5py.ExternalLink("/etc/other.h5", "/x")
    with pytest.raises(ValueError, match=r"edited.h5 cannot be converted: .*beside in its weights is a link"):
        firekeras.convert_model(path, tmp_path / "new.keras")


@pytest.mark.parametrize("name", ["variables/variables.data-00000-of-00001", "keras_metadata.pb"])
def test_a_damaged_saved_model_is_refused_in_a_sentence(old, tmp_path, name):
    shutil.copytree(old / "saved", tmp_path / "saved")
    file = tmp_path / "saved" / name
    content = bytearray(file.read_bytes())
    content[100:140] = b"\x80" * 40
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"saved cannot be read as a SavedModel that Keras wrote: .+") as refusal:
        firekeras.convert_model(tmp_path / "saved", tmp_path / "new.keras")
    assert "\n" not in str(refusal.value)


def test_a_heap_that_hdf5_would_read_for_ever_is_refused(old, tmp_path):
    content = bytearray((old / "old.h5").read_bytes())
    heap = content.index(b"GCOL")
    content[heap + 16 : heap + 2048] = bytes(2032)
    (tmp_path / "lost.h5").write_bytes(content)
    with pytest.raises(ValueError, match=r"lost\.h5 cannot be converted: a (heap of texts|text) in it is"):
        firekeras.convert_model(tmp_path / "lost.h5", tmp_path / "new.keras")


def test_a_full_disk_is_not_taken_for_a_damaged_file(old, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pathlib.Path, "write_bytes", full)
    with pytest.raises(OSError, match=r"Cannot write .*mended\.h5: No space left on device"):
        firekeras.convert_model(old / "old.h5", tmp_path / "new.keras")


def test_a_sparse_file_is_not_read_into_memory(old, tmp_path):
    path = tmp_path / "sparse.h5"
    shutil.copy(old / "old.h5", path)
    with path.open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(ValueError, match=r"sparse\.h5 cannot be converted: it has 1,099,511,627,776 bytes"):
        firekeras.convert_model(path, tmp_path / "new.keras")
