"""Masked copies: where their variables lie."""

import networks
import pytest

from firekeras.network.masking import MaskedNetwork


@pytest.mark.tensorflow  # whose strategies are
def test_a_masked_copy_of_an_uncompiled_model_is_made_in_its_scope():
    import tensorflow as tf

    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    with strategy.scope():
        model = networks.two_convs(2, 2)
    assert not model.compiled
    assert MaskedNetwork(model).model.distribute_strategy is strategy
