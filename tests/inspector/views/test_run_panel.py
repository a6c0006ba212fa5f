import json

from PySide6 import QtGui

from inspector.views import RunPanel


def test_frames_of_a_spinner_are_one_line_of_fixed_width(qtbot):
    panel = RunPanel([])
    qtbot.addWidget(panel)
    for line in ("begun", "\u2819 Measuring", "\u2839 Measuring", "\u2838 Measuring", "over"):
        panel.say(line)
    assert panel.log.toPlainText().splitlines() == ["begun", "\u2838 Measuring", "over"]
    assert QtGui.QFontInfo(panel.log.font()).fixedPitch()


def test_figures_of_a_run_come_before_its_remarks(history):
    window, *_, folder = history
    notes = [{"event": "note", "text": f"n{k} (GroupNormalization) normalises.", "time": ""} for k in range(3)]
    with open(folder / "events.jsonl", "a") as file:
        file.writelines(json.dumps(note) + "\n" for note in notes)
    window.open_path(folder)
    lines = window.run_panel.status.text().splitlines()
    (said,) = [number for number, line in enumerate(lines) if "normalises" in line]
    assert lines[said] == "n0 (GroupNormalization) normalises. So it is in 2 more."
    assert 0 < max(number for number, line in enumerate(lines) if " → " in line) < said
