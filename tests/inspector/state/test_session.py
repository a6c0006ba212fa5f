from pathlib import Path

import numpy as np
import pytest
from random_graphs import random_graph

from inspector.state.choices import Choices
from inspector.state.comparison import Mode
from inspector.state.documents import Document, open_document
from inspector.state.session import CELL, CHOICES, DOCUMENT, Session


def test_an_empty_session_takes_choices():
    session = Session()
    session.choose(Choices(ratio=0.5))
    assert session.measured is None and session.rows == []


def test_opening_notifies_the_views(files):
    heard, session = [], Session()
    for what in (DOCUMENT, CHOICES, CELL):
        session.listen(what, lambda what=what: heard.append(what))
    session.open(open_document(files[0]))
    assert heard == [DOCUMENT, CHOICES, CELL]
    assert [row.name for row in session.rows] == session.measured.profile.graph.filter_layers
    session.document.weights.close()


def test_a_cap_is_for_all_layers_that_lose_filters_together(session):
    group = next(group for group in session.measured.planner.graph.groups if len(group) > 1)
    choices = session.with_caps([group[-1]], 0.25)
    assert choices.caps == dict.fromkeys(group, 0.25)
    assert session.with_locks(group[:1], True).locked == frozenset(group)
    row = session.rows[session.opened.row_of(group[0])]
    assert set(row.partners) == set(group) - {group[0]}


def test_caps_hold_in_the_preview(session):
    free = [row.name for row in session.rows if not row.locked]
    session.choose(session.with_caps(free, 0.25).with_ratio(0.9))
    for name in free:
        width = session.measured.planner.widths[name]
        assert width - session.measured.preview.widths[name] <= 0.25 * width
    session.choose(session.with_locks(free, True))
    assert session.measured.preview.num_gone == 0


def test_rows_that_cannot_lose_anything_are_those_without_a_place(session):
    for row in session.rows:
        places = [session.measured.place(row.name, filter) for filter in range(row.filters)]
        assert bool(row.locked) == (not any(places))


def test_pointing_notifies_once(session):
    heard = []
    session.listen(CELL, lambda: heard.append(session.layer))
    for _ in range(2):
        session.point_at(session.rows[0].name, 1)
    assert heard == [session.rows[0].name]


def test_modes_are_kept(session):
    session.compare(None, Mode.SPLIT)
    assert session.mode is Mode.SPLIT and session.comparison is None


def test_what_is_missing_is_said():
    session = Session()
    for need in (session.need_document, session.need_opened, session.need_measured):
        with pytest.raises(ValueError, match="Nothing is open"):
            need()
    session.document = Document(Path("net.keras"))
    with pytest.raises(ValueError, match=r"The layers of net[.]keras are still being read"):
        session.need_opened()
    session.show_structure(random_graph(np.random.default_rng(0)))
    with pytest.raises(ValueError, match=r"net[.]keras is not measured yet"):
        session.need_measured()


def test_the_shape_of_an_image_is_read_from_the_model(session):
    assert session.input_shape == (8, 8, 3)
