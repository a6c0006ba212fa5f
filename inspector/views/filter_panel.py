"""One filter: its map of inactivity, its kernel, its numbers, and why it goes or stays."""

from __future__ import annotations

import numpy as np
from PySide6 import QtCore, QtWidgets

from inspector.state import CELL, CHOICES, DOCUMENT, PICTURE, WHOLE, Mode, Session, flat_map, kernel_picture, words
from inspector.views.picture_view import PictureView
from inspector.widgets import Scale

REST = 120  # milliseconds without a change before reasons are worked out
INACTIVE = Scale.of_rates("inactive")
NOTHING_POINTED_AT = "Click a layer or filter, or use the arrow keys in the heatmap."
MOST_LINES = 14  # of the box of reasons
NARROW = 184  # pixels, for all tabs
EDGE = 8  # pixels between its frame and its text, and a little more
NO_MAPS = "This profile has no maps. Measure again (F5) with “Keep maps” ticked."


class FilterPanel(QtWidgets.QWidget):
    """Shows the filter or layer that the session points at."""

    def __init__(self, session: Session, parent=None):
        super().__init__(parent)
        self.session = session
        self.predicted: dict[str, np.ndarray] = {}
        self.title = QtWidgets.QLabel(wordWrap=True)
        self.why = self._make_why()
        self.map, self.kernel = PictureView("Map of inactivity"), PictureView("Kernel")
        self.numbers = self._make_numbers()
        self.tabs = QtWidgets.QTabWidget(documentMode=True)
        self.tabs.setAccessibleName("What to show of the filter")
        self.tabs.tabBar().setAccessibleName("What to show of the filter")
        for title, page in (("&Map", self.map), ("&Kernel", self.kernel), ("Val&ues", self.numbers)):
            self.tabs.addTab(page, title)
        self.tabs.currentChanged.connect(self.show_cell)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        for widget, stretch in ((self.title, 0), (self.why, 0), (self.tabs, 1)):
            layout.addWidget(widget, stretch)
        self._rest = QtCore.QTimer(self, singleShot=True, interval=REST)
        self._rest.timeout.connect(self.show_reasons)
        for what in (CELL, DOCUMENT, PICTURE):
            session.listen(what, self.show_cell)
        session.listen(CHOICES, self._later)
        self.setMinimumWidth(NARROW)
        self.take_theme()

    def _make_why(self):
        why = QtWidgets.QPlainTextEdit(readOnly=True)
        why.setAccessibleName("Why it is removed or kept")
        why.setStatusTip("Why this filter, or filters of this layer, are removed or kept")
        why.setTabChangesFocus(True)
        why.textChanged.connect(self._fit_why)
        return why

    def _fit_why(self):
        """Makes the box of reasons as high as its text; only a long one scrolls."""
        metrics, room = self.why.fontMetrics(), self.why.width() - 2 * EDGE
        wrapped = QtCore.Qt.TextFlag.TextWordWrap | QtCore.Qt.TextFlag.TextWrapAnywhere
        text = metrics.boundingRect(QtCore.QRect(0, 0, room, 10000), wrapped, self.why.toPlainText())
        least, most = 2 * metrics.lineSpacing(), MOST_LINES * metrics.lineSpacing()
        policy = QtCore.Qt.ScrollBarPolicy  # a scroll bar that is not needed would take room, and then be needed
        self.why.setVerticalScrollBarPolicy(
            policy.ScrollBarAsNeeded if text.height() > most else policy.ScrollBarAlwaysOff
        )
        self.why.setFixedHeight(min(most, max(least, text.height())) + 2 * EDGE)

    def resizeEvent(self, event):  # noqa: N802 (Qt's name)
        super().resizeEvent(event)
        QtCore.QTimer.singleShot(0, self, self._fit_why)  # once the box has its new width

    def _make_numbers(self) -> QtWidgets.QTreeWidget:
        numbers = QtWidgets.QTreeWidget()
        numbers.setRootIsDecorated(False)
        numbers.setAlternatingRowColors(True)
        numbers.setHeaderLabels(["What", "Value"])
        mode = QtWidgets.QHeaderView.ResizeMode  # what it is may be shortened, its value never
        numbers.header().setStretchLastSection(False)
        numbers.header().setSectionResizeMode(0, mode.Stretch)
        numbers.header().setSectionResizeMode(1, mode.ResizeToContents)
        numbers.setAccessibleName("Numbers of the filter")
        numbers.setStatusTip("The measurements of the filter, and the statistics of its weights")
        return numbers

    def take_theme(self):
        """Takes the colours of the application's palette."""
        for view in (self.map, self.kernel):
            view.take_theme()
        self.show_cell()

    def show_predictions(self, predicted):
        """Shows the predictions of detectors that did not see the filter, by layer."""
        self.predicted = predicted
        self.show_cell()

    def _later(self):
        if self.isVisible():
            self._rest.start()

    def show_reasons(self):
        """Shows the reason; large networks take a moment, so it waits until nothing changes."""
        session = self.session
        if session.layer is None:
            self.why.setPlainText("")
        elif session.measured is None:
            self.why.setPlainText(words.why_layer(session, session.layer))
        else:
            self.why.setPlainText("\n".join(words.reasons(session, session.layer, session.filter)))

    def show_cell(self):
        """Shows the current filter or layer."""
        measured, layer, filter = self.session.measured, self.session.layer, self.session.filter
        if measured is None or layer is None:
            self._show_nothing()
            return
        part = "all its filters" if filter is None else f"filter {filter}"
        self.title.setText(f"<b>{_escaped(layer)}</b>, {part}")
        self._show_map(measured.profile, layer, filter)
        self._show_kernel(measured.row(layer), filter)
        self._show_numbers(measured, layer, filter)
        self._later()

    def _show_nothing(self):
        """Shows no filter; if a layer is pointed at, explains why."""
        layer = self.session.layer
        self.title.setText(f"<b>{_escaped(layer)}</b>" if layer else NOTHING_POINTED_AT)
        for view in (self.map, self.kernel):
            view.clear("")
        self.numbers.clear()
        self.show_reasons()

    # the map

    def _show_map(self, profile, layer, filter):
        mode, comparison = self.session.mode, self.session.comparison
        before = _map(profile, layer, filter)
        if before is None:
            self.map.clear(self._why_no_map(profile))
            return
        what = "of its filters together" if filter is None else "of the filter"
        size = _positions(*before.shape)
        if mode in WHOLE or comparison is None:
            caption = f"How often each position {what} is inactive, mean {before.mean():.3f}; {size}."
            self.map.show_values(before, caption, INACTIVE)
            return
        self._show_map_after(before, _map_after(comparison, layer, filter), mode)

    def _why_no_map(self, profile):
        if self.session.lacks_fire:
            return "FIRE is not measured yet (F5)."
        return NO_MAPS if self.session.has_fire and not profile.maps else "This layer has no ReLU of its own: no map."

    def _show_map_after(self, before, after, mode):
        if after is None:
            self.map.clear(
                "There is no map of this filter afterwards: it was removed, or it is not known which one it is."
            )
        elif after.shape != before.shape:
            self.map.clear(f"The map has a different size afterwards: {after.shape}, not {before.shape}.")
        elif mode is Mode.SPLIT:
            self.map.show_values(before, "Before on the left of the line, after on the right.", INACTIVE, after)
        elif mode is Mode.DIFFERENCE:
            caption = f"After minus before: blue is less inactive, orange more; mean {(after - before).mean():+.3f}."
            most = float(np.abs(after - before).max()) or 1.0
            self.map.show_values(after - before, caption, Scale.of_signed("after - before", most))
        else:
            self.map.show_values(after, f"Afterwards; mean {after.mean():.3f}.", INACTIVE)

    # the kernel

    def _show_kernel(self, row, filter):
        weights = self.session.need_document().weights
        if filter is None or weights is None:
            self.kernel.clear(
                "Click a filter to see its kernel." if weights else "Open its model to see kernels (Ctrl+M)."
            )
            return
        kernel = weights.kernel(self.session.need_opened().graph.layers[row.name], filter)
        if kernel is None:
            self.kernel.clear("The kernel of this filter cannot be distinguished from the others.")
            return
        shape = " x ".join(map(str, kernel.shape))
        caption = f"{shape} (taps, inputs): a tile per input. Blue negative, orange positive."
        scale = Scale.of_signed("weight", float(np.abs(kernel).max()) or 1.0)
        self.kernel.show_values(kernel_picture(kernel), caption, scale)

    # the numbers

    def _show_numbers(self, measured, layer, filter):
        self.numbers.clear()
        if self.tabs.currentWidget() is not self.numbers:
            return
        whole = filter is None
        rows = self._layer_numbers(measured, layer) if whole else self._filter_numbers(measured, layer, filter)
        self.numbers.addTopLevelItems([_line(name, value) for name, value in rows])

    def _layer_numbers(self, measured, layer):
        fire = measured.profile.get(layer, np.zeros(0))
        fire = fire[np.isfinite(fire)]
        spread = [("FIRE, minimum", fire.min()), ("FIRE, mean", fire.mean()), ("FIRE, maximum", fire.max())]
        return [
            ("filters", str(measured.row(layer).filters)),
            ("filters after", str(self.session.left(layer))),
            *((name, f"{value:.4f}") for name, value in spread if fire.size),
            *([("dead (FIRE exactly 1)", str(int((fire == 1).sum())))] if fire.size else []),
        ]

    def _filter_numbers(self, measured, layer, filter):
        from firekeras.scores.detector.features import BN_FEATURE_NAMES, FEATURE_NAMES

        profile, comparison = measured.profile, self.session.comparison
        place = measured.place(layer, filter)
        rows = [
            ("FIRE, measured", _number(profile[layer][filter])),
            ("FIRE, predicted", self._prediction(layer, filter)),
            ("rank", f"{place} of {measured.ranked}" if place else "none"),
            ("zeros seen", str(profile.zeros[layer][filter])),
            ("outputs seen", str(profile.seen[layer][filter])),
        ]
        if not self.session.ranks_by_fire:
            score = measured.planner.fire[measured.number(layer, filter)]
            rows.insert(2, (f"score, {words.score_name(self.session)}", _number(score)))
        if comparison is not None and comparison.after is not None:
            rows.append(("FIRE afterwards", _number(comparison.fire[measured.number(layer, filter)])))
        names = (*FEATURE_NAMES, *BN_FEATURE_NAMES)
        return rows + [(n, _number(v)) for n, v in zip(names, profile.features[layer][filter].tolist(), strict=False)]

    def _prediction(self, layer, filter):
        values = self.predicted.get(layer)
        return "not yet (F6)" if values is None else _number(values[filter])


def _positions(rows, columns):
    """The size of a map; layers without a second axis have a single row."""
    if rows > 1:
        return f"{rows} x {columns} positions"
    return f"{columns} positions" if columns > 1 else "a single position"


def _map(profile, layer, filter):
    maps = profile.maps.get(layer)
    if maps is None or filter is None:
        return None if maps is None else flat_map(maps.mean(axis=0))
    return flat_map(maps[filter])


def _map_after(comparison, layer, filter):
    """The map of a filter, or of a whole layer, in the other network; `None` if there is none."""
    later = None if filter is None else comparison.filter_after(layer, filter)
    known = comparison.after is not None and (filter is None or later is not None)
    return _map(comparison.after, layer, later) if known else None


def _line(what, value):
    line = QtWidgets.QTreeWidgetItem([what, value])
    line.setToolTip(0, what)
    return line


def _number(value):
    return "none" if value != value else f"{value:.5g}"


def _escaped(text):
    return text.replace("&", "&amp;").replace("<", "&lt;")
