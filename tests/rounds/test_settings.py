"""The signatures of what takes settings spell them, for completion and types: each has one type and one default."""

import dataclasses
import inspect

import pytest

import firekeras
from firekeras.rounds.settings import RunSettings

SETTINGS = {field.name: (field.type, field.default) for field in dataclasses.fields(RunSettings) if field.name != "fit"}
OWN_DEFAULTS = {
    firekeras.compress: {"layer_caps"},  # None, which stands for no caps
    firekeras.FirePruningCallback: {"layer_caps", "distill"},
    firekeras.plan_pruning: {"layer_caps", "pruning_ratio"},
}


@pytest.mark.parametrize("function", OWN_DEFAULTS, ids=lambda function: function.__name__)
def test_a_setting_has_one_type_and_default(function):
    arguments = {p.name: (p.annotation, p.default) for p in inspect.signature(function).parameters.values()}
    common = (SETTINGS.keys() & arguments.keys()) - OWN_DEFAULTS[function]
    assert {name: arguments[name] for name in common} == {name: SETTINGS[name] for name in common}


def test_compress_takes_every_setting():
    assert SETTINGS.keys() <= inspect.signature(firekeras.compress).parameters.keys()


def test_the_callback_takes_over_its_arguments():
    caps = {"conv": 0.5}
    callback = firekeras.FirePruningCallback(tolerance=0.5, layer_caps=caps, backtracks=7, start_epoch=2)
    assert callback.settings == RunSettings(tolerance=0.5, layer_caps=caps, backtracks=7, distill=False)
    assert callback.settings.layer_caps is not caps
