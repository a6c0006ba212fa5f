"""Dialogs that choose files and folders to open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6 import QtWidgets

from inspector.state import ModelWeights

if TYPE_CHECKING:
    from inspector.window.main_window import Window

KINDS = "Models, measurements (*.keras *.fire.h5)"
FILE, FOLDER = QtWidgets.QFileDialog.FileMode.ExistingFile, QtWidgets.QFileDialog.FileMode.Directory
MODELS = "Models, measurements, models of Keras 2 (*.keras *.fire.h5 *.h5 *.hdf5)"


def file(window: Window):
    """Opens a model or a measurement."""
    _choose(window, FILE, MODELS, window.open_path)


def run(window: Window):
    """Opens the folder of a run."""
    _choose(window, FOLDER, "", window.open_path)


def keras_2(window: Window):
    """Converts a model of Keras 2, and opens the result."""
    convert = lambda path: window.in_words(window.converting.ask, Path(path))  # noqa: E731
    _choose(window, FILE, "Models of Keras 2 (*.h5 *.hdf5)", convert)


def model_of_profile(window: Window):
    """Opens the model that the open profile was measured on."""

    def attach(path):
        window.in_words(lambda: window.session.attach_model(ModelWeights(path)))
        window.refresh_actions()

    _choose(window, FILE, "Keras models (*.keras)", attach)


def choices(window: Window):
    """Opens choices or a plan for the open network."""
    _choose(window, FILE, "Choices, plans (*.json)", window.open_path)


def latency_table(window: Window):
    """Opens a latency table of the open network."""
    open_table = lambda path: window.in_words(window.tabling.open, Path(path))  # noqa: E731
    _choose(window, FILE, "Latency tables (*.json)", open_table)


def other_profile(window: Window):
    """Compares the open profile with another one, or with that of another model."""
    _choose(window, FILE, KINDS, lambda path: window.in_words(window.compare_with, path))


def boards(window: Window):
    """Offers the boards of a file."""
    _choose(window, FILE, "Boards (*.toml)", lambda path: window.in_words(window.add_boards, path))


def _choose(window, mode, kinds, then):
    document = window.session.document
    dialog = QtWidgets.QFileDialog(window, "Open", str(document.path.resolve().parent) if document else "", kinds)
    dialog.setFileMode(mode)
    dialog.fileSelected.connect(then)
    window.show_dialog(dialog)
