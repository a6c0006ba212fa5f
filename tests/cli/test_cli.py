import json
import os
import re
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
from command_line import names, refused, run, small_cnn

import firekeras
from firekeras.channels.graph import ChannelGraph
from firekeras.cli.caps import parsed_caps
from firekeras.cli.classifier import labels_for, prepare
from firekeras.cli.files import load_images
from firekeras.datasets import load_dataset
from firekeras.keras_models.loss_names import has_binary_loss, loss_name
from firekeras.keras_models.losses import gives_logits
from firekeras.scores.fire.progress import ProgressReports

pytestmark = pytest.mark.usefixtures("uncompiled")

COMMANDS = ("demo", "measure", "prune", "compress")


# help


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_by_example(command):
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"Example: firekeras {command}" in result.output
    assert "--output" in result.output


def test_help_lists_the_commands():
    output = run("--help").output
    assert all(command in output for command in COMMANDS)


def test_the_version_is_shown():
    assert run("--version").output == f"firekeras {firekeras.__version__}\n"


def test_help_imports_no_keras():
    code = "import sys, firekeras.cli; sys.exit('keras' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_module_runs_as_a_program():
    shown = subprocess.run([sys.executable, "-m", "firekeras", "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout == f"firekeras {firekeras.__version__}\n"


@pytest.mark.tensorflow  # which chatters
def test_start_up_chatter_is_left_out(folder):
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    command = [sys.executable, "-m", "firekeras", "prune", "model.keras", "--dry-run"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert shown.stderr == ""
    assert "conv MACs" in shown.stdout


# measure


@pytest.mark.every_backend
def test_measure_writes_a_profile_and_shows_it(folder):
    result = run("measure", "model.keras", "--data", "digits", "--fraction", 0.1)
    assert result.exit_code == 0, result.output
    profile = firekeras.FireProfile.load("model.fire.h5")
    assert profile.samples == 144
    assert f"{profile['conv1'].max():.3f}" in result.output
    assert re.search(r"logits\s+10\s+-\s+-\s+-\s+-\s+\S+", result.output)
    assert not profile.maps


def test_measure_keeps_maps_where_asked_for(folder):
    arguments = ("--data", "digits", "--fraction", 0.1, "--neuron-maps", "--output", "a.fire.h5")
    assert run("measure", "model.keras", *arguments).exit_code == 0
    assert firekeras.FireProfile.load("a.fire.h5").maps["conv1"].shape == (8, 6, 6)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--data", "digitts"], "Did you mean 'digits'?"),
        (["--data", "digits", "--fraction", 2], "--fraction must be the share of the images to use, or auto"),
        (["--data", "digits", "--output", "a.h5"], "ends in .fire.h5"),
        (["--data", "digits", "--output", "nowhere/a.fire.h5"], "there is no folder nowhere"),
    ],
)
def test_measure_refuses(folder, options, words):
    assert words in refused("measure", "model.keras", *options)
    assert names(folder) == {"model.keras"}


def test_data_of_another_shape_are_refused(folder):
    x, y = np.zeros((4, 5, 5, 3), "uint8"), np.zeros(4, "int64")
    np.savez("other.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    assert "expected samples of shape (8, 8, 1)" in refused("measure", "model.keras", "--data", "other.npz")


@pytest.mark.parametrize(
    "others",
    [
        {},
        {"y_train": np.zeros((6, 8, 8, 1)), "y_test": np.zeros((6, 8, 8, 1)), "x_test": np.zeros((6, 8, 8, 1))},
        {"y_train": np.full(6, 0.5), "y_test": np.full(6, 0.5), "x_test": np.zeros((6, 8, 8, 1))},
    ],
)
def test_images_need_no_labels(folder, others):
    x = np.random.default_rng(0).random((6, 8, 8, 1)).astype("float32")
    np.savez("images.npz", x_train=x, **others)
    result = run("measure", "model.keras", "--data", "images.npz")
    assert result.exit_code == 0 and "6 images measured" in result.stdout, result.output
    profile = firekeras.FireProfile.load("model.fire.h5")
    expected = firekeras.measure_fire(keras.models.load_model("model.keras"), x)
    assert all(np.array_equal(profile[name], expected[name], equal_nan=True) for name in expected)
    words = "must be class numbers" if others else "missing y_train"
    assert words in refused("compress", "model.keras", "--data", "images.npz")


@pytest.mark.tensorflow  # from which alone Keras exports to LiteRT
@pytest.mark.parametrize("labels", [{}, {"y_train": np.arange(6) % 2, "y_test": np.arange(6) % 2}])
def test_series_calibrate_int8(folder, labels):
    x = np.random.default_rng(0).random((6, 16, 2)).astype("float32")
    np.savez("series.npz", x_train=x, x_test=x, **labels)
    series = keras.Input((16, 2))
    hidden = keras.layers.GlobalAveragePooling1D()(keras.layers.Conv1D(4, 3, activation="relu")(series))
    model = keras.Model(series, keras.layers.Dense(1)(hidden))
    assert load_images("series.npz", model, 4).shape == (4, 16, 2)
    model.save("series.keras")
    result = run("export", "series.keras", "--to", "litert", "--int8", "--data", "series.npz")
    assert result.exit_code == 0 and "Run on 6 images" in result.stdout, result.output


def test_images_of_a_folder_are_resized_to_the_model(folder):
    from PIL import Image

    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu")(keras.layers.Rescaling(1 / 255)(image))
    keras.Model(image, keras.layers.Dense(2)(keras.layers.Flatten()(x))).save("colour.keras")
    for k in range(8):
        path = folder / "images" / ("cat" if k % 2 else "dog") / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 10 + k), (30 * k, 0, 0)).save(path)
    result = run("measure", "colour.keras", "--data", "images")
    assert result.exit_code == 0, result.output


@pytest.fixture
def grey_folder(folder):
    """Dark and light grey images, and a network that tells them apart in the range 0..1."""
    from PIL import Image

    image = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(1, 1, activation="relu", kernel_initializer="ones")(image)
    scores = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x))
    network = keras.Model(image, scores)
    network.layers[-1].set_weights([np.array([[0.0, 1.0]]), np.array([0.5, 0.0])])
    network.save("grey.keras")
    for k in range(16):
        path = folder / "images" / ("light" if k % 2 else "dark") / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 100 + 50 * (k % 2) - 50 * ((k + 1) % 2)).save(path)
    return folder


def test_another_range_of_the_images_is_suspected_first(grey_folder):
    result = run("measure", "grey.keras", "--data", "images")
    assert result.exit_code == 0 and "1.00 with the inputs divided by 255" in result.stderr, result.output
    result = run("measure", "grey.keras", "--data", "images", "--scale", "1/255", "--mean", "0")
    assert result.exit_code == 0
    assert result.stderr == "images: 13 training and 3 test images of 2 classes: 0 dark, 1 light.\n"
    assert "Received: 1/x." in run("measure", "grey.keras", "--data", "images", "--scale", "1/x").output


def test_long_lists_of_classes_are_shortened(tmp_path, capsys):
    from PIL import Image

    from firekeras.cli.files import load_images_for

    for name in "abcdefghijkl":
        (tmp_path / name).mkdir()
        for number in range(2):
            Image.new("L", (4, 4)).save(tmp_path / name / f"{number}.png")
    load_images_for(tmp_path, (None, 4, 4, 1))
    assert "of 12 classes: 0 a, 1 b, 2 c, 3 d, 4 e, 5 f, 6 g, 7 h, ..., 11 l." in capsys.readouterr().err


def test_unreadable_images_are_skipped_on_request(grey_folder):
    (grey_folder / "images" / "dark" / "x.png").write_bytes(b"broken")
    arguments = ("measure", "grey.keras", "--data", "images", "--scale", "1/255")
    assert "1 of 17 images cannot be read" in refused(*arguments)
    result = run(*arguments, "--skip-unreadable")
    assert result.exit_code == 0 and "Skipped 1 images" in result.stderr


# prune


def test_measure_reports_its_progress_to_programs(folder):
    options = ("--fraction", 0.1, "--batch-size", 16, "--events")
    result = run("measure", "model.keras", "--data", "digits", *options)
    assert result.exit_code == 0, result.output
    *progress, written = [json.loads(line) for line in result.stdout.splitlines()]
    samples = firekeras.FireProfile.load("model.fire.h5").samples
    batches = -(-samples // 16)
    assert written == {"event": "written", "path": "model.fire.h5", "samples": samples}
    assert progress[0] == {"event": "progress", "done": 1, "total": batches}
    assert progress[-1] == {"event": "progress", "done": batches, "total": batches}
    done = [event["done"] for event in progress]
    assert done == sorted(set(done))


def test_progress_is_reported_without_a_total_where_nobody_knows_it():
    reported = []
    progress = ProgressReports(lambda done, total: reported.append((done, total)))
    for batch in range(3):
        progress.on_test_batch_end(batch)
    progress.on_test_end()
    assert reported == [(1, None), (3, None)]


def test_channels_shows_groups_and_what_is_locked(folder):
    i = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(6, 3, padding="same", name="stem")(i)
    x = keras.layers.Add()([x, keras.layers.Conv2D(6, 3, padding="same", activation="relu", name="block")(x)])
    x = keras.layers.LayerNormalization(name="norm")(x)
    keras.Model(i, keras.layers.Dense(3, name="logits")(keras.layers.Flatten()(x))).save(folder / "residual.keras")
    result = run("channels", folder / "residual.keras")
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.output.splitlines()]
    assert ["stem", "12", "6", "-"] in lines and ["block"] in lines
    assert "model's output 'logits'" in result.output and "norm (LayerNormalization) normalises" in result.output


def test_channels_writes_the_graph_for_programs(folder):
    result = run("channels", "model.keras", "--output", "graph.json")
    assert result.exit_code == 0, result.output
    graph = ChannelGraph.from_dict(json.loads((folder / "graph.json").read_text()))
    model = keras.models.load_model("model.keras")
    assert graph.widths == {"conv1": 8, "conv2": 8, "logits": 10}
    assert firekeras.count_costs(graph) == firekeras.count_costs(model)
    assert "ends in .json" in refused("channels", "model.keras", "--output", "graph.txt")


def test_measure_takes_images_made_of_random_numbers_and_stops_by_itself(folder):
    result = run("measure", "model.keras", "--data", "synthetic", "--fraction", "auto", "--output", "s.fire.h5")
    assert result.exit_code == 0, result.output
    assert 0 < firekeras.FireProfile.load(folder / "s.fire.h5").samples <= 1000


def test_measure_refuses_another_word_for_a_fraction(folder):
    assert "a share such as 0.2, or auto" in refused("measure", "model.keras", "--data", "digits", "--fraction", "half")


@pytest.mark.every_backend
def test_prune_writes_a_smaller_model_that_works(folder):
    before = (folder / "model.keras").read_bytes()
    result = run("prune", "model.keras", "--ratio", 0.5)
    assert result.exit_code == 0, result.output
    smaller = keras.models.load_model("pruned.keras")
    assert smaller.get_layer("conv1").filters + smaller.get_layer("conv2").filters == 8
    assert smaller.predict(np.zeros((2, 8, 8, 1)), verbose=0).shape == (2, 10)
    assert (folder / "model.keras").read_bytes() == before
    assert names(folder) == {"model.keras", "pruned.keras"}
    assert re.search(r"logits\s+10\s+-\s+10\s+100%", result.output)


@pytest.mark.usefixtures("folder")
def test_prune_reaches_a_target():
    assert run("prune", "model.keras", "--dry-run", "--save-plan", "half.json", "--conv-macs", 0.5).exit_code == 0
    plan = firekeras.PruningPlan.load("half.json")
    assert 0.3 < plan.costs_after.conv_macs / plan.costs_before.conv_macs <= 0.5


def test_a_dry_run_writes_no_model(folder):
    result = run("prune", "model.keras", "--dry-run", "--criterion", "l2")
    assert result.exit_code == 0
    assert "parameters" in result.output
    assert names(folder) == {"model.keras"}


def test_a_plan_can_be_saved_and_carried_out(folder):
    assert run("prune", "model.keras", "--dry-run", "--save-plan", "plan.json", "--ratio", 0.25).exit_code == 0
    assert names(folder) == {"model.keras", "plan.json"}
    assert run("prune", "model.keras", "--plan", "plan.json", "--output", "small.keras").exit_code == 0
    plan = firekeras.PruningPlan.load("plan.json")
    smaller = keras.models.load_model("small.keras")
    assert plan.num_removed == 4
    for name, filters in plan.removed.items():
        assert smaller.get_layer(name).filters == 8 - filters.size


def test_scores_of_a_measurement_are_used(folder):
    run("measure", "model.keras", "--data", "digits", "--fraction", 0.1)
    assert run("prune", "model.keras", "--scores", "model.fire.h5", "--ratio", 0.25).exit_code == 0
    plan = firekeras.plan_pruning(small_cnn(), firekeras.FireProfile.load("model.fire.h5"), pruning_ratio=0.25)
    smaller = keras.models.load_model("pruned.keras")
    for name in ("conv1", "conv2"):
        assert smaller.get_layer(name).filters == 8 - len(plan.removed.get(name, ()))


def test_caps_and_rounding_hold(folder):
    options = ["--ratio", 0.9, "--cap", "conv1=0", "--cap", "conv2=0.5", "--round-to", 2]
    assert run("prune", "model.keras", *options).exit_code == 0
    smaller = keras.models.load_model("pruned.keras")
    assert (smaller.get_layer("conv1").filters, smaller.get_layer("conv2").filters) == (8, 4)


@pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer")  # Keras says it of the original too
def test_compile_settings_are_kept(folder):
    model = small_cnn()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model.save("compiled.keras")
    assert run("prune", "compiled.keras").exit_code == 0
    assert keras.models.load_model("pruned.keras").optimizer.name == "adam"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--ratio", 1], "from 0 to below 1"),
        (["--min-keep", 2], "--min-keep must be the share"),
        (["--round-to", 0], "--round-to must be a whole number"),
        (["--cap", "conv1"], "LAYER=SHARE with a share from 0 to 1, such as conv1=0.5. Received: 'conv1'"),
        (["--cap", "conv1=half"], "Received: 'conv1=half'"),
        (
            ["--cap", "conv1=3"],
            "The cap of 'conv1' must be the share of a layer's filters that may go, from 0 to 1. Received: 3.0",
        ),
        (["--cap", "conf1=0.5"], "Did you mean 'conv1'?"),
        (["--cap", "conv1=0.5", "--cap", "conv1=0.6"], "given twice for layer 'conv1'"),
        (["--criterion", "l3"], "Did you mean"),
        (["--criterion", "fire"], "run firekeras measure first"),
        (["--scores", "none.fire.h5"], "There is no file none.fire.h5"),
        (["--plan", "none.json"], "There is no file none.json"),
        (["--plan", "."], "is a folder"),
        (["--plan", "model.keras"], "is not a pruning plan"),
        (["--scores", "a.fire.h5", "--criterion", "l1"], "Received: --scores and --criterion"),
        (["--plan", "plan.json", "--min-keep", 0.2], "--min-keep cannot change it"),
        (["--output", "model.keras"], "never overwritten"),
        (["--output", "../{folder}/model.keras"], "never overwritten"),
        (["--output", "pruned.h5"], "ends in .keras"),
        (["--output", "nowhere/pruned.keras"], "there is no folder nowhere"),
        (["--save-plan", "plan.txt"], "ends in .json"),
    ],
)
def test_prune_refuses(folder, options, words):
    options = [str(option).replace("{folder}", folder.name) for option in options]
    assert words in refused("prune", "model.keras", *options)
    assert names(folder) == {"model.keras"}


def test_a_cut_of_nothing_is_not_written(folder):
    assert "no filter goes" in refused("prune", "model.keras", "--ratio", 0, code=1)
    assert names(folder) == {"model.keras"}


def test_a_link_to_the_model_is_not_overwritten(folder):
    (folder / "link.keras").symlink_to(folder / "model.keras")
    assert "never overwritten" in refused("prune", "model.keras", "--output", "link.keras")


def test_an_output_that_is_a_folder_is_refused(folder):
    (folder / "out.keras").mkdir()
    assert "is a folder" in refused("prune", "model.keras", "--output", "out.keras")


# model files


def test_a_missing_file_names_the_nearest(folder):
    assert "Did you mean 'model.keras'?" in refused("prune", "modl.keras")


def test_a_folder_is_refused(folder):
    assert "is a folder. Expected a file NAME.keras" in refused("prune", folder)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("old.h5", "legacy HDF5"),
        ("m.weights.h5", "load_weights('m.weights.h5')"),
        ("model.onnx", "NAME.keras. Received: model.onnx"),
        ("junk.keras", "truncated"),
    ],
)
def test_files_of_other_formats_are_refused(folder, name, words):
    (folder / name).write_bytes(b"something else")
    assert words in refused("prune", name)


def test_an_archive_without_a_model_is_refused(folder):
    with zipfile.ZipFile("empty.keras", "w") as archive:
        archive.writestr("config.json", "[]")
    assert "empty.keras cannot be loaded" in refused("prune", "empty.keras")


def test_a_model_cut_short_is_refused(folder):
    whole = (folder / "model.keras").read_bytes()
    (folder / "short.keras").write_bytes(whole[: len(whole) // 2])
    assert "truncated" in refused("prune", "short.keras")


def saved_with(layer, path):
    image = keras.Input((8, 8, 1))
    keras.Model(image, layer(keras.layers.Conv2D(2, 3, name="conv1")(image))).save(path)


def test_python_code_in_a_model_is_named_and_never_run(folder):
    saved_with(keras.layers.Lambda(lambda x: x * 2, name="twice"), "lambda.keras")
    said = refused("prune", "lambda.keras")
    assert "layer 'twice' holds a Python lambda" in said
    assert "Use Keras layers or keras.ops instead" in said
    assert "safe_mode=False" not in said


class Doubling(keras.layers.Layer):
    def call(self, x):
        return x * 2


def test_a_layer_class_of_others_is_named(folder):
    saved_with(Doubling(name="twice"), "custom.keras")
    said = refused("prune", "custom.keras")
    assert "layer 'twice' needs the class 'Doubling'" in said
    assert "load the model there" in said


class Subclassed(keras.Model):
    def call(self, x):
        return x


def test_a_model_class_of_others_is_named(folder):
    model = Subclassed()
    model(np.zeros((1, 8, 8, 1)))
    model.save("subclassed.keras")
    assert "a custom class, 'Subclassed'" in refused("prune", "subclassed.keras")


def strange_loss(y, prediction):
    return keras.ops.mean(prediction)


def test_a_loss_of_others_is_named(folder):
    model = small_cnn()
    model.compile("sgd", strange_loss)
    model.save("strange.keras")
    assert "compiled with 'strange_loss'" in refused("prune", "strange.keras")


def test_nan_weights_are_refused(folder):
    model = small_cnn()
    model.get_layer("conv1").bias.assign([float("nan")] * 8)
    model.save("diverged.keras")
    assert "layer 'conv1' holds NaN" in refused("prune", "diverged.keras")


# compress

QUICK = ("--data", "digits", "--limit", 64, "--max-rounds", 1, "--ratio", 0.3, "--epochs", 1)


def test_compress_shows_rounds_and_writes_the_model(folder):
    result = run("compress", "model.keras", *QUICK, "--tolerance", "inf", "--cap", "conv1=0.125")
    assert result.exit_code == 0, result.output
    assert "Round  1 kept" in result.output
    assert "--max-rounds 1 is reached" in result.output
    for row in (
        "accuracy on 64 test images",
        "conv MACs",
        "parameters",
        "file, without",
        "measured latency, batch of 1",
    ):
        assert row in result.output
    smaller = keras.models.load_model("pruned.keras")
    assert smaller.get_layer("conv1").filters + smaller.get_layer("conv2").filters == 11
    assert smaller.get_layer("conv1").filters >= 7
    assert smaller.predict(np.zeros((2, 8, 8, 1)), verbose=0).shape == (2, 10)
    assert "within the tolerance of inf. Epochs: 1; rounds: 1." in result.output


@pytest.mark.parametrize("measure", ["conv_macs", "macs", "params"])
def test_a_target_is_reached_within_the_epochs(folder, measure):
    option = f"--{measure.replace('_', '-')}"
    arguments = ("--data", "digits", "--limit", 64, option, 0.5, "--epochs", 3, "--tolerance", 0)
    result = run("compress", "model.keras", *arguments, "--events")
    assert result.exit_code == 0, result.output
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert sum(event["epochs"] for event in events if event["event"] == "round") == 3
    before, after = (firekeras.count_costs(keras.models.load_model(f"{n}.keras")) for n in ("model", "pruned"))
    assert getattr(after, measure) <= 0.5 * getattr(before, measure)


def test_a_target_that_is_reached_already_is_no_error(folder):
    result = run("compress", "model.keras", "--data", "digits", "--limit", 64, "--macs", 1, "--epochs", 1)
    assert result.exit_code == 0, result.output
    found = firekeras.count_costs(keras.models.load_model("pruned.keras", compile=False))
    assert found.by_layer == firekeras.count_costs(small_cnn()).by_layer


def test_epochs_without_a_limit_leave_the_end_to_the_rounds(folder):
    arguments = ("--data", "digits", "--limit", 64, "--epochs", "none", "--ratio", 0.3, "--macs", 0.6)
    result = run("compress", "model.keras", *arguments, "--tolerance", "inf")
    assert result.exit_code == 0, result.output
    assert "The target of 60% of the MACs is reached." in result.output


def test_the_seed_decides_everything(folder):
    for name in ("a.keras", "b.keras"):
        arguments = ("--tolerance", "inf", "--seed", 5, "--output", name, "--mode", "measured")
        assert run("compress", "model.keras", *QUICK, *arguments).exit_code == 0
    a, b = (keras.models.load_model(name).get_weights() for name in ("a.keras", "b.keras"))
    for one, other in zip(a, b, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_compiled_model_keeps_its_optimizer(folder):
    model = small_cnn()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model.save("compiled.keras")
    assert run("compress", "compiled.keras", *QUICK, "--tolerance", "inf").exit_code == 0
    assert keras.models.load_model("pruned.keras").optimizer.name == "adam"
    assert run("compress", "compiled.keras", *QUICK, "--tolerance", "inf", "--learning-rate", 0.1).exit_code == 0
    optimizer = keras.models.load_model("pruned.keras").optimizer
    assert (optimizer.name, float(optimizer.learning_rate)) == ("adam", pytest.approx(0.001))  # as it was compiled


def test_a_run_without_an_accepted_round_writes_nothing(folder, monkeypatch):
    values = iter([0.9])  # the baseline of a network without statistics; all that is cut is worse
    monkeypatch.setattr("firekeras.rounds.evaluation.Evaluation.measured", lambda self, model: next(values, 0.1))
    result = run("compress", "model.keras", *QUICK)
    assert result.exit_code == 1
    assert "Round  1 undone" in result.stdout
    assert "Nothing was removed, and pruned.keras is not written. --max-rounds 1 is reached" in result.stderr
    assert "Allow more: --tolerance, or --epochs." in result.stderr
    assert names(folder) == {"model.keras"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--tolerance", -1], "tolerance must be how far the metric may fall"),
        (["--epochs", "few"], "--epochs must be a whole number, at least 0, or none. Received: few."),
        (["--epochs", -1], "--epochs must be a whole number, at least 0, or none. Received: -1."),
        (["--schedule", "linear"], "--schedule must be one of 'cosine', 'constant'"),
        (["--max-cut", 2], "--max-cut must be a share, above 0, up to 1"),
        (["--method", "fires"], "Did you mean 'fire'?"),
        (["--mode", "guessed"], "mode must be one of"),
        (["--monitor", "precision"], "no metric 'precision'"),
        (["--validation-share", 1], "above 0 and below 1"),
        (["--learning-rate", 0], "--learning-rate must be a number, above 0"),
        (["--cap", "conf1=0.5"], "Did you mean 'conv1'?"),
        (["--output", "model.keras"], "never overwritten"),
    ],
)
def test_compress_refuses(folder, options, words):
    assert words in refused("compress", "model.keras", *QUICK, *options)
    assert names(folder) == {"model.keras"}


def npz_with_labels(path, highest):
    x, y = np.zeros((20, 8, 8, 1), "float32"), np.arange(20) % (highest + 1)
    np.savez(path, x_train=x, y_train=y, x_test=x, y_test=y)


def test_too_many_classes_are_refused(folder):
    npz_with_labels("labels.npz", 12)
    said = refused("compress", "model.keras", "--data", "labels.npz")
    assert "classes up to 12, counted from 0, but the model has only 10" in said


def test_models_that_give_no_class_scores_are_refused(folder):
    image = keras.Input((8, 8, 1))
    keras.Model(image, keras.layers.Conv2D(2, 3)(image)).save("dense_map.keras")
    assert "one output of class scores" in refused("compress", "dense_map.keras", *QUICK)


@pytest.mark.parametrize("loss", [None, "binary_crossentropy"])
def test_one_score_of_two_classes_is_trained_and_judged(folder, loss):
    image = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(6, 3, activation="relu")(image)
    x = keras.layers.Dense(1, activation="sigmoid")(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(image, x)
    if loss:
        model.compile("sgd", loss, metrics=["accuracy"])
    model.save("two.keras")
    npz_with_labels("two.npz", 1)
    data = ("--data", "two.npz", "--scale", 1)
    result = run("compress", "two.keras", *QUICK, *data, "--tolerance", "inf", "--output", "less.keras")
    assert result.exit_code == 0, result.output
    assert "accuracy" in result.output and has_binary_loss(keras.models.load_model("less.keras").loss)
    npz_with_labels("three.npz", 2)
    assert "classes up to 2, counted from 0, but the model has only 2" in refused(
        "compress", "two.keras", "--data", "three.npz"
    )


def test_one_number_is_no_class(folder):
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])
    model.save("number.keras")
    npz_with_labels("two.npz", 1)
    assert "(batch, 1) with a binary crossentropy" in refused("compress", "number.keras", "--data", "two.npz")


def test_a_network_for_one_hot_labels_stays_one(folder):
    model = small_cnn("softmax")
    smoothed = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    model.compile("sgd", smoothed, metrics=["accuracy", keras.metrics.TopKCategoricalAccuracy(2, name="top2")])
    model.save("one_hot.keras")
    done = run("compress", "one_hot.keras", *QUICK, "--tolerance", "inf", "--learning-rate", 0.02, "--scale", 1)
    assert done.exit_code == 0, done.output
    compressed, digits = keras.models.load_model("pruned.keras"), load_dataset("digits", limit=64)
    assert compressed.loss.get_config()["label_smoothing"] == 0.1
    assert float(compressed.optimizer.learning_rate) == pytest.approx(0.01)  # its own again, after the run's 0.02
    rows = keras.utils.to_categorical(digits.y_test, 10)
    found = compressed.evaluate(digits.x_test, rows, verbose=0, return_dict=True)
    assert f"{found['accuracy']:.4g}" in done.output
    assert found["top2"] >= found["accuracy"]


def test_a_model_that_is_not_compiled_trains_by_sgd_and_a_note_says_so(folder):
    model = small_cnn("softmax")
    model.compile(keras.optimizers.Adam(1e-4), "categorical_crossentropy", metrics=["accuracy"])
    assert prepare(model, None) == "" and loss_name(model.loss) == "categorical_crossentropy"
    small_cnn().save("plain.keras")
    done = run("compress", "plain.keras", *QUICK, "--tolerance", "inf")
    assert "The model was not compiled: it trains by SGD with a momentum of 0.9 and a rate of 0.01." in done.output


@pytest.mark.parametrize(
    ("loss", "one_hot"),
    [
        *(("sparse_categorical_crossentropy", False), ("categorical_crossentropy", True)),
        *((keras.losses.CategoricalFocalCrossentropy(), True), ("kl_divergence", True)),
        *(("binary_crossentropy", True), ("mse", True), (None, False)),
    ],
)
def test_labels_are_as_the_loss_takes_them(loss, one_hot):
    model = small_cnn("softmax")
    if loss:
        model.compile("sgd", loss)
    classes = np.array([3, 0, 9])
    labels = labels_for(model, classes)
    np.testing.assert_array_equal(labels, np.eye(10, dtype="float32")[classes] if one_hot else classes)


@pytest.mark.parametrize("activation", [None, "linear", "softmax", "sigmoid"])
def test_logits_are_distinguished_from_probabilities(activation):
    assert gives_logits(small_cnn(activation)) == (activation in (None, "linear"))


def test_logits_are_recognised_by_layers_too():
    image = keras.Input((8, 8, 1))
    assert not gives_logits(keras.Model(image, keras.layers.Softmax()(small_cnn()(image))))
    assert not gives_logits(keras.Model(image, keras.layers.Activation("softmax")(small_cnn()(image))))
    assert not gives_logits(keras.Model(image, small_cnn("softmax")(image)))
    assert gives_logits(keras.Model(image, small_cnn()(image)))


def test_caps_are_split_at_the_last_sign():
    assert parsed_caps(["backbone/conv1=0.5", "a=b=1"]) == {"backbone/conv1": 0.5, "a=b": 1.0}
    assert parsed_caps(None) == {}


# demo


@pytest.mark.compiled
@pytest.mark.tensorflow  # what others train is trained by the tests of compress
def test_the_demo_compresses_within_a_tiny_budget(folder):
    result = run("demo", "--first-epochs", 1, "--epochs", 2, "--conv-macs", 0.4)
    assert result.exit_code == 0, result.output
    assert "accuracy on 359 test images" in result.output
    assert keras.models.load_model("pruned.keras").output_shape == (None, 10)


def test_the_demo_checks_its_output_first(folder):
    assert "there is no folder nowhere" in refused("demo", "--output", "nowhere/pruned.keras")


def test_control_characters_of_names_do_not_reach_the_terminal(folder):
    said = refused("prune", "\x1b[2J\x1b]0;mine\x07.keras")
    assert "There is no file" in said and "\x1b" not in said and "\x07" not in said
