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
