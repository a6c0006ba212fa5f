"""Exported files compute what the model does, or do not appear; int8 keeps accuracy; refusals come before work."""

import importlib.util

import keras
import networks
import numpy as np
import pytest
from keras import layers as L
from trained_digits import accuracy
from typer.testing import CliRunner

import firekeras
from firekeras.cli import app
from firekeras.export import exporting
from firekeras.export.formats import Format, format_named
from firekeras.export.running import open_runtime
from firekeras.export.running import run as run_file

pytestmark = pytest.mark.usefixtures("uncompiled")

FORMATS = [("litert", "net.tflite"), ("onnx", "net.onnx"), ("saved-model", "net")]


def with_constants():
    """A network with Normalization, whose constants tf2onnx used to take for inputs."""
    image = keras.Input((8, 8, 3), name="image")
    x = L.Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0, 5.0, 6.0], name="normalize")(L.Rescaling(0.5)(image))
    x = networks.conv_bn_relu(x, 6, "conv1")
    x = L.GlobalAveragePooling2D()(keras.ops.pad(x, [[0, 0], [0, 0], [0, 0], [1, 2]]))
    return keras.Model(image, L.Dense(4, name="logits")(x))


@pytest.mark.compiled
@pytest.mark.parametrize(("to", "name"), FORMATS)
@pytest.mark.parametrize("network", [networks.residual, networks.twin_towers, with_constants])
def test_the_file_gives_what_the_model_gives(network, to, name, tmp_path):
    model = networks.scramble(network())
    x = networks.samples(model, 40)
    done = firekeras.export_model(model, tmp_path / name, to=to, samples=x)
    assert (done.to, done.int8, done.samples) == (to, False, 32)
    assert done.difference.largest < 1e-5 and done.size == exporting.size_of(tmp_path / name) > 1000
    runtime = open_runtime(tmp_path / name)
    by_name = dict(zip([t.name for t in model.inputs], keras.tree.flatten(x), strict=True))
    given = run_file(runtime, [by_name[one.name] for one in runtime.inputs], batch_size=7)
    assert np.abs(given[0] - networks.predictions(model, x)).max() < 1e-4
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_pruned_network_is_exported_and_smaller(digits, tmp_path):
    model, data = digits
    plan = firekeras.plan_pruning(model, firekeras.score_filters(model, "l1"), target={"macs": 0.5})
    sizes = []
    for k, network in enumerate((model, firekeras.prune(model, plan))):
        path, costs = tmp_path / f"{k}.tflite", firekeras.count_costs(network)
        sizes.append(firekeras.export_model(network, path, samples=data.x_test).size)
        assert costs.flash_float32 == pytest.approx(sizes[k], rel=0.02)
        assert costs.ram_float32 == format_named("litert").costs(path).ram
    kept = plan.costs_after.params / plan.costs_before.params
    assert sizes[1] / sizes[0] == pytest.approx(kept, abs=0.05)


def test_int8_inputs_are_counted_and_compared_as_floats(tmp_path):
    model, path = networks.scramble(networks.two_convs()), tmp_path / "net.tflite"
    samples = networks.samples(model, 8)
    with pytest.raises(ValueError, match="int8_inputs=True is for int8=True"):
        firekeras.export_model(model, path, samples=samples, int8_inputs=True)
    done = firekeras.export_model(model, path, samples=samples, int8=True, int8_inputs=True, tolerance=1)
    costs = firekeras.count_costs(model)
    assert done.difference.rms < 0.2 and costs.flash == pytest.approx(done.size, rel=0.05)
    assert format_named("litert").costs(path).ram == costs.ram
    assert open_runtime(path).inputs[0].dtype == "float32"


def test_a_format_is_also_named_by_its_ending():
    assert format_named("tflite") is format_named(".tflite") is format_named("litert")


def test_without_samples_it_is_compared_on_random_ones(tmp_path):
    done = firekeras.export_model(networks.scramble(networks.two_convs()), tmp_path / "net.tflite")
    assert done.samples == 32 and done.difference.largest < 1e-5


# Nothing is left of what fails


@pytest.mark.parametrize(("to", "name"), FORMATS)
def test_a_file_that_computes_something_else_never_appears(to, name, tmp_path, monkeypatch):
    model = networks.scramble(networks.two_convs())
    wrong = networks.scramble(networks.two_convs(), seed=5)
    networks.predictions(wrong, networks.samples(wrong))
    write = Format.write
    monkeypatch.setattr(Format, "write", lambda self, model, path, **settings: write(self, wrong, path, **settings))
    with pytest.raises(ValueError, match=r"not written: .* differ from the model's.* 0\.0001 is allowed"):
        firekeras.export_model(model, tmp_path / name, to=to)
    assert list(tmp_path.iterdir()) == []


def test_an_older_file_stays_where_the_new_one_fails(tmp_path):
    path = tmp_path / "net.tflite"
    path.write_bytes(b"older")
    model = networks.scramble(networks.two_convs())
    with pytest.raises(ValueError, match="not written"):
        firekeras.export_model(model, path, tolerance=0.0)
    assert path.read_bytes() == b"older" and list(tmp_path.iterdir()) == [path]


def test_outputs_that_are_not_numbers_are_refused(tmp_path):
    image = keras.Input((4, 4, 1))
    model = keras.Model(image, L.GlobalAveragePooling2D()(L.Conv2D(2, 1, name="conv")(image)))
    model.get_layer("conv").set_weights([np.full((1, 1, 1, 2), np.nan), np.zeros(2)])
    with pytest.raises(ValueError, match="differ from the model's by nan"):
        firekeras.export_model(model, tmp_path / "net.tflite")
    assert list(tmp_path.iterdir()) == []


def test_what_keras_cannot_export_is_said_and_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="Keras could not export the model 'dicts' to 'litert'"):
        firekeras.export_model(networks.dict_in_dict_out(), tmp_path / "net.tflite")
    assert list(tmp_path.iterdir()) == []


# int8


def test_int8_keeps_accuracy_quarters_the_file_and_computes_in_whole_numbers_throughout(digits, tmp_path, capfd):
    model, data = digits
    capfd.readouterr()
    whole = firekeras.export_model(model, tmp_path / "float.tflite", samples=data.x_train)
    small = firekeras.export_model(model, tmp_path / "int8.tflite", samples=data.x_train, int8=True)
    assert small.int8 and 1e-4 < small.difference.rms < 0.05
    assert small.size < 0.35 * whole.size
    assert accuracy(small.path, data) >= accuracy(whole.path, data) - 0.01 > 0.95
    assert len(open_runtime(whole.path).floating_layers()) == 5
    assert open_runtime(small.path).floating_layers() == []
    assert capfd.readouterr() == ("", "")  # neither what the converter says nor what the runtime does


def test_int8_that_loses_too_much_is_refused(digits, tmp_path):
    model, data = digits
    with pytest.raises(ValueError, match=r"by root mean squares\), and 0.001 is allowed.*quantize_aware"):
        firekeras.export_model(model, tmp_path / "x.tflite", samples=data.x_train, int8=True, tolerance=0.001)
    assert list(tmp_path.iterdir()) == []


# Refusals before any work


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"to": "tflit"}, r"format 'tflit'. Expected one of \['litert', 'onnx'.* Did you mean 'tflite'"),
        ({"path": "net.onnx"}, r"A file for 'litert' ends in .tflite. Received: .*net.onnx"),
        ({"path": "nowhere/net.tflite"}, "there is no folder .*nowhere"),
        ({"path": "here", "to": "saved-model"}, "exists already"),
        ({"int8": True}, "int8 needs `samples`"),
        (
            {"int8": True, "samples": np.zeros((4, 8, 8, 3)), "to": "onnx", "path": "net.onnx"},
            "int8 is for to='litert'",
        ),
        ({"samples": np.zeros((4, 8, 8, 1))}, r"of shapes \[\(None, 8, 8, 3\)\].*Received: \[\(4, 8, 8, 1\)\]"),
        ({"samples": (np.zeros((4, 8, 8, 3)), np.zeros(4))}, "without labels"),
        ({"samples": np.zeros((0, 8, 8, 3))}, "Received"),
    ],
)
def test_refused_before_any_work(settings, words, tmp_path, monkeypatch):
    monkeypatch.setattr(Format, "write", lambda *_, **__: pytest.fail("work began"))
    (tmp_path / "here").mkdir()
    settings = dict(settings)
    path = tmp_path / settings.pop("path", "net.tflite")
    with pytest.raises(ValueError, match=words):
        firekeras.export_model(networks.two_convs(), path, **settings)


def test_a_missing_package_is_named_with_the_command(tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ai_edge_litert" else find(name))
    with pytest.raises(ImportError, match=r"needs ai_edge_litert: pip install \"firekeras\[deployment\]\""):
        firekeras.export_model(networks.two_convs(), tmp_path / "net.tflite")


EXPORTS = {"tensorflow": ["litert", "onnx", "saved-model"], "jax": ["saved-model"], "torch": ["onnx"]}


@pytest.mark.compiled
@pytest.mark.every_backend
@pytest.mark.parametrize(("to", "name"), [("litert", "net.tflite"), ("onnx", "net.onnx"), ("saved-model", "net")])
def test_a_backend_exports_what_it_can_and_refuses_the_rest(tmp_path, to, name):
    model = networks.scramble(networks.two_convs())
    if to in EXPORTS[keras.backend.backend()]:
        assert firekeras.export_model(model, tmp_path / name, to=to).difference.largest < 1e-4
        return
    with pytest.raises((ValueError, ImportError), match="KERAS_BACKEND=tensorflow"):
        firekeras.export_model(model, tmp_path / name, to=to)
    assert not (tmp_path / name).exists()


# The command line


def test_the_command_writes_the_file_and_says_how_close_it_is(digits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    digits[0].save("net.keras")
    done = CliRunner().invoke(app, ["export", "net.keras", "--int8", "--data", "digits"])
    assert done.exit_code == 0, done.output
    assert "Run on 32 images" in done.output and "Written: net_int8.tflite" in done.output
    assert accuracy(tmp_path / "net_int8.tflite", digits[1]) > 0.95


def test_the_command_refuses_bad_arguments(digits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    digits[0].save("net.keras")
    for arguments, words in (
        (["--to", "tf"], "Unknown export format 'tf'"),
        (["--int8"], "--int8 is for --to litert, and needs --data"),
        (["--epochs", "2"], "--epochs is for --int8 with --data"),
        (["--to", "litert", "--output", "net.onnx"], "contradict each other"),
    ):
        done = CliRunner().invoke(app, ["export", "net.keras", *arguments])
        assert done.exit_code == 2 and words in done.output
    assert [p.name for p in tmp_path.iterdir()] == ["net.keras"]
