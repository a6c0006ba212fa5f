"""Figures for papers: asked for, drawn, and written as SVG or PNG."""

from __future__ import annotations

import functools
from pathlib import Path

from PySide6 import QtCore, QtGui

from firekeras.atomic import whole_file, write_text
from inspector.dialogs import FigureDialog, FigureOptions, rendered
from inspector.figures import FIGURES, Look, height_of_heatmap
from inspector.state import Message, words
from inspector.tasks.task import Task

WIDTH = 180.0  # millimetres: both columns of a page
INCH = 25.4  # millimetres
KINDS = "Drawings (*.svg);;Pictures (*.png)"


class Figures(Task):
    """Draws the open network."""

    def ask(self):
        """Opens the dialog."""
        session, caption = self.session, words.about(self.session)
        name = session.need_document().name
        looks = {
            "Heatmap": Look(f"{words.score_name(session)} of {name}", caption, WIDTH, height_of_heatmap(session)),
            "Architecture before and after": Look(name, words.of_cut(session), WIDTH, 90.0),
        }
        figures = {title: functools.partial(draw, session) for title, draw in FIGURES.items()}
        dialog = FigureDialog(figures, looks)
        dialog.chosen.connect(self._ask_for_path)
        self.asked.emit(dialog)

    def _ask_for_path(self, options):
        path = self.session.need_document().path.resolve()
        name = f"{path.stem.removesuffix('.fire')}-{options.figure.split()[0].lower()}.svg"
        self.ask_for_file("Save the figure", path.parent / name, KINDS, lambda file: self.save(file, options))

    def save(self, path: Path, options: FigureOptions):
        """Writes a figure, as SVG or PNG by the ending."""
        svg = FIGURES[options.figure](self.session, options.look).svg()
        if path.suffix == ".svg":
            write_text(path, svg)
        elif path.suffix == ".png":
            self._write_png(path, svg, options)
        else:
            raise ValueError(f"{path.name} must end with .svg or .png.")
        self.said.emit(Message(f"Saved: {path}"))

    @staticmethod
    def _write_png(path, svg, options):
        look = options.look
        pixels = QtCore.QSize(*(round(length / INCH * options.resolution) for length in (look.width, look.height)))
        picture = rendered(svg, pixels)
        dots = round(1000 * options.resolution / INCH)
        picture.setDotsPerMeterX(dots)
        picture.setDotsPerMeterY(dots)
        with whole_file(path) as temporary:
            if not QtGui.QImageWriter(str(temporary), QtCore.QByteArray(b"png")).write(picture):
                raise ValueError(f"{path} could not be written. Choose another folder.")
