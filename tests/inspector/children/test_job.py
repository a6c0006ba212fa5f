import sys

from recorded import command

from inspector.children.job import Job


class Heard:
    """What a job reported, and how it ended."""

    def __init__(self, qtbot, parts, before_end=None):
        self.job = Job(parts, "Test")
        self.events, self.lines, self.progress, self.outcomes = [], [], [], []
        self.job.reported.connect(self.events.append)
        self.job.said.connect(self.lines.append)
        self.job.complained.connect(self.lines.append)
        self.job.progressed.connect(lambda done, of: self.progress.append((done, of)))
        self.job.ended.connect(self.outcomes.append)
        with qtbot.waitSignal(self.job.ended, timeout=20000):
            self.job.start()
            if before_end:
                before_end(self)
        assert not self.job.running and len(self.outcomes) == 1

    @property
    def outcome(self):
        return self.outcomes[0]


def test_events_lines_and_progress_come_apart(qtbot, tmp_path):
    steps = [{"out": '{"event": "start", "baseline": 0.9}'}, {"out": "Written: x.keras"}, {"out": "[1, 2]"}]
    steps += [{"out": '{"event": "progress", "done": 2, "total": 5}'}, {"err": "\x1b[32m3/16\x1b[0m warnings"}]
    steps += [{"out": '{"event": "progress", "done": 3, "total": null}'}]
    heard = Heard(qtbot, command(tmp_path, steps))
    assert heard.events == [{"event": "start", "baseline": 0.9}]
    assert sorted(heard.lines) == ["3/16 warnings", "Written: x.keras", "[1, 2]"]
    assert heard.progress == [(2, 5), (3, 0)]
    assert heard.outcome.ok and heard.outcome.words == ""


def test_a_line_in_two_parts_is_one_and_the_last_needs_no_end(qtbot, tmp_path):
    steps = [{"raw": '{"event": "ep'}, {"sleep": 0.1}, {"raw": 'och", "n": 1}\n{"event": "stop"}'}]
    heard = Heard(qtbot, command(tmp_path, steps))
    assert heard.events == [{"event": "epoch", "n": 1}, {"event": "stop"}]


def test_what_it_says_last_is_why_it_failed(qtbot, tmp_path):
    refusal = "model.keras was not loaded: layer 'mine' needs the class 'Mine'."
    heard = Heard(qtbot, command(tmp_path, [{"err": "noise"}, {"err": f"\x1b[31m{refusal}\x1b[0m"}, {"exit": 1}]))
    assert not heard.outcome.ok and not heard.outcome.aborted
    assert heard.outcome.words == refusal


def test_what_it_warned_of_is_kept(qtbot, tmp_path):
    steps = [{"err": "12 images"}, {"err": "\x1b[33mWarning: The scale is suspect.\x1b[0m"}, {"out": "Written"}]
    heard = Heard(qtbot, command(tmp_path, steps))
    assert heard.outcome.ok and heard.outcome.warnings == ("The scale is suspect.",)


def test_a_traceback_is_one_line_and_the_log_has_the_rest(qtbot):
    heard = Heard(qtbot, [sys.executable, "-c", "raise KeyError('lost')"])
    assert heard.outcome.words == "KeyError: 'lost' (The log has the whole traceback.)"
    assert any(line.startswith("Traceback") for line in heard.lines)


def test_a_silent_failure_has_a_code(qtbot, tmp_path):
    heard = Heard(qtbot, command(tmp_path, [{"exit": 3}]))
    assert heard.outcome.words == "The process ended with code 3 and without output."


def test_a_killed_child_is_reported(qtbot, tmp_path):
    heard = Heard(qtbot, command(tmp_path, [{"out": "working"}, {"kill": True}]))
    assert "was killed by SIGKILL" in heard.outcome.words and not heard.outcome.ok


def test_a_program_that_is_not_there(qtbot):
    heard = Heard(qtbot, ["/nowhere/python"])
    assert "could not be started" in heard.outcome.words


def test_abort_ends_it(qtbot, tmp_path):
    waiting = command(tmp_path, [{"out": "working"}, {"sleep": 60}])
    heard = Heard(qtbot, waiting, lambda one: (qtbot.waitUntil(lambda: one.lines == ["working"]), one.job.abort()))
    assert heard.outcome.aborted and not heard.outcome.ok and heard.outcome.words == ""


def test_a_deaf_child_is_killed(qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr("inspector.children.job.PATIENCE", 200)
    waiting = command(tmp_path, [{"deaf": True}, {"out": "deaf"}, {"sleep": 60}])
    heard = Heard(qtbot, waiting, lambda one: (qtbot.waitUntil(lambda: one.lines == ["deaf"]), one.job.abort()))
    assert heard.outcome.aborted
    waiting = command(tmp_path, [{"deaf": True}, {"out": "deaf"}, {"sleep": 60}])
    ready = lambda one: (qtbot.waitUntil(lambda: one.lines == ["deaf"]), one.job.abort_and_wait())  # noqa: E731
    assert Heard(qtbot, waiting, ready).outcome.aborted
