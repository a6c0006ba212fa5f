"""Everything public has types in its signature, and a docstring that names each argument and has an example."""

import dataclasses
import inspect
import re
import types

import pytest

import firekeras
from firekeras import datasets, export, methods, recovery, zoo
from firekeras.channels.registry import rule
from firekeras.recovery.distill import Teacher, distilling, fit_distilled, why_not_distilled
from firekeras.scores.criteria import criterion
from firekeras.scores.detector.regressors import register_regressor

REGISTER = ("rule", "criterion", "register", "register_regressor", "recovery_step", "Method")
KINDS = (types.FunctionType, classmethod, staticmethod)
ROOMS = (firekeras, datasets, export, methods, recovery, zoo)
EXTENSIONS = (rule, criterion, register_regressor, fit_distilled, distilling, why_not_distilled, Teacher)
RESULTS = ("Export", "Dataset", "Costs", "ChannelGraph", "FilterScores", "Settler")  # what functions return, or need


def defined_in(room):
    return [name for name, x in vars(room).items() if name[0] != "_" and getattr(x, "__module__", "") == room.__name__]


def public():
    named = [getattr(room, name) for room in ROOMS for name in getattr(room, "__all__", ()) or defined_in(room)]
    ours = [x for x in (*named, *EXTENSIONS) if callable(x) and getattr(x, "__module__", "").startswith("firekeras.")]
    return {f"{x.__module__}.{x.__qualname__}": x for x in ours}


def methods_of(cls):
    hidden = {name for base in cls.__mro__ if not base.__module__.startswith("firekeras") for name in vars(base)}
    return {name: x for name, x in vars(cls).items() if isinstance(x, KINDS) and name not in hidden and name[0] != "_"}


def functions():
    for name, x in public().items():
        if inspect.isclass(x):
            if x.__init__ is not object.__init__:
                yield f"{name}.__init__", x.__init__
            yield from ((f"{name}.{key}", getattr(x, key)) for key in methods_of(x))
        else:
            yield name, x


@pytest.mark.parametrize(("name", "function"), [pytest.param(*pair, id=pair[0]) for pair in functions()])
def test_types_in_signatures(name, function):
    signature = inspect.signature(function)
    untyped = [
        p.name for p in signature.parameters.values() if p.annotation is p.empty and p.name not in ("self", "cls")
    ]
    assert untyped == []
    assert name.endswith("__init__") or signature.return_annotation is not signature.empty


@pytest.mark.parametrize(("name", "thing"), [pytest.param(*pair, id=pair[0]) for pair in public().items()])
def test_docstrings_name_arguments_and_have_an_example(name, thing):
    text = inspect.getdoc(thing)
    missing = [p for p in inspect.signature(thing).parameters if not re.search(rf"\b{p}\b.*:|\*\*{p}:", text)]
    assert missing == []
    assert ">>>" in text or thing.__name__ in RESULTS or "has an example" in text
    assert inspect.isclass(thing) or "Returns:" in text or "Yields:" in text or "context" in text


@pytest.mark.parametrize(("name", "thing"), [pytest.param(*pair, id=pair[0]) for pair in public().items()])
def test_wrong_types_are_refused_before_any_work(name, thing):
    """All but results, which nobody makes by hand, and what registers a function or a class."""
    function = thing.__init__ if inspect.isclass(thing) else thing
    made_here = thing.__name__ in (*RESULTS, *REGISTER) or dataclasses.is_dataclass(thing)
    if not made_here and inspect.signature(function).parameters:
        assert hasattr(function, "__wrapped__")
