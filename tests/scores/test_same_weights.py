"""A profile of another training of the same architecture is noticed."""

import networks
import pytest

import firekeras


@pytest.fixture(scope="module")
def model():
    return networks.scramble(networks.two_convs())


@pytest.fixture(scope="module")
def profile(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("profile") / "net.fire.h5"
    firekeras.measure_fire(model, networks.samples(model, 4)).save(path)
    return firekeras.FireProfile.load(path)


def test_the_weights_that_were_measured_raise_no_warning(model, profile):
    assert firekeras.plan_pruning(model, profile, pruning_ratio=0.3).removed  # warnings are errors here


def test_other_weights_are_noticed_once(profile):
    other = networks.scramble(networks.two_convs(), seed=5)
    with pytest.warns(
        UserWarning, match=r"The profile was made on other weights .* layers differ, .*measure_fire\(model"
    ) as seen:
        firekeras.plan_pruning(other, profile)
    assert [one.filename for one in seen if one.category is UserWarning] == [__file__]


def test_rounding_is_no_difference(model, profile):
    again = firekeras.FireProfile(
        profile.zeros,
        profile.seen,
        samples=profile.samples,
        features={name: f * (1 + 1e-5) for name, f in profile.features.items()},
        graph=profile.graph,
    )
    assert firekeras.plan_pruning(model, again, pruning_ratio=0.3).removed


def test_a_plan_from_a_file_knows_its_weights(model, profile, tmp_path):
    firekeras.plan_pruning(model, profile, pruning_ratio=0.3).save(tmp_path / "plan.json")
    plan = firekeras.PruningPlan.load(tmp_path / "plan.json")
    firekeras.prune(model, plan)
    other = networks.scramble(networks.two_convs(), seed=5)
    with pytest.warns(UserWarning, match=r"The plan in .*plan\.json was made on other weights") as seen:
        firekeras.prune(other, plan)
    assert [one.filename for one in seen if one.category is UserWarning] == [__file__]
