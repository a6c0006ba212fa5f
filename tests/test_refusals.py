"""Checks of arguments: one wording for each kind of range."""

import math

import msgspec
import numpy as np
import pytest

from firekeras.refusals import cause, check_number, check_one_of, check_share, checked_whole, nearest, percent_hint
from firekeras.strict_json import parse


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    pass


@pytest.mark.parametrize(
    ("check", "words"),
    [
        (lambda: check_number("delta", 0, above=0), "delta must be a number, above 0. Received: 0."),
        (lambda: check_number("delta", "1"), "delta must be a number. Received: '1'."),
        (lambda: check_number("delta", math.inf, above=0), "delta must be a number, above 0. Received: inf."),
        (lambda: check_number("delta", True), "delta must be a number. Received: True."),
        (
            lambda: check_number("r", -2, "a correlation", least=-1, most=1),
            "r must be a correlation, from -1 to 1. Rec",
        ),
        (lambda: check_number("r", math.nan, least=0, most=math.inf), "r must be a number, at least 0. Received: nan."),
        (lambda: checked_whole("epochs", 1.5, 0), "epochs must be a whole number, at least 0. Received: 1.5."),
        (lambda: checked_whole("epochs", math.nan, 0), "epochs must be a whole number, at least 0. Received: nan."),
        (lambda: checked_whole("epochs", True, 0), "epochs must be a whole number, at least 0. Received: True."),
        (lambda: checked_whole("epochs", "3", 0), "epochs must be a whole number, at least 0. Received: '3'."),
        (
            lambda: checked_whole("seed", -1, 0, below=9),
            "seed must be a whole number, from 0 to below 9. Received: -1.",
        ),
        (lambda: check_share("p", 1.5), "p must be a share, from 0 to 1. Received: 1.5."),
        (
            lambda: check_share("p", 1, "the part that goes", below=1),
            "p must be the part that goes, from 0 to below 1. R",
        ),
        (lambda: check_share("p", 0, above=0), "p must be a share, above 0, up to 1. Received: 0."),
        (lambda: check_share("p", 1, above=0, below=1, hint=" So."), "above 0 and below 1. Received: 1. So."),
        (lambda: check_one_of("kind", "c", ("a", "b")), "kind must be one of 'a', 'b'. Received: 'c'."),
    ],
)
def test_what_does_not_fit_is_refused_in_one_wording(check, words):
    with pytest.raises(ValueError) as refused:
        check()
    assert words in str(refused.value)


def test_what_fits_is_let_pass():
    check_number("delta", np.float32(0.5), above=0)
    check_number("tolerance", math.inf, least=0, most=math.inf)
    check_share("ratio", 1)
    check_one_of("measure", None, ("macs", None))


@pytest.mark.parametrize("value", [3, 3.0, np.int64(3), np.float32(3)])
def test_numbers_that_equal_a_whole_number_become_one(value):
    assert type(checked_whole("epochs", value, 1)) is int
    assert checked_whole("epochs", value, 1) == 3


@pytest.mark.parametrize(
    ("typed", "names", "meant"),
    [
        ("pico", ["microbit-v2", "raspberry-pi-pico"], "raspberry-pi-pico"),
        ("FIRE", ["l1", "fire_paper", "fire"], "fire"),
        ("conv", ["Conv10", "conv1"], "conv1"),
        ("convv1", ["conv2", "conv1"], "conv1"),
        ("f1", ["loss", "accuracy"], None),
        ("f1", ["loss", "f1_score"], "f1_score"),
    ],
)
def test_the_nearest_name_is_one_that_has_it_as_a_part(typed, names, meant):
    assert nearest(typed, names, cutoff=0.6) == meant


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (30, " 30% is 0.3."),
        ("50%", " 50% is 0.5."),
        ("50", " 50% is 0.5."),
        ("1%", " 1% is 0.01."),
        *((value, "") for value in (1.5, 2, 300, "much", "%", None, True, float("nan"))),
    ],
)
def test_a_share_in_percent_is_said_as_a_share(value, hint):
    assert percent_hint(value) == hint


def test_control_characters_of_a_file_stay_out_of_a_sentence():
    assert cause(ValueError("\n layer 'a\x1b]0;b\x07'  is odd\nand more")) == "layer 'a ]0;b ' is odd"
    with pytest.raises(ValueError, match=r"unknown field a \]0;b"):
        parse(b'{"a\\u001b]0;b": 1}', Nothing, "x.json", "a file")
