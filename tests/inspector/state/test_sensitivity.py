"""What each layer can lose by itself, as the command line wrote it."""

import json

import pytest

from inspector.state.sensitivity import Sensitivity, beside


def written(path, session, **changed):
    group = next(group for group in session.opened.graph.groups if len(group) > 1)
    fields = {
        "monitor": "accuracy",
        "baseline": 0.9,
        "shares": [0.25, 0.5],
        "values": {group[0]: [0.89, 0.7], "a1": [0.5, float("nan")]},
        "partners": {group[0]: group, "a1": ["a1"]},
    }
    path.write_text(json.dumps({**fields, **changed}))
    return group


def test_layers_that_lose_filters_together_share_what_they_can_lose(session, files):
    path = beside(files[0])
    group = written(path, session)
    found = Sensitivity.read(path, session.opened.graph)
    assert path.name == "net.sensitivity.json" and found.rate(group[-1]) == 0.25 and found.rate("a1") == 0.0
    assert found.rate(group[0], tolerance=0.3) == 0.5 and found.rate("elsewhere") is None
    said = f"accuracy 0.900; if only {group[1]} is cut: 0.890 without 25%, 0.700 without 50%. Nothing is trained."
    assert found.words(group[1]) == said and "unknown without 50%" in found.words("a1")
    written(path, session, criterion="fire")
    found = Sensitivity.read(path, session.opened.graph)
    assert f"if only {group[1]} is cut, ranked by FIRE: 0.890" in found.words(group[1])


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"partners": {"a1": ["other"]}}, "is of another model, with a layer 'other'"),
        ({"shares": [0.5]}, "is of another model"),
        ({"shares": "all"}, "is not a sensitivity analysis"),
    ],
)
def test_what_is_of_another_model_is_refused(session, files, changed, why):
    written(beside(files[0]), session, **changed)
    with pytest.raises(ValueError, match=why):
        Sensitivity.read(beside(files[0]), session.opened.graph)
