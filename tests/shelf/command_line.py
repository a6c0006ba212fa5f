"""The command line as tests call it, and an empty folder with a small model in it."""

import keras
import pytest
from typer.testing import CliRunner

from firekeras.cli import app


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "200", "TERM": "dumb"})


def refused(*arguments, code=2):
    """What a command says on standard error when it ends with the exit code for mistakes: one line, beside warnings."""
    result = run(*arguments)
    assert result.exit_code == code, result.output
    *warnings, last = result.stderr.splitlines(keepends=True)
    assert all(line.startswith("Warning: ") for line in warnings)
    return last


def small_cnn(activation=None):
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(8, 3, activation="relu", name="conv1")(image)
    x = keras.layers.Conv2D(8, 3, activation="relu", name="conv2")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, keras.layers.Dense(10, activation=activation, name="logits")(x))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working folder with a small model in it."""
    monkeypatch.chdir(tmp_path)
    small_cnn().save("model.keras")
    return tmp_path


def names(folder):
    return {path.name for path in folder.iterdir()}
