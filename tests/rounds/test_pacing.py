"""Paces: how many epochs follow a cut."""

from types import SimpleNamespace

import pytest

from firekeras.rounds.pacing import ToTarget


@pytest.mark.any_backend
@pytest.mark.parametrize(("spent", "left"), [(0, 8), (5, 3), (8, 0), (10**9, 0)])
def test_no_epochs_are_left_where_more_are_on_record_than_there_are(spent, left):
    pace = ToTarget(SimpleNamespace(share=0.5), 8)
    assert pace.epochs_after(SimpleNamespace(epochs_spent=spent), None, arrived=True) == left
    assert 0 <= pace.epochs_after(SimpleNamespace(epochs_spent=spent), None, arrived=False) <= left
