"""Data are checked before any long work, and read no more often than they must be."""

import keras
import networks
import numpy as np
import pytest
import tensorflow as tf

from firekeras.data.checks import checked_data


def of_unknown_length(count, begun):
    def batches():
        begun.append(1)
        yield from np.zeros((count, 2, 8, 8, 3), "float32")

    return tf.data.Dataset.from_generator(batches, output_signature=tf.TensorSpec((None, 8, 8, 3)))


def test_a_first_batch_is_drawn_once():
    begun: list = []
    model, data = networks.two_convs(), of_unknown_length(2, begun)
    for _ in range(3):
        assert checked_data(model, data) is data
    assert len(begun) == 1
    with pytest.raises(ValueError, match="The data are empty"):
        checked_data(model, of_unknown_length(0, []))


@pytest.mark.parametrize("values", [0.5, np.nan, np.inf])
def test_fractions_are_not_cut_off_for_inputs_of_whole_numbers(values):
    model = keras.Sequential([keras.Input((3,), dtype="int32"), keras.layers.Embedding(9, 2)])
    with pytest.raises(ValueError, match=r"takes whole numbers, int32, but the data hold fractions"):
        checked_data(model, np.full((2, 3), values))
    assert checked_data(model, np.full((2, 3), 4.0))[0].shape == (2, 3)
