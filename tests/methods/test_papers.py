"""Protocols: a method as it was published, by one argument."""

import networks
import numpy as np
import pages
import pytest
from plans import planned

import firekeras
from firekeras import methods
from firekeras.cli.compress import _as_published
from firekeras.methods import L1Pruning, protocols_of, published
from firekeras.methods.l1_norms import convolution_kernels
from firekeras.methods.l1_presets import paper_rates, preset_rates
from firekeras.network import Network
from firekeras.rounds.rate_schedules import get_schedule
from firekeras.rounds.settings import RunSettings
from firekeras.zoo import vgg16_cifar

PAPERS = [name for name in methods.names() if "paper" in protocols_of(name)]


def test_the_four_papers_have_a_protocol():
    assert PAPERS == ["fire", "fire_paper", "fppmo", "l1", "play_and_prune"]


@pytest.mark.parametrize("name", PAPERS)
def test_a_protocol_sets_what_can_be_set_by_hand_and_differs_from_the_defaults(name):
    paper, options, defaults = protocols_of(name)["paper"], methods.options_of(name), RunSettings().to_dict()
    RunSettings(**paper.settings).checked()
    assert all(defaults[setting] != value for setting, value in paper.settings.items())
    differing = [option for option, value in paper.options.items() if options[option].default != value]
    assert name == "fire_paper" or differing == list(paper.options)
    assert paper.remark and methods.get(name, protocol="paper").description() is not None


def test_what_is_given_counts_first():
    chosen = published({"method": "fire", "protocol": "paper", "epochs": 20, "tolerance": 0.02})
    assert (chosen["epochs"], chosen["tolerance"], chosen["backtracks"]) == (20, 0.02, 0)
    assert (chosen["method"].beside, chosen["method"].dense, chosen["pruning_ratio"]) == ((), False, 0.05)
    assert "pruning_ratio" not in published(
        {"protocol": "paper", "target": {"conv_macs": 0.5}}
    )  # the target sizes cuts
    assert published({"method": "l1", "epochs": 3}) == {"method": "l1", "epochs": 3}
    own = L1Pruning(0.3)
    assert published({"method": own, "protocol": "paper"})["method"] is own
    assert methods.get("fire", protocol="paper", beside="l1").beside == ("l1",)


def test_a_method_without_such_a_protocol_is_refused():
    with pytest.raises(ValueError, match=r"Unknown protocol 'papr'.*'paper'"):
        methods.get("l1", protocol="papr")
    with pytest.raises(ValueError, match=r"method 'random' has no protocol 'paper': it has only the defaults"):
        published({"method": "random", "protocol": "paper"})


def test_li_takes_the_rates_of_the_network_of_this_depth_or_the_target():
    model = vgg16_cifar()
    kernels = convolution_kernels(Network.of(model))
    assert paper_rates(kernels) == preset_rates("vgg16-a", kernels)
    method = methods.get("l1", protocol="paper")
    assert planned(method, model).costs_after.conv_macs == 206_143_488
    small = networks.two_convs(4, 8)
    assert {len(gone) for gone in planned(method, small, target={"macs": 0.5}, min_keep=0).removed.values()} <= {
        1,
        2,
        3,
        4,
    }
    with pytest.raises(
        ValueError, match=r"networks of 13, 33, 55, 109 convolutions.*Received: one of 2\. Give a target"
    ):
        planned(method, small)


def test_fire_halves_its_rate_where_the_paper_does():
    factor = get_schedule("halvings")
    assert [factor(epoch / 300) for epoch in (0, 49, 50, 100, 150, 249, 250)] == [1, 1, 0.5, 0.25, 0.125, 0.125, 0.0625]
    assert np.allclose([get_schedule("steps")(share) for share in (0.59, 0.6, 0.8)], [1, 0.1, 0.01])


def test_a_run_is_made_as_published():
    model = networks.two_convs(4, 8)
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).normal(size=(8, *model.input_shape[1:])).astype("float32")
    data = (x[:4], np.zeros((4, *model.output_shape[1:]))), (x[4:], np.zeros((4, *model.output_shape[1:])))
    rounds = firekeras.compression_rounds(model, *data, method="fire", protocol="paper", epochs=2)
    assert (rounds.settings.epochs, rounds.settings.min_keep, rounds.settings.recovery) == (2, 0, ())
    assert not rounds.method.drift.watches and rounds.fine_tuning.curve.peak == 0.01


def test_the_command_line_takes_what_the_protocol_sets_unless_an_option_is_given():
    options = {
        "method": "fire",
        "protocol": "paper",
        "epochs": "20",
        "ratio": None,
        "min_keep": 0.1,
        "schedule": "cosine",
    }
    resolved = _as_published(options, chosen=["schedule"])
    assert resolved == {**options, "epochs": "300", "ratio": 0.05, "min_keep": 0}
    assert _as_published({**options, "macs": 0.5}, chosen=[])["ratio"] is None
    assert _as_published({"method": "play_and_prune", "protocol": "paper", "epochs": "20"}, [])["epochs"] == "none"


@pytest.mark.parametrize("name", [name for name in PAPERS if name != "fire_paper"])
def test_the_page_on_the_papers_has_defaults_and_protocols_side_by_side(name):
    page = (pages.ROOT / "docs" / "papers.md").read_text(encoding="utf-8")
    paper, options, defaults = protocols_of(name)["paper"], methods.options_of(name), RunSettings().to_dict()
    rows = {option: (options[option].default, value) for option, value in paper.options.items()}
    rows |= {setting: (defaults[setting], value) for setting, value in paper.settings.items()}
    for row, values in rows.items():
        default, published = (repr(value).replace("'", '"') for value in values)
        assert f"| `{row}` | `{default}` | `{published}` |" in page
