"""Many threads measure one model, plan and save to one place at once: each gets what it would get alone."""

from concurrent.futures import ThreadPoolExecutor

import networks
import numpy as np
import pytest

import firekeras

pytestmark = pytest.mark.usefixtures("uncompiled")


def test_eight_threads_at_once(tmp_path):
    model = networks.two_convs()
    x = networks.samples(model, 8)

    def work(number):
        profile = firekeras.measure_fire(model, x)
        plan = firekeras.plan_pruning(model, profile, pruning_ratio=0.2)
        for _ in range(2):
            profile.save(tmp_path / "a.fire.h5")
            plan.save(tmp_path / "a.json")
            assert firekeras.PruningPlan.load(tmp_path / "a.json").num_removed == plan.num_removed
        return profile, firekeras.FireProfile.load(tmp_path / "a.fire.h5")

    expected = firekeras.measure_fire(model, x)
    with ThreadPoolExecutor(8) as pool:
        for pair in pool.map(work, range(8)):
            for profile in pair:
                for name in expected:
                    np.testing.assert_array_equal(profile[name], expected[name])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.fire.h5", "a.json"]
