"""Data are checked before any long work, and read no more often than they must be."""

import keras
import networks
import numpy as np
import pytest
import tensorflow as tf

from firekeras.data import checks
from firekeras.data.checks import check_batches_finite, check_finite, checked_data


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


def spoilt(shape, value=np.nan):
    """Zeros, but for one number in the sample at 2."""
    array = np.zeros(shape, "float32")
    array[2].flat[-1] = value
    return array


X, Y = np.zeros((4, 3), "float32"), np.zeros(4)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ((spoilt((4, 3)), Y), "The inputs of `v` hold NaN or infinity, first in sample 2"),
        ((spoilt((4, 3), np.inf), Y), "inputs"),
        (({"a": X, "b": spoilt((4, 3))}, Y), "inputs"),
        (spoilt((4, 3)), "inputs"),
        ((X, spoilt((4, 1))), "labels"),
        ((X, Y, spoilt((4, 1))), "sample weights"),
    ],
)
def test_numbers_that_are_none_are_refused(monkeypatch, data, words):
    monkeypatch.setattr(checks, "AT_ONCE", 8)
    with pytest.raises(ValueError, match=words):
        check_finite("v", data)


def test_other_numbers_and_labels_of_other_losses_are_let_through():
    check_finite("v", (X, Y, Y))
    check_finite("v", (X.astype("uint8"), np.array(["a"] * 4)))
    check_finite("v", (X, spoilt((4, 1))), labels=False)


def test_batches_are_looked_at_too():
    with pytest.raises(ValueError, match="`v` hold NaN or infinity, first in batch 1"):
        check_batches_finite("v", tf.data.Dataset.from_tensor_slices((spoilt((4, 3)), Y)).batch(2))
    check_batches_finite("v", tf.data.Dataset.from_tensor_slices((X, Y)).batch(2))
    check_batches_finite("v", (spoilt((4, 3)), Y))  # arrays are looked at elsewhere


@pytest.mark.parametrize("values", [0.5, np.nan, np.inf])
def test_fractions_are_not_cut_off_for_inputs_of_whole_numbers(values):
    model = keras.Sequential([keras.Input((3,), dtype="int32"), keras.layers.Embedding(9, 2)])
    with pytest.raises(ValueError, match=r"takes whole numbers, int32, but the data hold fractions"):
        checked_data(model, np.full((2, 3), values))
    assert checked_data(model, np.full((2, 3), 4.0))[0].shape == (2, 3)
