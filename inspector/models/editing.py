"""Changes to the choices, each of which can be undone."""

from __future__ import annotations

from PySide6 import QtCore, QtGui

from inspector.state import Choices, Session

PAUSE = 1500  # milliseconds after which the next movement of a slider is a change of its own


class ChoiceCommand(QtGui.QUndoCommand):
    """A change from some choices to others.

    Args:
        session: The `Session`.
        after: The new choices.
        text: A description of the change, for the menu.
        gesture: Changes of the same gesture, such as the drag of a slider, are undone together; 0 for none.
    """

    def __init__(self, session: Session, after: Choices, text: str, gesture: int):
        super().__init__(text)
        self._session, self._before, self._after, self._gesture = session, session.choices, after, gesture

    def id(self):
        return self._gesture or -1

    def mergeWith(self, other):  # noqa: N802 (Qt's name)
        if not isinstance(other, ChoiceCommand):
            return False
        self._after = other._after
        return True

    def redo(self):
        self._session.choose(self._after)

    def undo(self):
        self._session.choose(self._before)


class Editor(QtCore.QObject):
    """Makes changes to a session's choices, and remembers them."""

    def __init__(self, session: Session, parent=None):
        super().__init__(parent)
        self.session = session
        self.stack = QtGui.QUndoStack(self)
        self._gesture, self._what = 0, ""
        self._pause = QtCore.QTimer(self, singleShot=True, interval=PAUSE)
        self._pause.timeout.connect(self.end_gesture)

    def end_gesture(self):
        """The next change is undone separately."""
        self._what = ""

    def set_ratio(self, ratio: float):
        """Changes the ratio."""
        self._push(self.session.choices.with_ratio(ratio), "change of the filters to remove", "ratio")

    def set_caps(self, names, share: float | None):
        """Caps layers, and those coupled with them; `None` removes the caps."""
        names = list(names)
        what = names[0] if len(names) == 1 else f"{len(names)} layers"
        text = f"cap on {what}" if share is not None else f"no cap on {what}"
        self._push(self.session.with_caps(names, share), text, f"cap {names}")

    def set_locks(self, names, locked: bool):
        """Locks or unlocks layers, and those coupled with them."""
        names = list(names)
        what = names[0] if len(names) == 1 else f"{len(names)} layers"
        self._push(self.session.with_locks(names, locked), f"{'lock' if locked else 'unlock'} {what}", "")

    def set_limits(self, round_to: int, min_keep: float):
        """Changes the limits of all layers."""
        changed = Choices(
            self.session.choices.ratio, self.session.choices.caps, self.session.choices.locked, round_to, min_keep
        )
        self._push(changed, "change of the limits", "limits")

    def take(self, choices: Choices):
        """Makes these the choices, as one change."""
        self._push(choices, "opening of choices", "")

    def _push(self, choices, text, what):
        if choices == self.session.choices:
            return
        if what != self._what or not what:
            self._gesture, self._what = self._gesture + 1, what
        self._pause.start()
        self.stack.push(ChoiceCommand(self.session, choices, text, self._gesture if what else 0))
