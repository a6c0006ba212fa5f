"""Long work in a child process, with signals for its events, its progress and its end; it can be aborted."""

from __future__ import annotations

import dataclasses
import json
import re
import signal
import sys

from PySide6 import QtCore

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
WARNING = "Warning: "  # as firekeras begins one
PATIENCE = 3000  # milliseconds for a child to end by itself


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a child process ended.

    Args:
        ok: Whether it succeeded.
        aborted: Whether it was aborted.
        words: What went wrong; empty if nothing did.
        warnings: What it warned of.
    """

    ok: bool
    aborted: bool
    words: str
    warnings: tuple[str, ...] = ()

    def state(self, title: str) -> str:
        """Whether something is done, in one line, without what went wrong.

        Args:
            title: A text on the work.
        """
        return f"{title}: {'done' if self.ok else 'aborted' if self.aborted else 'failed'}."

    def sentence(self, title: str) -> str:
        """How something ended.

        Args:
            title: A text on the work.
        """
        if self.ok:
            return f"{title}: done."
        return f"{title} was aborted." if self.aborted else f"{title} failed: {self.words}"


def firekeras_command(arguments) -> list[str]:
    """The command line of firekeras, run by the same Python."""
    return [sys.executable, "-m", "firekeras", *map(str, arguments)]


class Job(QtCore.QObject):
    """Runs one command.

    Signals:
        reported: A line of JSON on its standard output, as a dict, except reports of progress.
        said: Any other line on its standard output.
        complained: A line of its standard error.
        progressed: How much is done, and the total.
        ended: The `Outcome`; emitted once, as the last signal.
    """

    reported = QtCore.Signal(dict)
    said = QtCore.Signal(str)
    complained = QtCore.Signal(str)
    progressed = QtCore.Signal(int, int)
    ended = QtCore.Signal(object)

    def __init__(self, command, title: str, parent=None):
        super().__init__(parent)
        self.command, self.title = [str(part) for part in command], title
        self._aborted = self._over = False
        self._complaints: list[str] = []
        self._waiting = {"out": b"", "err": b""}
        self._process = QtCore.QProcess(self)
        self._process.setProcessEnvironment(_environment())
        self._process.readyReadStandardOutput.connect(self._read_output)
        self._process.readyReadStandardError.connect(self._read_errors)
        self._process.finished.connect(self._finished)
        self._process.errorOccurred.connect(self._failed)
        self._impatience = QtCore.QTimer(self, singleShot=True, interval=PATIENCE)
        self._impatience.timeout.connect(self._process.kill)

    def start(self):
        """Starts the command."""
        self._process.start(self.command[0], self.command[1:])

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.state() != QtCore.QProcess.ProcessState.NotRunning

    @property
    def pid(self) -> int:
        """The process id; 0 if it is not running."""
        return self._process.processId()

    def abort(self):
        """Ends the process: asks first, then forces it."""
        if self.running:
            self._aborted = True
            self._process.terminate()
            self._impatience.start()

    def abort_and_wait(self):
        """Ends the process, and waits for it."""
        self.abort()
        if self.running and not self._process.waitForFinished(PATIENCE):
            self._process.kill()
            self._process.waitForFinished(PATIENCE)

    def _read_output(self):
        for line in self._lines("out", bytes(self._process.readAllStandardOutput().data())):
            self._tell(line)

    def _tell(self, line):
        event = _parsed(line)
        if event is None:
            self.said.emit(line)
        elif event["event"] == "progress":
            self.progressed.emit(event["done"], event["total"] or 0)
        else:
            self.reported.emit(event)

    def _read_errors(self):
        for line in self._lines("err", bytes(self._process.readAllStandardError().data()).replace(b"\r", b"\n")):
            self._complaints = [*self._complaints[-199:], line]
            self.complained.emit(line)

    def _lines(self, stream, data):
        """Yields whole lines, without colours; an unfinished line waits for its end."""
        *lines, self._waiting[stream] = (self._waiting[stream] + data).split(b"\n")
        texts = [ANSI.sub("", line.decode("utf-8", "replace")).rstrip() for line in lines]
        return [text for text in texts if text]

    def _failed(self, error):
        if error == QtCore.QProcess.ProcessError.FailedToStart:
            self._end(Outcome(False, False, f"{self.command[0]} could not be started: {self._process.errorString()}."))

    def _finished(self, code, status):
        self._impatience.stop()
        for stream in self._waiting:
            self._waiting[stream] += b"\n"
        self._read_output()
        self._read_errors()
        crashed = status == QtCore.QProcess.ExitStatus.CrashExit
        ok = not crashed and code == 0 and not self._aborted
        warnings = [line.removeprefix(WARNING) for line in self._complaints if line.startswith(WARNING)]
        self._end(Outcome(ok, self._aborted, "" if ok or self._aborted else self._why(code, crashed), tuple(warnings)))

    def _why(self, code, crashed):
        """The last line that it wrote, which is firekeras' own message if firekeras refused."""
        if crashed:
            killed = f"The process was killed by {_signal(code)}, possibly because it ran out of memory."
            return f"{killed} {self._last_words()}".strip()
        return self._last_words() or f"The process ended with code {code} and without output."

    def _last_words(self):
        traced = any(line.startswith("Traceback") for line in self._complaints)
        last = self._complaints[-1] if self._complaints else ""
        return f"{last} (The log has the whole traceback.)" if traced else last

    def _end(self, outcome):
        if not self._over:
            self._over = True
            self.ended.emit(outcome)


def _parsed(line):
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None


def _signal(code):
    try:
        return signal.Signals(code).name
    except ValueError:
        return f"signal {code}"


def _environment():
    environment = QtCore.QProcessEnvironment.systemEnvironment()
    environment.insert("PYTHONUNBUFFERED", "1")
    environment.insert("PYTHONUTF8", "1")
    environment.insert("COLUMNS", "200")
    return environment
