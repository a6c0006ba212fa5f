"""Tasks need no window: whoever listens hears all that they say."""

import pytest

from inspector.children.job import Outcome
from inspector.state.documents import open_document
from inspector.state.message import Message
from inspector.state.session import Session
from inspector.tasks.task import Task
from inspector.tasks.timing import Timing


class Work(Task):
    """As far as tasks need to know of what runs."""

    reported = Task.status


def heard(task, signal):
    """What a signal carries, from now on."""
    messages = []
    getattr(task, signal).connect(lambda *message: messages.append(message))
    return messages


def refuse():
    raise ValueError("It is\nnot there.")


@pytest.mark.parametrize(
    ("outcome", "words"),
    [(Outcome(False, False, "full disk"), "It failed: full disk"), (Outcome(False, True, ""), "It was aborted.")],
)
def test_what_did_not_go_well_is_said_with_a_way_out(outcome, words):
    task = Task(Session())
    said = heard(task, "said")
    assert task.failed(outcome, "It", "&Again", refuse)
    (first,) = said[0]
    assert (first.text, first.error, first.way_out) == (words, not outcome.aborted, "&Again")
    first.then()  # what the way out does may refuse, too
    assert said[1] == (Message("It is not there.", error=True),)


def test_what_went_well_is_not():
    task = Task(Session())
    said = heard(task, "said")
    assert not task.failed(Outcome(True, False, ""), "It", "&Again", refuse) and said == []


def test_a_task_wishes_for_a_command_and_goes_on_with_its_outcome(files):
    session = Session()
    session.open(open_document(files[0]))
    timing = Timing(session, Work(session))
    wished, said = heard(timing, "wished"), heard(timing, "said")
    timing.start()
    command, title, then = wished[0]
    assert "prune" in command and title == "Pruning a copy of net.keras"
    then(Outcome(False, True, ""))
    assert len(wished) == 1 and said[0][0].text == "Measuring latency of net.keras was aborted."
    session.close()
