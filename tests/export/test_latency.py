"""Latency of models and of exported files, stages side by side, widths: plausible numbers, and refusals."""

import json
import os
import signal
import sys
import tempfile

import keras
import networks
import numpy as np
import pytest
from keras import layers as L
from typer.testing import CliRunner

import firekeras
from firekeras.__main__ import main
from firekeras.cli import app
from firekeras.export import latency as clock
from firekeras.export.formats import FORMATS
from firekeras.export.formats.format import Input
from firekeras.export.latency import layer_latency, measure_latencies, measure_latency
from firekeras.export.side_by_side import measure_stages
from firekeras.export.widths import chain_macs, latency_of_widths, suitable_round_to


def wide(filters):
    image = keras.Input((32, 32, 8), name="image")
    normal = {"bias_initializer": "normal"}  # an exporter leaves out zeros, and constants that are equal
    x = L.Conv2D(filters, 3, padding="same", activation="relu", name="first", **normal)(image)
    x = L.Conv2D(filters, 3, padding="same", activation="relu", name="second", **normal)(x)
    scores = L.Dense(4, name="logits", **normal)(L.GlobalAveragePooling2D()(x))
    return keras.Model(image, scores, name=f"wide{filters}")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A wide and a narrow network, each in every format."""
    folder = tmp_path_factory.mktemp("latency")
    for name, filters in (("wide", 96), ("narrow", 8)):
        model = wide(filters)
        model.save(folder / f"{name}.keras")
        firekeras.export_model(model, folder / f"{name}.tflite")
        firekeras.export_model(model, folder / f"{name}.onnx", to="onnx")
    firekeras.export_model(wide(8), folder / "narrow", to="saved-model")
    return folder


@pytest.mark.parametrize(("ending", "name"), [("tflite", "LiteRT"), ("onnx", "ONNX Runtime")])
def test_fewer_macs_take_less_time_and_more_samples_more(files, ending, name):
    slow, fast = measure_latencies([files / f"wide.{ending}", files / f"narrow.{ending}"], runs=10, threads=1)
    assert (slow.runtime, slow.threads, slow.batch_size) == (name, 1, 1)
    assert fast.fastest <= fast.median and slow.fastest > 3 * fast.fastest  # over 70 times the MACs
    assert measure_latency(files / f"wide.{ending}", batch_size=8, runs=5).fastest > 3 * slow.fastest


def test_keras_models_keras_files_and_saved_models_are_measured(files):
    of_model = measure_latency(networks.two_convs(), batch_size=2, runs=3)
    assert of_model.runtime == f"Keras ({keras.backend.backend()})" and of_model.batch_size == 2
    assert of_model.threads is None and 0 < of_model.fastest <= of_model.median < 10
    assert measure_latency(files / "narrow.keras", runs=3).runtime == of_model.runtime
    assert measure_latency(files / "narrow", runs=3).runtime == "TensorFlow"


def test_warm_up_is_not_timed_and_the_median_is(monkeypatch):
    class Fake:
        name, threads, inputs = "fake", 3, [Input("x", (None, 2), np.dtype("float32"))]
        passes = 0

        def prepare(self, arrays):
            assert arrays[0].shape == (4, 2)

        def invoke(self):
            self.passes += 1

    fake, ticks = Fake(), iter(np.cumsum([0, 5, 1, 1, 1, 2, 1, 3, 1, 100]))
    monkeypatch.setattr(clock, "open_runtime", lambda *_, **__: fake)
    monkeypatch.setattr(clock.time, "perf_counter", lambda: next(ticks))
    found = measure_latency("x", batch_size=4, runs=5)
    assert fake.passes == 2 + 5
    assert (found.median, found.fastest, found.runtime, found.threads) == (3.0, 1.0, "fake", 3)
    assert found.spread == (5 - 2) / 2


def test_onnx_runtime_times_layers(files):
    seconds = layer_latency(files / "wide.onnx", runs=5)
    names = " ".join(seconds)
    assert "first" in names and "second" in names and all(value >= 0 for value in seconds.values())
    assert max(seconds, key=seconds.get).find("second") >= 0  # twelve times the MACs of the first
    assert sum(seconds.values()) < 10 * measure_latency(files / "wide.onnx", runs=5).median


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda f: layer_latency(f / "wide.tflite"), "Only ONNX Runtime measures single layers"),
        (lambda f: measure_latency(f / "wide.keras", threads=2), "Keras fixes its threads when it starts"),
        (lambda f: measure_latency(f / "wide.tflite", threads=0), "threads must be a whole number, at least 1"),
        (lambda f: measure_latency(f / "wide.tflite", runs=0), "runs must be a whole number, at least 1"),
        (lambda f: measure_latency(f / "nothing.tflite"), "There is no file"),
        (
            lambda f: measure_latency(__file__),
            "Expected a .keras file, a .tflite file, an .onnx file or the folder of a SavedModel",
        ),
        (lambda f: latency_of_widths([8, 0]), "Each of widths must be a whole number, at least 1. Received: 0"),
        (lambda f: latency_of_widths([8], to="saved-model"), "to must be one of 'litert', 'onnx'"),
        (lambda f: measure_stages([f / "wide.keras", f / "gone.keras"]), "There is no file .*gone.keras"),
    ],
)
def test_refusals(files, call, words):
    with pytest.raises(ValueError, match=words):
        call(files)


def test_custom_operations_of_litert_run_only_if_trusted():
    from firekeras.export.formats.litert import LiteRTRuntime

    class Fake:
        def _get_ops_details(self):
            return [{"op_name": name} for name in self.names]

    runtime = LiteRTRuntime.__new__(LiteRTRuntime)
    fake, runtime._path = Fake(), "net.tflite"
    runtime._interpreter = fake
    fake.names = ["CONV_2D", "TFLite_Detection_PostProcess"]
    assert runtime.why_untrusted() is None
    fake.names = ["CONV_2D", "FlexReadFile"]
    assert "custom operation 'FlexReadFile'" in runtime.why_untrusted()


def test_damaged_files_are_refused(tmp_path):
    for name in ("net.tflite", "net.onnx"):
        (tmp_path / name).write_bytes(b"not a network")
        with pytest.raises(ValueError, match=rf"{name} is not an? "):
            measure_latency(tmp_path / name)
    os.mkfifo(tmp_path / "pipe.tflite")
    with pytest.raises(ValueError, match=r"pipe.tflite is a pipe or a device"):
        measure_latency(tmp_path / "pipe.tflite")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="is not a SavedModel"):
        measure_latency(tmp_path / "empty")


def test_stages_stand_side_by_side(files):
    x = np.random.default_rng(0).uniform(size=(40, 32, 32, 8)).astype("float32")
    paths = [files / "wide.keras", files / "wide.tflite", files / "wide.onnx"]
    y = networks.predictions(keras.models.load_model(paths[0]), x)[0].argmax(axis=1)
    y[:4] = (y[:4] + 1) % 4
    stages = measure_stages(paths, (x, y), runs=3)
    assert [stage.accuracy for stage in stages] == [0.9, 0.9, 0.9]
    params = 9 * 96 * (8 + 96) + 96 + 96 + 4 * 96 + 4
    for stage in stages:  # no normalisation: nothing is folded
        costs = stage.costs
        assert (costs.conv_macs, costs.macs) == (32 * 32 * 9 * 96 * (8 + 96), costs.conv_macs + 4 * 96), stage.path
        assert costs.params == params
    model, *files_of_others = [path.stat().st_size for path in paths]
    assert [stage.size for stage in stages] == [pytest.approx(model, rel=1e-3), *files_of_others]


def test_the_commands_show_tables(files):
    paths = [str(files / name) for name in ("wide.keras", "wide.onnx")]
    done = CliRunner().invoke(app, ["report", *paths, "--runs", "3", "--layers"], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    assert "ONNX Runtime" in done.output and "Time by layer of wide.onnx" in done.output and "second" in done.output
    done = CliRunner().invoke(app, ["report", str(files / "gone.keras")])
    assert done.exit_code == 2 and "There is no file or folder" in done.output
    done = CliRunner().invoke(app, ["report", *paths, "--html", "x.html"])
    assert done.exit_code == 2 and "--html is for the folder of a run" in done.output


@pytest.mark.parametrize(
    "network",
    [networks.mobile, networks.transposed, networks.one_dimensional, networks.siamese, networks.three_dimensional],
)
def test_the_macs_of_a_file_are_those_of_the_model(network, tmp_path):
    model = network()
    costs = firekeras.count_costs(model)
    for to, name in (("litert", "net.tflite"), ("onnx", "net.onnx")):
        FORMATS[to].write(model, tmp_path / name)
        found = FORMATS[to].costs(tmp_path / name)
        assert (found.conv_macs, found.macs) == (costs.conv_macs, costs.macs), to


def test_grouped_convolutions_and_int8_are_counted(tmp_path):
    model = networks.grouped()
    samples = np.random.default_rng(0).uniform(size=(8, *model.input_shape[1:])).astype("float32")
    firekeras.export_model(model, tmp_path / "net.tflite", samples=samples, int8=True, tolerance=1.0)
    costs, found = firekeras.count_costs(model), FORMATS["litert"].costs(tmp_path / "net.tflite")
    assert (found.conv_macs, found.macs) == (costs.conv_macs, costs.macs)


def test_progress_and_costs_of_files_are_events_for_programs(files):
    paths = [str(files / name) for name in ("wide.keras", "narrow.onnx")]
    done = CliRunner().invoke(app, ["report", *paths, "--runs", "7", "--events"])
    assert done.exit_code == 0, done.output
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["done"], one["total"]) for one in events[:-2]] == [(5, 14), (10, 14), (12, 14), (14, 14)]
    keras_file, onnx_file = events[-2:]
    assert [one["path"] for one in events[-2:]] == paths and keras_file["event"] == "stage"
    assert keras_file["costs"]["macs"] == 32 * 32 * 9 * 96 * (8 + 96) + 96 * 4
    assert onnx_file["costs"]["macs"] == 32 * 32 * 9 * 8 * (8 + 8) + 8 * 4
    assert clock.Latency(**onnx_file["latency"]).runtime == "ONNX Runtime" and onnx_file["accuracy"] is None
    done = CliRunner().invoke(app, ["report", *paths, "--runs", "3", "--litert"], env={"COLUMNS": "200"})
    assert done.exit_code == 0 and done.output.count("LiteRT") == 1 and "ONNX Runtime" in done.output, done.output
    done = CliRunner().invoke(app, ["report", *paths, "--layers", "--events"])
    assert done.exit_code == 2 and "Leave out one of --events and --layers" in done.output


def test_one_keras_file_alone_is_reported(files):
    done = CliRunner().invoke(app, ["report", str(files / "narrow.keras"), "--runs", "3"])
    assert done.exit_code == 0 and "its own" in done.output, done.output


def test_reports_refuse_bad_arguments(files, tmp_path):
    cut_short = tmp_path / "net.onnx"
    cut_short.write_bytes((files / "wide.onnx").read_bytes()[:5000])
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    refused = {
        "is not an .onnx file, or is truncated": [cut_short],
        "which is shown by itself": [files / "narrow.tflite", tmp_path / "run"],
        "There is no file or folder": [tmp_path / "nothing"],
    }
    for words, paths in refused.items():
        done = CliRunner().invoke(app, ["report", *map(str, paths)])
        assert done.exit_code == 2 and words in done.output, done.output


def test_a_report_that_is_ended_leaves_no_temporary_file(files, tmp_path, monkeypatch):
    before = signal.getsignal(signal.SIGTERM)
    made = []

    def ended(*_):
        made.extend(tmp_path.rglob("*.tflite"))
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(clock, "_timed", ended)  # it is timing
    monkeypatch.setattr(sys, "argv", ["firekeras", "report", str(files / "narrow.keras"), "--litert", "--events"])
    try:
        with pytest.raises(SystemExit) as end:
            main()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert end.value.code == 128 + signal.SIGTERM and made and list(tmp_path.iterdir()) == []


def test_widths_are_measured_side_by_side():
    found = latency_of_widths([8, 64], runs=10)
    assert chain_macs(8) == 4 * 16 * 16 * 9 * 8 * 8
    assert list(found) == [8, 64] and found[64].fastest > 3 * found[8].fastest


# What LiteRT 2.3 took on an AVX-512 CPU, in microseconds, from a width of 16 on
FLOATS = (47, 99, 105, 110, 115, 121, 126, 132, 137, 142, 148, 153, 159, 164, 169, 175, 182)
INT8 = (14, 36, 36, 36, 36, 36, 36, 36, 37, 47, 47, 47, 47, 47, 47, 47, 47)


@pytest.mark.parametrize(
    ("seconds", "step"),
    [
        ({16 + k: time for k, time in enumerate(FLOATS)}, 16),
        ({16 + k: time for k, time in enumerate(INT8)}, 8),
        ({width: -(-width // 4) * 4 * width for width in range(16, 33)}, 4),
        ({width: -(-width // 2) * 2 * width for width in range(5, 9)}, 2),
        ({width: width**2 for width in range(16, 33)}, 1),
        ({24: 1.0}, 1),
    ],
)
def test_the_step_is_what_the_runtime_computes_at_a_time(seconds, step):
    measured = {width: clock.Latency(time, 0.0, 1, fastest=time) for width, time in seconds.items()}
    assert suitable_round_to(measured) == step
