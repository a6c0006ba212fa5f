"""What is printed for people: plain text only, and at most one line that changes."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.segment import Segment
from rich.status import Status
from rich.text import Text

from firekeras.refusals import printable

LINE_ENDS = re.compile(r"[^\n]+")
SPINNER = 3  # characters before the text of the live line


class Terminal(Console):
    """A console for text that comes from files: a control character in it becomes a space.

    If the reader of its output goes away, it falls silent; the work goes on.
    """

    def render(self, renderable, options=None):
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(_printable_lines(segment.text), segment.style)

    def on_broken_pipe(self):
        self.quiet = True
        nobody_reads(self.file)


def _printable_lines(text):
    return text if text.isprintable() else LINE_ENDS.sub(lambda line: printable(line[0]), text)


def nobody_reads(file):
    """Sends what is still written to a closed pipe nowhere, also what Python flushes as it ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, file.fileno())
        os.close(nowhere)


def write_line(text: str) -> bool:
    """Writes a line to standard output at once; returns False if its reader has gone away, and nothing happens."""
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        nobody_reads(sys.stdout)
        return False
    return True


class LiveLine:
    """The line at the bottom of a terminal that says what is going on; there is one for the whole process.

    An activity within another replaces its text while it lasts. Where the output is no terminal nothing is shown.
    """

    def __init__(self):
        self._lock = threading.RLock()
        self._activities: list[Activity] = []
        self._status: Status | None = None
        self._room = 0

    def begin(self, activity: Activity, console: Console | None):
        """Shows an activity; the first one decides on which console."""
        with self._lock:
            self._activities.append(activity)
            console = console or Terminal(stderr=True, highlight=False)
            if self._status is None and console.is_terminal:
                self._room = max(1, console.width - SPINNER)
                self._status = console.status(self)  # which asks for the text whenever it draws
                self._status.start()
            self.show()

    def end(self, activity: Activity):
        """Goes back to the activity that this one was part of."""
        with self._lock:
            self._activities.remove(activity)
            self.show()
            if self._status is not None and not self._activities:
                self._status.stop()
                self._status = None

    def show(self):
        """Shows the newest activity."""
        with self._lock:
            if self._status is not None and self._activities:
                self._status.update(self)

    def __rich__(self) -> Text:
        return self.text

    @property
    def text(self) -> Text:
        """What is shown now."""
        newest = self._activities[-1:]  # no lock: the thread that draws must not wait for one that prints
        text = Text(printable(newest[0].now if newest else ""))
        text.truncate(self._room, overflow="ellipsis")
        return text


LIVE = LiveLine()


class Activity:
    """What is going on, on the live line.

    Args:
        text: The text to begin with; or a function that returns it, if it changes with time.
    """

    def __init__(self, text: str | Callable[[], str]):
        self.text = text

    @property
    def now(self) -> str:
        """The text at this moment."""
        return self.text() if callable(self.text) else self.text

    def update(self, text: str | Callable[[], str]):
        """Replaces the text."""
        self.text = text
        LIVE.show()


@contextlib.contextmanager
def activity(text: str, console: Console | None = None) -> Iterator[Activity]:
    """Shows an activity on the live line while the block runs.

    Args:
        text: What is going on.
        console: The console that others print lines to meanwhile. Defaults to None: standard error.
    """
    shown = Activity(text)
    LIVE.begin(shown, console)
    try:
        yield shown
    finally:
        LIVE.end(shown)


def written(path: str | os.PathLike, replaced: bool) -> str:
    """Says that a file was written, and whether in the place of another."""
    return f"Written: {path}{', in place of the file of that name' if replaced else ''}"
