"""Arguments of a wrong type are refused by the signature, in one sentence, before any work."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import ArrayLike

import firekeras
from firekeras.arguments import _resolved, in_words, short, typed


class Plan:
    def load(self): ...


@typed
def call(
    whole: int | None = None,
    number: float = 0.0,
    flag: bool = False,
    text: str = "",
    path: str | Path = "",
    target: Mapping[str, float] | None = None,
    shares: Sequence[float] = (),
    size: tuple[int, int] | None = None,
    names: str | Iterable[str] = (),
    hook: Callable[[dict], None] | None = None,
    plan: Plan | None = None,
    kind: type[Plan] = Plan,
    mode: Literal["a", "b"] = "a",
    unseen: "NotImported | None" = None,  # noqa: F821
    arrays: Mapping[str, ArrayLike] | None = None,
    anything: Any = None,
):
    return True


@pytest.mark.parametrize(
    "arguments",
    [
        {"whole": 3},
        {"whole": np.int64(3)},
        {"whole": 3.0},
        {"number": 1},
        {"number": np.float32(0.5)},
        {"number": float("nan")},  # in which range it has to be, is another question
        {"flag": np.True_},
        {"path": Path("x")},
        {"target": {"macs": 1}},
        {"target": {}},
        {"shares": np.linspace(0, 1, 3)},
        {"shares": [0.1, 1]},
        {"size": [32, 32]},
        {"names": "fire"},
        {"names": ["fire", "l1"]},
        {"hook": print},
        {"plan": Plan()},
        {"mode": "b"},
        {"unseen": 3},
        {"arrays": {"conv1": [0.1, 0.9], "conv2": np.ones(3)}},
        {"anything": object()},
    ],
    ids=lambda arguments: next(iter(arguments)),
)
def test_taken(arguments):
    assert call(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"whole": "8"}, "whole must be a whole number or None. Received: '8' (str)."),
        ({"whole": 3.5}, "whole must be a whole number or None. Received: 3.5 (float)."),
        ({"whole": True}, "whole must be a whole number or None. Received: True."),
        ({"number": None}, "number must be a number. Received: None."),
        ({"number": [1]}, "number must be a number. Received: [1] (list)."),
        ({"number": np.ones(3)}, "number must be a number. Received: an array of shape (3,)."),
        ({"flag": "yes"}, "flag must be True or False. Received: 'yes' (str)."),
        ({"text": b"x"}, "text must be text. Received: b'x' (bytes)."),
        ({"path": 3}, "path must be text or a path. Received: 3 (int)."),
        (
            {"target": 0.5},
            "target must be a dict of numbers by name or None, such as {'conv_macs': 0.5}. Received: 0.5 (float).",
        ),
        (
            {"target": {"m": 0j}},
            "target must be a dict of numbers by name or None, such as {'conv_macs': 0.5}. Received: {'m': 0j} (dict).",
        ),
        ({"shares": "0.1"}, "shares must be a list of numbers. Received: '0.1' (str)."),
        ({"size": (1, "a")}, "size must be a tuple of whole numbers or None. Received: (1, 'a') (tuple)."),
        ({"names": 3}, "names must be text or a list of texts. Received: 3 (int)."),
        ({"hook": 3}, "hook must be a function or None. Received: 3 (int)."),
        ({"plan": "p.json"}, "plan must be a Plan or None. Received: 'p.json' (str). Load it first: Plan.load(path)."),
        ({"kind": int}, "kind must be a class of Plan. Received: <class 'int'> (type)."),
        ({"mode": "c"}, "mode must be one of 'a', 'b'. Received: 'c' (str)."),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_refused(arguments, message):
    with pytest.raises(ValueError) as raised:
        call(**arguments)
    assert str(raised.value) == message


def test_a_whole_number_becomes_an_int():
    @typed
    def doubled(count: int | None, share: float):
        return repr((count, share))

    assert doubled(3.0, 1.0) == "(3, 1.0)" and doubled(None, 2) == "(None, 2)"


@pytest.mark.parametrize("name", sorted(firekeras.__all__))
def test_every_hint_of_a_public_function_is_understood(name):
    public = getattr(firekeras, name)
    functions = (
        [public] if inspect.isfunction(public) else [f for _, f in inspect.getmembers(public, inspect.isfunction)]
    )
    for function in filter(None, map(checking, functions)):
        hints = {p.name: p.annotation for p in inspect.signature(function).parameters.values()}
        unknown = [n for n, hint in hints.items() if hint != "Any" and _resolved(hint, function) is Any]
        assert not unknown, (function, unknown)


def checking(function):
    """The function whose arguments `typed` checks, behind the decorators of a public one; None if there is none."""
    while hasattr(function, "__wrapped__"):
        inner = function.__wrapped__
        if function.__code__.co_name == "checked":
            return inner
        function = inner
    return None


def test_a_call_that_python_refuses_is_refused_by_python():
    with pytest.raises(TypeError, match=r"call\(\) got an unexpected keyword argument 'wohle'"):
        call(wohle=3)


def test_a_received_value_fits_a_line():
    assert len(short("x" * 10_000)) < 100 and len(short(list(range(10_000)))) < 100
    assert "\n" not in short("a\nb") and short("") == "'' (str)"
    x = np.zeros((4, 8))
    assert short([x, None, "a", 2]) == "a list of 4: an array of shape (4, 8), None, 'a' (str)"
    assert short({"x": x}) == "a dict of arrays: 'x'"


def test_hints_in_words():
    assert in_words(dict[str, int]) == "a dict of whole numbers by name"
    assert in_words(list[Plan]) == "a list of Plans"
