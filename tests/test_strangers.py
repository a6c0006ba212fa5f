"""Strangers' files: whatever has become of a file, it is read or refused in one sentence, in bounded time and memory.

In CI each format gets a few examples, always the same. For a long search, with others each time:

    FIREKERAS_FUZZ=20000 pytest -n auto tests/test_strangers.py
"""

import contextlib
import io
import os
import resource
import sys
import time
import warnings
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from mutations import archive_of, bytes_of, hdf5_of, json_of, keras2_of, lines_of, sealed_again
from PIL import Image
from rich.console import Console

import firekeras
from firekeras.datasets import load_dataset
from firekeras.export.formats import format_of
from firekeras.export.running import open_runtime, random_samples, run
from firekeras.keras2.h5 import read_h5
from firekeras.keras_models.model_file import load_model
from firekeras.report.html_report import page
from firekeras.report.markup import to_html
from firekeras.report.run_report import RunReport, run_tables
from firekeras.rounds.run_directory import RunDirectory

FILES = Path(__file__).parent / "files"
EXAMPLES = int(os.environ.get("FIREKERAS_FUZZ", 0))
SECONDS, MEGABYTES = 2, 512  # for one small file
LONGEST = 600  # characters: a few lines of a terminal


def plan_from(path):
    profile = firekeras.FireProfile.load(path)
    plan = firekeras.plan_pruning(profile.graph, profile, pruning_ratio=0.3)
    assert all(((fire >= 0) & (fire <= 1) | (fire != fire)).all() for fire in profile.values())
    assert plan.costs_after.macs <= plan.costs_before.macs
    return plan.summary()


def predict_from(path):
    detector = firekeras.FireDetector.load(path)
    predicted = detector.evaluate(None, PROFILE)
    return repr((detector, predicted))


def explanations_from(path):
    plan = firekeras.PruningPlan.load(path)
    again = [plan.explain(name, k) for name, width in plan.widths.items() for k in range(width)]
    assert plan.costs_after.macs <= plan.costs_before.macs
    return plan.summary() + repr(plan) + "".join(again)


def times_from(path):
    table = firekeras.LatencyTable.load(path)
    with contextlib.suppress(ValueError):  # it can be read, and is of another network
        assert np.isfinite(table.predict(TIMED)) and table.predict(TIMED) >= 0
    return repr(table)


def report_from(path):
    """What the report of a run shows, and its page; the run's other file lies beside the damaged one."""
    for name in ("run.json", "events.jsonl"):
        if name != path.name:
            (path.parent / name).write_bytes((FILES / "run-2" / name).read_bytes())
    run = RunDirectory.open(path.parent)
    events = run.events()
    report = RunReport.of(run.settings, events)
    console = Console(file=io.StringIO(), width=80)
    console.print(*run_tables(report))
    run.ended(), run.changed(), run.leg_begins(), run.state()
    with contextlib.suppress(ValueError):  # its models are not there
        run.check_whole()
    return to_html(page(run.settings, report, None)) + console.file.getvalue()


def plan_for(path):
    """A plan for a network of a model file."""
    model = read_h5(path)[0] if path.suffix == ".h5" else load_model(path)
    try:
        return firekeras.plan_pruning(model, firekeras.score_filters(model, "l1"), pruning_ratio=0.3).summary()
    except ValueError as error:  # it can be read, and is no network to prune
        return str(error)


def images_from(path):
    data = load_dataset(path)
    assert len(data.x_train) == len(data.y_train) and len(data.x_test) == len(data.y_test)
    return repr(data.x_train.shape)


def images_beside(path):
    """Those of a folder with this image in one of two classes."""
    for name in ("cat", "dog"):
        (path.parent / name).mkdir(exist_ok=True)
        for k in range(5):
            (path.parent / name / f"{k}.png").write_bytes(PICTURE)
    (path.parent / "cat" / path.name).write_bytes(path.read_bytes())
    with contextlib.suppress(ValueError):
        load_dataset(path.parent, skip_unreadable=True)
    with relabelled(path.parent / "cat" / path.name, path):
        return images_from(path.parent)


@contextlib.contextmanager
def relabelled(name, path):
    """An error that names a copy of a file names the file."""
    try:
        yield
    except ValueError as error:
        raise type(error)(str(error).replace(str(name), str(path))) from error


def outputs_of(path):
    """Of an exported file, which is counted too; it may be whole and of sizes that nothing can be run at."""
    runtime = open_runtime(path)
    with contextlib.suppress(ValueError):
        assert format_of(path).costs(path).params >= 0
    return repr(run(runtime, random_samples(runtime.inputs, 1), batch_size=1))


PROFILE = firekeras.FireProfile.load(FILES / "profile-2.fire.h5")
DETECTOR = firekeras.FireDetector.load(FILES / "detector-2.h5")


TIMED = firekeras.channel_graph(
    keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.Conv2D(16, 3, name="conv"),
            keras.layers.Conv2D(32, 3, name="second"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2, name="out"),
        ]
    )
)
PLAN = firekeras.plan_pruning(PROFILE.graph, PROFILE, pruning_ratio=0.3)


def written(save, folder, name):
    save(folder / name)
    return (folder / name).read_bytes()


def picture():
    buffer = io.BytesIO()
    Image.fromarray(np.arange(48, dtype="uint8").reshape(4, 4, 3)).save(buffer, "PNG")
    return buffer.getvalue()


PICTURE = picture()


def network():
    """A small one with two branches, so its config has something to break."""
    layers = keras.layers
    x = inputs = keras.Input((4, 4, 2))
    x = layers.Conv2D(4, 3, padding="same", use_bias=False, name="conv")(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Add()([x, layers.DepthwiseConv2D(3, padding="same")(x)])
    model = keras.Model(inputs, layers.Dense(2, name="dense")(layers.GlobalAveragePooling2D()(x)))
    model.compile("adam", "mse")
    return model


def as_keras2(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras advises against the format
        network().save(path)


def arrays(path):
    x, y = np.zeros((4, 2, 2, 1), "uint8"), np.array([0, 1, 0, 1])
    np.savez_compressed(path, x_train=x, y_train=y, x_test=x, y_test=y)


@pytest.fixture(scope="module")
def wholes(tmp_path_factory):
    """A whole file of each format."""
    folder = tmp_path_factory.mktemp("wholes")
    model = network()
    return {
        "net.keras": written(model.save, folder, "net.keras"),
        "old.h5": written(as_keras2, folder, "old.h5"),
        "net.tflite": written(partial(firekeras.export_model, model), folder, "net.tflite"),
        "net.onnx": written(partial(firekeras.export_model, model, to="onnx"), folder, "net.onnx"),
        "data.npz": written(arrays, folder, "data.npz"),
        "image.png": PICTURE,
        "a.fire.h5": written(PROFILE.save, folder, "a.fire.h5"),
        "detector.h5": written(DETECTOR.save, folder, "detector.h5"),
        "plan.json": written(PLAN.save, folder, "plan.json"),
        "old.json": (FILES / "plan-1.json").read_bytes(),
        "old.fire.h5": (FILES / "profile-2.fire.h5").read_bytes(),
        "latency.json": (FILES / "latency-1.json").read_bytes(),
        "run.json": (FILES / "run-2" / "run.json").read_bytes(),
        "events.jsonl": (FILES / "run-2" / "events.jsonl").read_bytes(),
    }


READERS = {
    "net.keras": plan_for,
    "old.h5": plan_for,
    "net.tflite": outputs_of,
    "net.onnx": outputs_of,
    "data.npz": images_from,
    "image.png": images_beside,
    "a.fire.h5": plan_from,
    "old.fire.h5": plan_from,
    "detector.h5": predict_from,
    "plan.json": explanations_from,
    "old.json": explanations_from,
    "latency.json": times_from,
    "run.json": report_from,
    "events.jsonl": report_from,
}
DAMAGE = [
    ("net.keras", bytes_of, 15),
    ("net.keras", archive_of, 15),
    ("old.h5", bytes_of, 10),
    ("old.h5", keras2_of, 10),
    ("net.tflite", bytes_of, 40),
    ("net.onnx", bytes_of, 40),
    ("data.npz", bytes_of, 50),
    ("data.npz", archive_of, 50),
    ("image.png", bytes_of, 30),
    ("a.fire.h5", bytes_of, 30),
    ("a.fire.h5", sealed_again, 60),
    ("a.fire.h5", hdf5_of, 60),
    ("old.fire.h5", bytes_of, 60),
    ("detector.h5", sealed_again, 40),
    ("detector.h5", hdf5_of, 40),
    ("plan.json", json_of, 150),
    ("plan.json", bytes_of, 100),
    ("old.json", json_of, 100),
    ("latency.json", json_of, 60),
    ("latency.json", bytes_of, 20),
    ("run.json", json_of, 60),
    ("run.json", bytes_of, 20),
    ("events.jsonl", lines_of, 100),
    ("events.jsonl", bytes_of, 30),
]


@pytest.mark.parametrize(("name", "damage", "few"), DAMAGE, ids=lambda x: getattr(x, "__name__", str(x)))
def test_damaged_files_are_read_or_refused_in_one_sentence(wholes, tmp_path, name, damage, few):
    path = tmp_path / name

    @settings(
        max_examples=EXAMPLES or few,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],  # to look for a smaller example takes minutes when Keras loads each
    )
    @given(st.data())
    def check(data):
        path.write_bytes(damage(data.draw, wholes[name]))
        ends_well(READERS[name], path)

    check()


def ends_well(read, path):
    began, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        assert read(path)
    except ValueError as error:
        assert type(error) is ValueError and "\n" not in str(error) and len(str(error)) < LONGEST + len(str(path))
        assert str(path) in str(error), error
    unit = 1 << (20 if sys.platform == "darwin" else 10)
    assert time.process_time() - began < SECONDS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / unit < MEGABYTES
