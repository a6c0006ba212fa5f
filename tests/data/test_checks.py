"""Data are checked before any long work, and read no more often than they must be."""

import keras
import networks
import numpy as np
import pytest

from firekeras.data import checks
from firekeras.data.checks import check_batches, check_finite, check_training_data, checked_data


def of_unknown_length(count, begun):
    def batches():
        begun.append(1)
        yield from np.zeros((count, 2, 8, 8, 3), "float32")

    import tensorflow as tf

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
    import tensorflow as tf

    with pytest.raises(ValueError, match="`v` hold NaN or infinity, first in batch 1"):
        check_batches("v", tf.data.Dataset.from_tensor_slices((spoilt((4, 3)), Y)).batch(2))
    check_batches("v", tf.data.Dataset.from_tensor_slices((X, Y)).batch(2))
    check_batches("v", (spoilt((4, 3)), Y))  # arrays are looked at elsewhere


class Batches(keras.utils.PyDataset):
    """Two equal batches."""

    def __init__(self, *batch):
        super().__init__()
        self.batch = batch

    def __len__(self):
        return 2

    def __getitem__(self, number):
        return self.batch


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        ((X, np.array([0, 1, 2, 1])), "class numbers from 0 to 1, but `v` hold labels from 0 to 2"),
        ((X,), "v contains no labels"),
        ((X, np.array([0, 1, 0, 1])), None),
        ((X, np.array([0, 1, 0, 1]), np.ones(4)), None),
    ],
)
def test_batches_are_looked_at_with_their_labels(batch, words):
    model = flat(3)
    model.compile("sgd", "sparse_categorical_crossentropy")
    check_batches("v", Batches(*batch))
    if words is None:
        check_batches("v", Batches(*batch), model)
        return
    with pytest.raises(ValueError, match=words):
        check_batches("v", Batches(*batch), model)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        ({"no": X}, r"inputs \['i0'\]. Received arrays by the names \['no'\]"),
        (np.zeros((4, 5)), r"expected samples of shape \(3,\), received \(5,\)"),
        (X, None),
        ({"i0": X}, None),
    ],
)
def test_the_first_batch_that_can_be_had_by_number_fits_the_model(x, words):
    if words is None:
        checked_data(flat(3), Batches(x, Y))
        return
    with pytest.raises(ValueError, match=words):
        checked_data(flat(3), Batches(x, Y))


@pytest.mark.parametrize("values", [0.5, np.nan, np.inf])
def test_fractions_are_not_cut_off_for_inputs_of_whole_numbers(values):
    model = keras.Sequential([keras.Input((3,), dtype="int32"), keras.layers.Embedding(9, 2)])
    with pytest.raises(ValueError, match=r"takes whole numbers, int32, but the data hold fractions"):
        checked_data(model, np.full((2, 3), values))
    assert checked_data(model, np.full((2, 3), 4.0))[0].shape == (2, 3)


def test_a_share_as_validation_data_is_told_how_to_hold_out():
    train = (np.zeros((8, 8, 8, 3), "float32"), np.zeros(8))
    with pytest.raises(ValueError, match=r"as validation_data: .* Received: 0\.2\. Hold some samples out: .*hold_out"):
        check_training_data(networks.two_convs(), {"train_data": train, "validation_data": 0.2})


def test_samples_with_and_without_a_last_axis_are_not_mixed():
    x = keras.Input((8, 8, 1))
    model = keras.Model(x, keras.layers.Flatten()(x))
    with_axis, without = np.zeros((4, 8, 8, 1)), np.zeros((4, 8, 8))
    data = {"train_data": (without, np.zeros(4)), "validation_data": (with_axis, np.zeros(4))}
    with pytest.raises(ValueError, match=r"different numbers of axes \(train_data: \[\(8, 8\)\], validation_data: "):
        check_training_data(model, data)
    check_training_data(model, {**data, "validation_data": data["train_data"]})


def test_arrays_by_name_have_the_names_of_the_inputs():
    inputs = {"left": keras.Input((3,), name="left"), "right": keras.Input((3,), name="right")}
    model = keras.Model(inputs, keras.layers.Add()(list(inputs.values())))
    with pytest.raises(ValueError, match=r"takes the inputs \['left', 'right'\]. Received .* \['left', 'wrong'\]"):
        checked_data(model, {"left": np.zeros((2, 3)), "wrong": np.zeros((2, 3))})
    checked_data(model, {"left": np.zeros((2, 3)), "right": np.zeros((2, 3))})


def flat(*sizes):
    """A model that takes its inputs alone, or in a list: i0, i1, ... of these sizes, the last one first."""
    inputs = [keras.Input((size,), name=f"i{k}") for k, size in enumerate(sizes)][::-1]
    joined = keras.layers.Concatenate()(inputs) if len(inputs) > 1 else inputs[0]
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], keras.layers.Dense(2)(joined))


def in_sequence():
    return keras.Sequential([keras.Input((3,), name="i0"), keras.layers.Dense(2)])


@pytest.mark.parametrize("build", [lambda: flat(3), in_sequence])
def test_an_array_by_name_has_the_name_of_the_input(build):
    model = build()
    with pytest.raises(ValueError, match=r"inputs \['i0'\]. Received .* \['no'\]. Pass the array alone, .*: {'i0': x}"):
        checked_data(model, ({"no": X}, Y))
    checked_data(model, ({"i0": X}, Y))


def test_arrays_by_name_come_in_any_order():
    with pytest.raises(ValueError, match=r"\['i0', 'i1'\]. Received .* \['i0', 'no'\]. Give each array the name of"):
        checked_data(flat(3, 5), {"i0": X, "no": np.zeros((4, 5))})
    checked_data(flat(3, 5), {"i0": X, "i1": np.zeros((4, 5))})
    with pytest.raises(ValueError, match=r"expected samples of shape \(5,\), received \(3,\)"):
        checked_data(flat(3, 5), {"i1": X, "i0": X})


def test_arrays_by_name_in_batches_have_the_names_of_the_inputs():
    import tensorflow as tf

    with pytest.raises(ValueError, match=r"inputs \['i0'\]. Received arrays by the names \['no'\]"):
        checked_data(flat(3), tf.data.Dataset.from_tensor_slices(({"no": X}, Y)).batch(2))
    checked_data(flat(3), tf.data.Dataset.from_tensor_slices(({"i0": X}, Y)).batch(2))


@pytest.mark.parametrize("kind", ["complex64", "datetime64[s]", "longdouble"])
def test_arrays_of_no_real_numbers_are_refused(kind):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="Expected arrays of real numbers"):
        checked_data(model, X.astype(kind))
