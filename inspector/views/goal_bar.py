"""The goal of the cut, the board that it has to fit, and how full RAM and flash are."""

from __future__ import annotations

import contextlib

from PySide6 import QtCore, QtWidgets

from firekeras.plan.goals import amount_of
from inspector.models import Editor
from inspector.state import BOARD, CHOICES, DOCUMENT, LATENCY, NO_TABLE, PICTURE, THIS_BOARD, Session, proposals
from inspector.views.memory_bar import BEFORE, MemoryBar
from inspector.widgets import UndoKeys, name

PASSING = (QtCore.Qt.FocusReason.PopupFocusReason, QtCore.Qt.FocusReason.ActiveWindowFocusReason)  # it comes back
NO_BOARD, FROM_FILE = "No board", "From a file…"
NO_GOAL = "50% of MACs, …"
TIP = "How much to leave, such as 50% of MACs, 2 ms, or 256 kB of RAM and 512 kB of flash; the filters to remove follow"
BOARD_TIP = "The board that the network has to fit"
RAM = (
    "The tensors take this in int8, inputs and outputs too; the stack and the program come on top. Click to go to the "
    "layers at the peak"
)
FLASH = "The .tflite file takes this in int8, inputs and outputs too, within a few percent; the program comes on top"


class GoalBar(QtWidgets.QWidget):
    """A field for a goal, a chooser of boards, and a bar for each memory.

    Attributes:
        refusal: Why what was typed last is no goal; empty if it is one.

    Signals:
        refused: Why a goal is none.
        understood: What was typed is a goal, or nothing.
        file_wanted: A file of boards is to be chosen.
    """

    refused = QtCore.Signal(str)
    understood = QtCore.Signal()
    file_wanted = QtCore.Signal()

    def __init__(self, session: Session, editor: Editor, parent=None):
        super().__init__(parent)
        self.session, self.editor = session, editor
        self.refusal = ""
        self.label = QtWidgets.QLabel("&Goal")
        self.goal = QtWidgets.QComboBox(insertPolicy=QtWidgets.QComboBox.InsertPolicy.NoInsert)
        self.line = QtWidgets.QLineEdit(placeholderText=NO_GOAL, clearButtonEnabled=True)
        self.goal.setLineEdit(self.line)  # without a completer: what is typed counts, not a proposal that begins so
        self.goal.setCompleter(None)  # type: ignore[arg-type]
        self.goal.setMinimumContentsLength(17)
        self.goal.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed)
        UndoKeys(self.goal, self.line)
        self._awaits = ""  # a goal that only a latency table makes one
        self.board = QtWidgets.QComboBox()
        self.board.setMinimumContentsLength(12)
        self.board.setSizeAdjustPolicy(QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        name(self.goal, "Goal of the cut", TIP)
        name(self.board, "Board", BOARD_TIP)
        board_label = QtWidgets.QLabel("&Board")
        for label, control in ((self.label, self.goal), (board_label, self.board)):
            label.setBuddy(control)
            control.setFocusPolicy(QtCore.Qt.FocusPolicy.StrongFocus)  # not by the wheel
            control.installEventFilter(self)
        self.ram, self.flash = MemoryBar("RAM"), MemoryBar("Flash")
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(6, 0, 6, 2)
        for widget in (self.label, self.goal, board_label, self.board, self.ram, self.flash):
            layout.addWidget(widget)
        self._connect()
        self._show_boards()
        self._show_document()

    def _connect(self):
        self.line.textEdited.connect(self._try)
        self.line.returnPressed.connect(self._decide)
        self.goal.activated.connect(self._decide)
        self.board.activated.connect(self._choose_board)
        self.ram.clicked.connect(self._go_to_peak)
        self.session.listen(DOCUMENT, self._show_document)
        self.session.listen(BOARD, self._show_boards)
        self.session.listen(LATENCY, self._propose)
        self.session.listen(LATENCY, self._try_again)
        for what in (CHOICES, PICTURE, BOARD):
            self.session.listen(what, self._show)

    # the goal

    def _try(self, text):
        """Follows what is typed as soon as it is a goal, or nothing any more."""
        with contextlib.suppress(ValueError):  # it may become one
            self.editor.set_goal(text)

    def _try_again(self):
        """Takes the time that was typed before there was a latency table."""
        if self._awaits and self.session.table is not None:
            text, self._awaits = self._awaits, ""
            self.editor.end_gesture()
            self._try(text)

    def eventFilter(self, watched, event):  # noqa: N802 (Qt's name)
        """Keeps the wheel from changing what it only passes over; shows the goal again that a refused one is not."""
        if watched is self.goal and event.type() == QtCore.QEvent.Type.FocusOut and event.reason() not in PASSING:
            self.line.setModified(False)
            self._show()
            self.line.setCursorPosition(0)  # a long goal is read from its beginning
        if event.type() == QtCore.QEvent.Type.Wheel and not watched.hasFocus():
            event.ignore()
            return True
        return super().eventFilter(watched, event)

    def _decide(self, *_):
        self.editor.end_gesture()
        self.line.setModified(False)
        text, self._awaits = self.goal.currentText(), ""
        try:
            self.editor.set_goal(text)
            self.refusal = ""
            self.understood.emit()
        except ValueError as error:
            self.refusal = str(error)
            self._awaits = text if self.refusal == NO_TABLE else ""
            self.refused.emit(self.refusal)
        self.editor.end_gesture()

    def take_focus(self):
        """Moves the focus to the goal, ready to be typed over."""
        self.goal.setFocus()
        self.line.selectAll()

    # the board

    def _choose_board(self, index):
        if self.board.itemText(index) == FROM_FILE:
            self._show_boards()  # what was chosen before, in case no file is
            self.file_wanted.emit()
            return
        self.choose(self.board.itemData(index))

    def choose(self, key: str | None):
        """Chooses a board by its name; if the goal is the board, it follows."""
        before, goal = self.session.board, self.session.choices.goal
        self.session.choose_board(self.session.boards[key] if key else None)
        if goal is not None and before is not None and goal.text == before.title:
            self.editor.set_goal(THIS_BOARD if key else "")

    def _show_boards(self):
        chosen = self.session.board
        self.board.clear()
        self.board.addItem(NO_BOARD, None)
        for key, board in self.session.boards.items():
            self.board.addItem(board.title, key)
        self.board.addItem(FROM_FILE, None)
        self.board.setCurrentIndex(self.board.findData(chosen.name) if chosen else 0)
        self._propose()

    # what is shown

    def _show_document(self):
        self._awaits = ""
        self.goal.setEnabled(self.session.measured is not None)
        self._propose()
        self._show()

    def _propose(self):
        opened, text = self.session.opened, self.goal.currentText()
        self.goal.clear()
        self.goal.addItems(proposals(opened.costs, self.session.board) if opened else [])
        self.goal.setCurrentIndex(-1)
        self.goal.setEditText(text)

    def _show(self):
        text = self.session.choices.goal.text if self.session.choices.goal else ""
        if text != self.line.text() and not (self.line.hasFocus() and self.line.isModified()):  # what is typed stays
            self.goal.setEditText(text)
            self.line.setCursorPosition(0)
        tip = f"{text}. {TIP}" if text else TIP
        self._explain(tip if self.session.measured else f"{TIP}. Not now: nothing is measured yet")
        self.label.setText("&Goal…" if self.session.pending else "&Goal")
        self._show_memory()

    def _explain(self, tip):
        self.goal.setStatusTip(tip)
        self.goal.setToolTip(tip)

    def _show_memory(self):
        session, opened = self.session, self.session.opened
        for bar in (self.ram, self.flash):
            bar.setVisible(opened is not None)
        if opened is None:
            return
        costs = session.cut.costs if session.measured else opened.costs
        peak = f"The peak stands at {costs.ram_layer}. " if costs.ram_layer else ""
        for bar, measure, details in ((self.ram, "ram", peak + RAM), (self.flash, "flash", FLASH)):
            room, of = self._room(measure, getattr(opened.costs, measure))
            bar.show_need(getattr(costs, measure), room, of, details)

    def _room(self, measure, before):
        """How much there is of a memory, and what says so: the board, else the goal, else the network before."""
        board, goal = self.session.board, self.session.choices.goal
        if board is not None:
            return getattr(board, measure), board.title
        asked = amount_of(goal.target[measure]) if goal and measure in goal.target else None
        return (int(asked), "the goal") if asked else (before, BEFORE)

    def _go_to_peak(self):
        """Points at the first layer whose filters lie at the peak, a free one if there is any."""
        rows = [row for row in self.session.rows if row.name in self.session.at_peak]
        if rows:
            self.session.point_at(min(rows, key=lambda row: bool(row.locked)).name)
