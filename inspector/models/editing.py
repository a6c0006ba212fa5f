"""Changes to the choices, each of which can be undone."""

from __future__ import annotations

import dataclasses
import threading
from concurrent import futures

from PySide6 import QtCore, QtGui

from inspector.state import CHOICES, Choices, Measured, Session

SOON, IDLE = 40, 400  # milliseconds after the last change to look for the cut that reaches a goal, and for its reasons
LOOK = 10  # milliseconds between looks at whether it is found
PAUSE = 1500  # milliseconds after which the next movement of a slider is a change of its own


def _fulfill(promise: futures.Future, work, choices, between):
    try:
        promise.set_result(work(choices, between))
    except BaseException as error:  # whoever asks for the result gets it
        promise.set_exception(error)


class EndedError(Exception):
    """A search that nobody waits for any more."""


class Search:
    """A search in a thread of its own, which knows nothing of Qt: the window may be gone when it ends.

    Args:
        work: What it does, with the choices and a function that it calls between its steps.
        choices: The choices that it searches for.
        then: Who takes the `Future` of the result.
    """

    def __init__(self, work, choices: Choices, then):
        self.choices, self.then = choices, then
        self.result: futures.Future = futures.Future()
        self._ended = threading.Event()
        # A daemon, since a closed window waits for nothing; a process would have to be sent the graph
        threading.Thread(target=_fulfill, args=(self.result, work, choices, self._go_on), daemon=True).start()

    def _go_on(self):
        if self._ended.is_set():
            raise EndedError

    def end(self):
        """Ends it at its next step."""
        self._ended.set()


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
        self.setText(other.text())
        return True

    def redo(self):
        self._session.choose(self._after)

    def undo(self):
        self._session.choose(self._before)


class Editor(QtCore.QObject):
    """Makes changes to a session's choices, and remembers them; finds the cut that reaches a goal, beside all else."""

    def __init__(self, session: Session, parent=None):
        super().__init__(parent)
        self.session = session
        self.stack = QtGui.QUndoStack(self)
        self._gesture, self._what = 0, ""
        self._pause = QtCore.QTimer(self, singleShot=True, interval=PAUSE)
        self._pause.timeout.connect(self.end_gesture)
        self._soon = QtCore.QTimer(self, singleShot=True, interval=SOON)
        self._soon.timeout.connect(self._reach)
        self._at_work: Search | None = None
        self._look = QtCore.QTimer(self, interval=LOOK)
        self._look.timeout.connect(self._take)
        self._idle = QtCore.QTimer(self, singleShot=True, interval=IDLE)
        self._idle.timeout.connect(self._plan)
        session.listen(CHOICES, self._reach_soon)

    def _reach_soon(self):
        """A drag goes on meanwhile: with a goal, a cut takes longer to find than a frame lasts."""
        if self.session.pending:
            self._soon.start()

    def _reach(self):
        """Begins to look for the cut that reaches the goal; an earlier search ends first."""
        measured = self.session.measured
        if self._at_work is not None:
            self._at_work.end()
        elif measured is not None and measured.pending:
            choices = measured.choices
            then = lambda done: self._take_found(measured, choices, done)  # noqa: E731
            self._submit(measured.planner.preview, choices, then)

    def _plan(self):
        """Makes the plan of a goal, which a click on a filter asks for and which takes as long as to find the cut."""
        measured, choices = self.session.measured, self.session.choices
        if measured is None or measured.pending or choices.goal is None:
            return
        if self._at_work is None and not self.session.missed:  # then there is none
            self._submit(lambda choices, _between: measured.planner.plan(choices), choices, lambda _: None)

    def _submit(self, work, choices, then):
        self._at_work = Search(work, choices, then)
        self._look.start()

    def _take(self):
        """Takes what a search came to, if it is over, and begins the one that was asked for meanwhile."""
        search = self._at_work
        if search is None or not search.result.done():
            return
        self._look.stop()
        self._at_work = None
        search.then(search.result)
        self._reach()

    def _take_found(self, measured: Measured, choices: Choices, done: futures.Future):
        """Shows a cut that was found, unless it answers an old question."""
        ended = isinstance(done.exception(), EndedError)
        if measured is self.session.measured and choices == measured.choices and measured.pending and not ended:
            self.session.reach(done.result())
            self._idle.start()

    def end_search(self):
        """Ends the search for a cut that reaches the goal; the filters to remove stay as they are shown."""
        if self.session.pending:
            self.end_gesture()
            self.set_goal("")
            self._reach()

    def end_gesture(self):
        """The next change is undone separately."""
        self._what = ""

    def set_ratio(self, ratio: float):
        """Changes the ratio."""
        self._push(self.session.choices.with_ratio(ratio), "change of the filters to remove", "ratio")

    def set_goal(self, text: str):
        """Makes a goal decide instead of the ratio; an empty text leaves the ratio where the goal took it.

        Raises:
            ValueError: If the text is no goal.
        """
        session = self.session
        choices = session.choices.with_ratio(session.ratio)
        if text.strip():
            choices = dataclasses.replace(session.choices, goal=session.goal_of(text))
        self._push(choices, f"goal of {text.strip()}" if text.strip() else "no goal", "goal")

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
        changed = dataclasses.replace(self.session.choices, round_to=round_to, min_keep=min_keep)
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
