"""Counters: for any channel axis, counts are available by channel."""

import numpy as np
import pytest

from firekeras.scores.fire.counting import ZeroCounter


@pytest.mark.parametrize("axis", [1, 3])
@pytest.mark.parametrize("per_position", [True, False])
def test_counts_by_channel_have_the_channels_first(axis, per_position):
    values = np.maximum(np.random.default_rng(0).normal(size=(6, 2, 3, 4)), 0).astype("float32")
    counter = ZeroCounter(axis, per_position)
    counter(values)
    expected = np.moveaxis((values == 0).sum(axis=0), axis - 1, 0)
    np.testing.assert_array_equal(
        counter.count().by_channel(), expected if per_position else expected.reshape(len(expected), -1).sum(1)
    )
