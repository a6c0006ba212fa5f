"""What the command line spells itself, since --help must not wait for NumPy."""

from firekeras.cli.compress import MAY_CHANGE, TARGETS
from firekeras.rounds import journal, targets


def test_the_options_for_targets_are_the_measures_of_targets():
    assert targets.MEASURES == TARGETS


def test_what_may_change_on_resume_is_what_a_journal_lets_change():
    others = set(MAY_CHANGE) - set(TARGETS)
    assert {"target", *others} == {*journal.MAY_CHANGE, *journal.MAY_GROW}
