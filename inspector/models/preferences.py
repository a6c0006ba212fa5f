"""Preferences that last from one start to the next: the window's position, recent files, and the last data."""

from __future__ import annotations

import hashlib
from pathlib import Path

from PySide6 import QtCore, QtWidgets

from inspector.state import Data, data_sources

MOST_RECENT = 9


class Preferences:
    """A thin layer over `QSettings`.

    Args:
        settings: The `QSettings` to use. Defaults to the system's place for a user's settings.
    """

    def __init__(self, settings: QtCore.QSettings | None = None):
        self.settings = settings or QtCore.QSettings("firekeras", "inspector")

    def recent(self) -> list[str]:
        """Recently opened paths, the newest first."""
        paths = self.settings.value("recent", [])
        return list(paths) if isinstance(paths, (list, tuple)) else [str(paths)] if paths else []

    def remember(self, path):
        """Puts a path in front of the recent ones."""
        path = str(Path(path).resolve())
        others = [other for other in self.recent() if other != path]
        self.settings.setValue("recent", [path, *others][:MOST_RECENT])

    def forget(self, path):
        """Removes a path that no longer exists from the recent files."""
        self.settings.setValue("recent", [other for other in self.recent() if other != str(path)])

    def forget_all(self):
        """Empties the recent ones."""
        self.settings.remove("recent")

    def text(self, key: str, default: str = "") -> str:
        """A text that the user typed last time."""
        return str(self.settings.value(key, default))

    def set_text(self, key: str, value: str):
        """Remembers a text that the user typed."""
        self.settings.setValue(key, value)

    def data_of(self, model) -> Data:
        """The data that were last used with a model; without a source if there are none yet."""
        return Data(self.text(_data_key(model)), _range(self.text(f"values {_data_key(model)}")))

    def set_data_of(self, model, data: Data):
        """Remembers the data that were used with a model."""
        self.set_text(_data_key(model), data.source)
        self.set_text(f"values {_data_key(model)}", data.values)

    def propose_data(self, model, data: Data):
        """Remembers data for a model unless it has its own."""
        if not self.data_of(model).source:
            self.set_data_of(model, data)

    def pass_data_on(self, model, to):
        """Proposes the data of a model for another that came of it, unless that has its own."""
        self.propose_data(to, self.data_of(model))
        if not self.judging(to)[0].source:
            self.set_judging(to, *self.judging(model))

    def judging(self, model) -> tuple[Data, int]:
        """What cuts of a model are judged on: data, without a source if there are none yet, and how many at most."""
        source, _, images = self.text(f"judging {_data_key(model)}").rpartition(",")
        values = _range(self.text(f"judged values {_data_key(model)}"))
        return Data(source, values), int(images) if images.isdecimal() else 1000

    def set_judging(self, model, data: Data, images: int):
        """Remembers what cuts of a model are judged on."""
        self.set_text(f"judging {_data_key(model)}", f"{data.source},{images}")
        self.set_text(f"judged values {_data_key(model)}", data.values)

    def restore(self, window: QtWidgets.QMainWindow):
        """Restores the position of a window, with its docks."""
        for key, put in (("geometry", window.restoreGeometry), ("state", window.restoreState)):
            value = self.settings.value(key)
            if isinstance(value, QtCore.QByteArray):
                put(value)

    def keep(self, window: QtWidgets.QMainWindow):
        """Remembers the position of a window."""
        self.settings.setValue("geometry", window.saveGeometry())
        self.settings.setValue("state", window.saveState())


def _range(text):
    """A key of `RANGES`; empty if a file of preferences says something else."""
    return text if text in data_sources.RANGES else ""


def _data_key(model):
    return f"data/{hashlib.sha256(str(Path(model).resolve()).encode()).hexdigest()[:16]}"
