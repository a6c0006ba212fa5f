"""The page on extending firekeras: its blocks run as they stand, and what they add shows up where it should."""

import importlib.util
import re
import sys
from pathlib import Path

import keras
import numpy as np
import pages
import pytest
from typer.testing import CliRunner

import firekeras
from firekeras import methods
from firekeras.cli import app
from firekeras.discovery import import_all
from firekeras.export.side_by_side import measure_stages
from firekeras.recovery import RECOVERY
from firekeras.scores.criteria import CRITERIA

PAGE = pages.ROOT / "docs" / "extending.md"
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL))

pytestmark = pytest.mark.usefixtures("uncompiled")


def blocks(section):
    return list(pages.blocks(SECTIONS[section]))


@pytest.fixture
def run(reader):
    """Runs the blocks of a section one after the other, and gives the names that they leave."""
    return lambda section: reader(f"{PAGE.name}: {section}").read(blocks(section))


def test_each_kind_of_extension_has_a_section():
    assert set(re.findall(r"\]\(#(.+?)\)", PAGE.read_text(encoding="utf-8"))) == {
        section.lower().replace(" ", "-") for section in SECTIONS
    }


def test_a_layer_is_pruned_by_its_rule(run):
    names = run("A layer type")
    model, plan = names["model"], names["plan"]
    assert {"before", "scaled"} == set(plan.removed)  # it is cut, and what it reads
    scores = firekeras.score_filters(model, "activation_mean", data=names["x"])
    assert np.isfinite(scores["scaled"]).all()
    layers = [keras.layers.Dense(8), keras.layers.BatchNormalization(), names["ScaledDense"](10, name="scaled")]
    followed = keras.Sequential([keras.Input((6,)), *layers, keras.layers.Dense(3, name="out")])
    assert np.isfinite(firekeras.score_filters(followed, "contribution")["scaled"]).all()


def test_a_criterion_is_a_name_and_a_method(run):
    names = run("A criterion")
    assert names["scores"].criterion == "largest_weight" and np.isfinite(names["scores"]["conv"]).all()
    assert methods.get("largest_weight").criterion == "largest_weight" and "largest_weight" in methods.names()


def test_a_method_runs_by_its_name(run):
    smaller = run("A method")["result"].model
    assert firekeras.channel_graph(smaller).widths == {"dense6": 6, "dense12": 10, smaller.layers[-1].name: 2}


def test_a_format_is_exported_timed_counted_and_named(run):
    names = run("An export format")
    assert names["done"].difference.largest < 1e-5 and names["latency"].runtime == "NumPy"
    names["model"].save("net.keras")
    both = measure_stages(["net.keras", "net.npz"], runs=2)
    assert [stage.costs.macs for stage in both] == [48, 48] and [stage.costs.params for stage in both] == [58, 58]
    cli = CliRunner()
    assert cli.invoke(app, ["export", "net.keras", "--to", "npz", "--output", "again.npz"]).exit_code == 0
    for command in ("export", "report"):
        assert "npz" in cli.invoke(app, [command, "--help"]).output
    deep = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2), keras.layers.Softmax()])
    with pytest.raises(ValueError, match="only dense layers"):
        firekeras.export_model(deep, "deep.npz", to="npz")


def test_a_recovery_step_runs_by_its_name(run):
    run("A recovery step")
    assert list(RECOVERY)[-1] == "rescale"


def test_a_detector_knows_its_regressor_by_name(run, tmp_path):
    detector = run("A regressor")["detector"]
    profile = firekeras.FireProfile.load(Path(__file__).parent / "files" / "profile-1.fire.h5")
    fitted = detector.fit(None, profile)
    fitted.save(tmp_path / "detector.h5")
    assert firekeras.FireDetector.load(tmp_path / "detector.h5").regressor == "ridge"


def test_what_lies_in_a_folder_is_found(tmp_path, monkeypatch, run):
    (tmp_path / "largest.py").write_text(blocks("A criterion")[0].text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path.parent)
    (tmp_path / "__init__.py").touch()
    import_all(tmp_path.name, [str(tmp_path)])
    assert "largest_weight" in CRITERIA


def pasted(name, source):
    """A module as it would be with another text."""
    spec = importlib.util.find_spec(name)
    module = importlib.util.module_from_spec(spec)
    exec(compile(source, spec.origin, "exec"), vars(module))
    return module


@pytest.fixture
def with_column(monkeypatch):
    """The modules of the inspector that show columns, with that of the page."""
    pytest.importorskip("PySide6")
    source = Path(importlib.util.find_spec("inspector.models.columns").origin).read_text(encoding="utf-8")
    end_of_class = "\n\n\nCONSTANT ="
    assert source.count(end_of_class) == 1
    columns = pasted(
        "inspector.models.columns",
        source.replace(end_of_class, "\n" + blocks("A column of the inspector")[0].text + end_of_class),
    )
    monkeypatch.setitem(sys.modules, "inspector.models.columns", columns)
    name = "inspector.models.layer_model"
    return columns.Column, pasted(name, Path(importlib.util.find_spec(name).origin).read_text(encoding="utf-8"))


def test_a_column_is_in_the_table(with_column):
    from PySide6 import QtCore

    from inspector.state import Session, documents

    column, layer_model = with_column
    session = Session()
    model = layer_model.LayerModel(session, None)
    session.open(documents.open_document(Path(__file__).parent / "files" / "profile-1.fire.h5"))
    header = QtCore.Qt.Orientation.Horizontal
    assert model.headerData(column.MACS_PER_FILTER, header) == "MACs each"
    shown = model.index(0, column.MACS_PER_FILTER).data()
    assert shown == f"{session.rows[0].macs / session.rows[0].filters:.0f}", shown
