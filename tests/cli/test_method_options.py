"""Options of methods: read from text, listed from signatures, refused if nothing reads them."""

import pytest
from typer.testing import CliRunner

from firekeras import methods
from firekeras.cli import app
from firekeras.cli.method_options import options_by_method, parsed_options
from firekeras.cli.methods import argument_texts
from firekeras.rounds.settings import check_read


def test_values_are_numbers_words_and_what_python_reads():
    given = ["rates={'conv1': 0.5}", "drift_threshold=-1", "beside=()", "selection=greedy", "iterative=true", "a=none"]
    values = [{"conv1": 0.5}, -1, (), "greedy", True, None]
    assert list(parsed_options(given).values()) == values and parsed_options(None) == {}
    for wrong, words in ((["rates"], "NAME=VALUE.*'rates'"), (["a=1", "a=2"], "given twice for 'a'")):
        with pytest.raises(ValueError, match=words):
            parsed_options(wrong)


def test_in_a_comparison_an_option_says_for_which_method_it_is():
    given = ["fire.mode=measured", "l1:paper.rates={'a.b': 0.5}", "fire.beside=()"]
    assert options_by_method(given) == {
        "fire": {"mode": "measured", "beside": ()},
        "l1:paper": {"rates": {"a.b": 0.5}},
    }
    for wrong in ("mode=measured", "fire.=1", "fire.mode"):
        with pytest.raises(ValueError, match="--option is"):
            options_by_method([wrong])


@pytest.mark.parametrize("name", methods.names())
def test_every_option_of_every_method_is_documented(name):
    documented = argument_texts(methods.documentation_of(name))
    assert methods.options_of(name).keys() <= documented.keys() and methods.summary_of(name)


def test_an_option_that_the_method_does_not_read_is_refused():
    with pytest.raises(ValueError, match=r"method 'l1' has no option 'mode'\. It takes rates, selection"):
        methods.get("l1", mode="measured")
    assert methods.get("fire_paper", beside="l1").beside == ("l1",)
    assert methods.options_of("fire_paper")["balance"].default == 0
    assert methods.get("fppmo", learning={"rate": 0.3}).learning.rate == 0.3


def test_a_setting_that_the_method_does_not_read_is_refused():
    with pytest.raises(ValueError, match=r"does not use pruning_ratio=0\.5"):
        check_read(methods.get("play_and_prune").unread(), {"pruning_ratio": 0.5, "balance": 1.0})
    check_read(methods.get("fppmo").unread(), {"pruning_ratio": 0.5, "balance": 1.0})


def test_the_command_lists_methods_and_their_options():
    run = CliRunner()
    assert "fppmo" in run.invoke(app, ["methods"]).output
    shown = run.invoke(app, ["methods", "fire"], env={"COLUMNS": "200"}).output
    assert "drift_threshold" in shown and "`" not in shown and "Defaults to" not in shown
