from PySide6 import QtWidgets

from inspector.state.comparison import Mode


def test_the_legend_is_complete_and_explains_hatching_only_if_something_is_hatched(window, files):
    window.compare_with(files[1])
    legend = window.heatmap_panel.legend
    for mode in Mode:
        window.session.compare(window.session.comparison, mode)
        QtWidgets.QApplication.processEvents()
        assert "cap" in legend.toolTip() and "Coupled layers lose filters" in legend.toolTip()
        assert legend.width() >= legend.minimumWidth() > 150
        assert ("Hatched" in legend.toolTip()) == (mode in (Mode.BEFORE, Mode.CUTS))


def test_the_legend_takes_a_third_row_rather_than_more_width(window):
    legend, mode = window.heatmap_panel.legend, Mode.BEFORE
    legend.show_mode(mode, (-150.4, -0.75), score="l1", coupled=True)
    assert window.width() == 1024 and legend.minimumWidth() < 250
    assert [len(legend._rows_within(width)) for width in (legend.minimumWidth(), 600)] == [3, 2]
    signs = [sign.text for row in legend._rows_within(legend.minimumWidth()) for sign in row]
    assert signs == ["-0.75", "to remove", "no score", "cut", "cap", "coupled", "selected"]
    assert legend._rows()[0][0].before == "score -150"
