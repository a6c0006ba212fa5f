from PySide6 import QtGui

from inspector.views import RunPanel


def test_frames_of_a_spinner_are_one_line_of_fixed_width(qtbot):
    panel = RunPanel([])
    qtbot.addWidget(panel)
    for line in ("begun", "\u2819 Measuring", "\u2839 Measuring", "\u2838 Measuring", "over"):
        panel.say(line)
    assert panel.log.toPlainText().splitlines() == ["begun", "\u2838 Measuring", "over"]
    assert QtGui.QFontInfo(panel.log.font()).fixedPitch()
