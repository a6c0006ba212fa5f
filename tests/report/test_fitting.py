import io

import pytest

from firekeras.report.fitting import FittingTable
from firekeras.terminal import Terminal

LAYER = "mobilenetv2_1.00_96/block_1_expand"


def drawn(table, width):
    console = Terminal(file=io.StringIO(), width=width)
    console.print(table)
    return console.file.getvalue()


def numbers(**settings):
    columns = ("layer", *(f"{k}0%" for k in range(1, 10)), "within 0.02")
    table = FittingTable("Accuracy", columns, **settings)
    table.add_row(LAYER, *["0.875"] * 9, "30%")
    return table


@pytest.mark.parametrize(("width", "shares"), [(200, 9), (80, 3), (60, 1)])
def test_columns_are_left_out_and_named_and_words_stay_whole(width, shares):
    spare = [f"{k}0%" for k in (2, 4, 6, 8, 1, 3, 5, 7)]
    text = drawn(numbers(spare=spare), width)
    assert text.count("0.875") == shares and LAYER in text and "30%" in text
    assert max(map(len, text.splitlines())) <= width
    assert ("Not shown, for lack of room: " in text) == (shares < 9)


def test_columns_go_on_in_a_further_table():
    text = drawn(numbers(goes_on=True), 60)
    assert text.count("0.875") == 9 and text.count(LAYER) > 1 and "Not shown" not in text
    assert max(map(len, text.splitlines())) <= 60


def test_sentences_are_broken_between_words():
    table = FittingTable("Layers", ("layer", "filters", "because"), sentences="because")
    table.add_row(LAYER, "8", "its output meets another before any ReLU " * 2)
    words = drawn(table, 70).split()
    assert LAYER in words and "another" in words and words.count("before") == 2
