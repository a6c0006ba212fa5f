from PySide6 import QtWidgets

from firekeras.export.latency import Latency
from inspector.state.timed import Timed
from inspector.views.figure_label import LATENCY_FIGURE

BEFORE, AFTER = Latency(0.0079, 0.0002, 1, 0.007, "Keras (test)"), Latency(0.0061, 0.0001, 1, 0.006, "Keras (test)")


def add_timing(window):
    window.session.add_timed(Timed(window.session.choices, BEFORE, AFTER))
    return window.ratio.latency


def test_the_figure_belongs_to_the_choices_that_it_was_taken_for(window):
    label = window.ratio.latency
    assert label.text() == LATENCY_FIGURE.nothing
    add_timing(window)
    assert label.text() == "latency 7.9 → 6.1 ms (-23%), measured here, in Keras"
    assert "fastest 7.0 ms" in label.toolTip() and "Keras (test)" in label.toolTip()
    window.editor.set_ratio(0.5)
    assert "<s>latency 7.9 → 6.1 ms (-23%)</s>" in label.text()
    assert (
        label.accessibleDescription() == "Outdated (settings changed): latency 7.9 → 6.1 ms (-23%). F7 to re-measure."
    )
    window.editor.stack.undo()
    assert label.text() == "latency 7.9 → 6.1 ms (-23%), measured here, in Keras" == label.accessibleDescription()


def test_each_choice_that_was_timed_finds_its_own_figure_again(window):
    label = add_timing(window)
    window.editor.set_caps([window.session.rows[0].name], 0.5)
    window.session.add_timed(Timed(window.session.choices, BEFORE, BEFORE))
    assert "7.9 → 7.9 ms, no difference measurable" in label.text()
    window.editor.stack.undo()
    assert "(-23%), measured here" in label.text()
    window.editor.stack.redo()
    assert "no difference measurable" in label.text()


def test_all_of_it_fits_into_the_smallest_window(window, qtbot):
    slow = [Latency(seconds, 0.5, 1, 1.0, "Keras (test)") for seconds in (2.3456, 2.1234)]
    window.session.add_timed(Timed(window.session.choices, *slow))
    assert window.ratio.latency.text() == "latency 2346 → 2123 ms, no difference measurable, in Keras"
    window.ratio.costs.setText("MACs 37.70 G → 26.10 G (-30.8%)   params 66.66 M → 45.12 M (-32.3%)")
    bar = window.findChild(QtWidgets.QToolBar, "ratio")
    buttons = [bar.widgetForAction(action) for action in bar.actions()]
    qtbot.waitUntil(lambda: all(button.isVisible() for button in buttons))
    assert window.width() == 1024 and window.ratio.slider.width() >= 80 and len(buttons) == 5


def test_another_document_has_no_figure(window, files):
    add_timing(window)
    window.open_path(files[1])
    assert window.ratio.latency.text() == LATENCY_FIGURE.nothing
