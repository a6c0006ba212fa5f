"""Figures are whole SVG files that say what they show."""

import itertools
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

from inspector.figures import FIGURES, Look, height_of_heatmap
from inspector.figures.architecture import _Row
from inspector.figures.drawing import Drawing, fitted, text_width
from inspector.state import palette
from inspector.state.comparison import Comparison, Mode

SVG = "{http://www.w3.org/2000/svg}"


def drawn(session, figure, **changes):
    look = {"title": "A title", "caption": "What it shows.", "width": 180.0, "height": height_of_heatmap(session)}
    return ElementTree.fromstring(FIGURES[figure](session, Look(**{**look, **changes})).svg())


def texts(root):
    return [text.text for text in root.iter(f"{SVG}text")]


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_has_its_size_its_texts_and_all_names(session, figure):
    root = drawn(session, figure, width=90.0)
    assert root.get("width") == "90mm" and root.get("viewBox").startswith("0 0 255.12 ")
    assert {"A title", "What it shows.", *(row.name for row in session.rows)} <= set(texts(root))


def test_the_heatmap_has_the_colours_of_the_scores_and_hatches_what_goes(session):
    session.choose(session.choices.with_ratio(0.3))
    root = drawn(session, "Heatmap")
    fire = session.measured.planner.fire
    shown = {rect.get("fill") for rect in root.iter(f"{SVG}rect")}
    for value in fire[fire == fire]:
        colour = palette.FIRE[min(255, int(value * 256))]
        assert "#" + "".join(f"{part:02x}" for part in colour.tolist()) in shown
    assert "to remove" in texts(root) and len(list(root.iter(f"{SVG}path"))) > 2
    session.choose(session.choices.with_ratio(0))
    assert len(list(drawn(session, "Heatmap").iter(f"{SVG}path"))) == 2  # the sign in the legend


def test_cells_of_a_heatmap_leave_no_seams(session):
    session.choose(session.choices.with_ratio(0))
    rects = [rect for rect in drawn(session, "Heatmap").iter(f"{SVG}rect") if rect.get("x") != "0.00"]
    places = [tuple(float(rect.get(side)) for side in ("y", "x", "width")) for rect in rects]
    beside = [(a, b) for a, b in itertools.pairwise(places) if a[0] == b[0] and b[1] - a[1] - a[2] < 0.05]
    assert len(beside) > 20 and all(x + width > following + 0.1 for (_, x, width), (_, following, _) in beside)


def test_the_heatmap_of_a_difference_says_so(session):
    session.compare(Comparison.of(session.measured.profile, session.measured.profile, "later"), Mode.DIFFERENCE)
    shown = texts(drawn(session, "Heatmap"))
    assert "Change of FIRE  -1" in shown and "to remove" not in shown


def test_two_networks_in_one_heatmap_are_divided_by_a_line_and_named(session):
    measured = session.measured
    session.compare(Comparison.of_cuts(measured.profile, measured.plan(session.choices).removed, "smaller"), Mode.SPLIT)
    assert session.mode is Mode.CUTS  # nobody measured it
    session.compare(Comparison.of(measured.profile, measured.profile, "again"), Mode.SPLIT)
    session.split = 3
    root = drawn(session, "Heatmap")
    assert "left: before; right: again" in texts(root)


def test_blocks_are_as_high_as_layers_are_wide(session):
    session.choose(session.choices.with_ratio(0.5))
    root = drawn(session, "Architecture before and after")
    heights = [float(rect.get("height")) for rect in root.iter(f"{SVG}rect") if rect.get("stroke") is None][1:]
    rows = session.rows
    before, after = heights[: len(rows)], heights[len(rows) : 2 * len(rows)]
    scale = before[0] / rows[0].filters
    assert before == pytest.approx([row.filters * scale for row in rows], abs=0.02)
    assert after == pytest.approx([session.cut.widths[row.name] * scale for row in rows], abs=0.02)
    assert any(text.startswith("After: ") and "parameters (-" in text for text in texts(root))


def test_widths_of_many_layers_do_not_read_as_one_number():
    """Beside each other while there is room, else upright."""
    for step, upright in ((40.0, False), (7.0, True)):
        drawing = Drawing(Look("", "", 180.0, 90.0))
        rows = [SimpleNamespace(name=f"conv{number}", kind="Conv2D", filters=512) for number in range(9)]
        widths = {row.name: 512 for row in rows}
        _Row(drawing, 10.0, 80.0, step).draw("Before", rows, widths, widths, {"Conv2D": "#000000"})
        root = ElementTree.fromstring(drawing.svg())
        numbers = [text for text in root.iter(f"{SVG}text") if text.text == "512"]
        size = float(numbers[0].get("font-size"))
        assert all(("transform" in number.attrib) == upright for number in numbers) and len(numbers) == 9
        assert (size if upright else text_width("512", size)) <= 0.81 * step and size >= 5


def test_names_are_shortened_where_that_keeps_them_apart():
    names = [f"block_{number}_depthwise_convolution" for number in range(9)]
    size, shortened = fitted(names, 7, 60)
    assert size == 4.5 and len(set(shortened)) == 9 and all("…" in name for name in shortened)
    assert fitted(["short"], 7, 60) == (7, ["short"])


def test_texts_of_strangers_are_no_markup():
    drawing = Drawing(Look("<a>&", "", 50, 50))
    assert "&lt;a&gt;&amp;" in drawing.svg()
