"""The dialog before a figure is saved: which one, its texts, its size, and how it will look."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from PySide6 import QtCore, QtGui, QtSvg, QtWidgets

from inspector.dialogs.options_dialog import OptionsDialog
from inspector.figures import Drawing, Look
from inspector.widgets import name

PREVIEW = QtCore.QSize(520, 360)  # pixels
REST = 150  # milliseconds without a change before it is drawn again


@dataclasses.dataclass(frozen=True)
class FigureOptions:
    """What is chosen: the name of the figure, how it is to look, and the dots per inch of a PNG file."""

    figure: str
    look: Look
    resolution: int = 300


class FigureDialog(OptionsDialog):
    """Asks for a figure, and shows it as it will be.

    Signals:
        chosen: `FigureOptions`.

    Args:
        figures: The title of each figure, and a function of a `Look` that draws it.
        looks: How each of them would look at its proposed size, by title.
        parent: The Qt parent.
    """

    def __init__(self, figures: Mapping[str, Callable[[Look], Drawing]], looks: Mapping[str, Look], parent=None):
        super().__init__("Figure for a paper", "&Save…", parent)
        self._figures, self._looks = figures, looks
        self.kind = QtWidgets.QComboBox()
        self.kind.addItems(list(figures))
        name(self.kind, "Figure")
        self.title = QtWidgets.QLineEdit()
        self.caption = QtWidgets.QPlainTextEdit()
        self.caption.setTabChangesFocus(True)
        self.caption.setFixedHeight(3 * self.caption.fontMetrics().lineSpacing() + 12)
        self.width_, self.height_ = (_size(f"{what} in millimetres") for what in ("Width", "Height"))
        self.resolution = QtWidgets.QSpinBox(minimum=72, maximum=1200, value=300, suffix=" dpi")
        name(self.title, "Title of the figure; empty for none")
        name(self.caption, "Caption of the figure; empty for none")
        name(self.resolution, "Resolution of a PNG file, in dots per inch")
        self.preview = QtWidgets.QLabel(alignment=QtCore.Qt.AlignmentFlag.AlignCenter)
        self.preview.setAccessibleName("The figure as it will be")
        self.preview.setFixedSize(PREVIEW)
        self._lay_out()
        self._rest = QtCore.QTimer(self, singleShot=True, interval=REST)
        self._rest.timeout.connect(self.draw)
        self.kind.currentTextChanged.connect(self._propose)
        for signal in (self.title.textChanged, self.caption.textChanged, self.width_.valueChanged):
            signal.connect(lambda *_: self._rest.start())
        self.height_.valueChanged.connect(lambda *_: self._rest.start())
        self._propose()

    def _lay_out(self):
        form, layout = QtWidgets.QFormLayout(), QtWidgets.QVBoxLayout(self)
        size = QtWidgets.QHBoxLayout()
        by = QtWidgets.QLabel("&by")
        by.setBuddy(self.height_)
        for widget in (self.width_, by, self.height_, self.resolution):
            size.addWidget(widget)
        size.addStretch(1)
        label = QtWidgets.QLabel("Si&ze")
        label.setBuddy(self.width_)
        for text, widget in (("&Figure", self.kind), ("&Title", self.title), ("&Caption", self.caption)):
            form.addRow(text, widget)
        form.addRow(label, size)
        layout.addWidget(self.preview)
        layout.addLayout(form)
        layout.addWidget(self.buttons)

    def _propose(self):
        """Proposes the texts and the size that fit the chosen figure."""
        look = self._looks[self.kind.currentText()]
        self.title.setText(look.title)
        self.caption.setPlainText(look.caption)
        self.width_.setValue(look.width)
        self.height_.setValue(look.height)
        self.draw()

    def draw(self):
        """Shows the figure as it will be."""
        self._rest.stop()
        svg = self._figures[self.kind.currentText()](self.options().look).svg()
        self.preview.setPixmap(QtGui.QPixmap.fromImage(rendered(svg, PREVIEW * self.devicePixelRatio())))

    def options(self) -> FigureOptions:
        """What is chosen."""
        texts = self.title.text().strip(), " ".join(self.caption.toPlainText().split())
        look = Look(*texts, self.width_.value(), self.height_.value())
        return FigureOptions(self.kind.currentText(), look, self.resolution.value())


def rendered(svg: str, room: QtCore.QSize) -> QtGui.QImage:
    """A figure as a picture, as large as the room allows."""
    renderer = QtSvg.QSvgRenderer(QtCore.QByteArray(svg.encode()))
    size = renderer.viewBoxF().size().scaled(QtCore.QSizeF(room), QtCore.Qt.AspectRatioMode.KeepAspectRatio)
    picture = QtGui.QImage(size.toSize().expandedTo(QtCore.QSize(1, 1)), QtGui.QImage.Format.Format_RGB32)
    picture.fill(QtCore.Qt.GlobalColor.white)
    painter = QtGui.QPainter(picture)
    renderer.render(painter)
    painter.end()
    return picture


def _size(title):
    box = QtWidgets.QDoubleSpinBox(decimals=0, minimum=30, maximum=2000, suffix=" mm")
    name(box, title)
    return box
