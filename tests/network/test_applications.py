"""Networks of keras.applications; examples/applications.py proves all forty."""

import pathlib
import sys
import tempfile

import keras
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "examples"))
import applications

pytestmark = pytest.mark.usefixtures("uncompiled")


@pytest.fixture
def float64():
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx("float32")


def loaded_here(model, x):
    """Instead of in a process of its own, as tests/network/test_surgery.py has."""
    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/model.keras")
        return applications.predicted(keras.models.load_model(f"{folder}/model.keras"), x)


def test_a_third_of_its_filters_gone_it_computes_what_it_did_without_them(float64, monkeypatch):
    monkeypatch.setattr(applications, "reloaded", loaded_here)
    row, holds = applications.check("MobileNetV3Small", ratio=0.3)
    assert holds, row
    assert row["locked"] == "10 output"


def test_all_forty_are_known():
    assert len(applications.model_names()) == 40
