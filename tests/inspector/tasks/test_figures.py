import pytest
from PySide6 import QtCore, QtGui

from inspector.figures import FIGURES


@pytest.fixture
def dialog(window):
    window.actions_["figure"].trigger()
    return window.dialog


def save(window, qtbot, dialog, path):
    qtbot.mouseClick(dialog.buttons.buttons()[0], QtCore.Qt.MouseButton.LeftButton)
    window.dialog.fileSelected.emit(str(path))
    return window.banner.words.text()


def test_a_figure_is_proposed_for_what_is_open(window, dialog):
    assert dialog.kind.count() == len(FIGURES) and dialog.title.text() == "FIRE of net.keras"
    assert "filters of net.keras, measured on 16 images." in dialog.caption.toPlainText()
    assert dialog.preview.pixmap().width() > 100
    dialog.kind.setCurrentIndex(1)
    assert dialog.title.text() == "net.keras" and dialog.caption.toPlainText().count("MACs") == 1


def test_a_figure_is_written_at_any_size(window, qtbot, dialog, tmp_path):
    dialog.width_.setValue(100)
    dialog.height_.setValue(50)
    dialog.resolution.setValue(254)
    qtbot.keyClicks(dialog.title, " ")
    assert "Saved: " in save(window, qtbot, dialog, tmp_path / "map.png")
    picture = QtGui.QImage(str(tmp_path / "map.png"))
    assert (picture.width(), picture.height()) == (1000, 500) and picture.dotsPerMeterX() == 10000


def test_a_figure_is_svg_or_png(window, qtbot, dialog, tmp_path):
    assert "Saved: " in save(window, qtbot, dialog, tmp_path / "map.svg")
    assert (tmp_path / "map.svg").read_text().startswith("<?xml")
    window.actions_["figure"].trigger()
    assert "must end with .svg or .png" in save(window, qtbot, window.dialog, tmp_path / "map.gif")
