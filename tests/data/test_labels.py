"""Labels are looked at before any training, and what is wrong with them is said."""

import keras
import networks
import numpy as np
import pytest
import tensorflow as tf

import firekeras
from firekeras.data.labels import check_labels

X = np.zeros((4, 8, 8, 3), "float32")


def compiled(loss="sparse_categorical_crossentropy"):
    model = networks.two_convs()  # three classes
    model.compile("sgd", loss, metrics=["accuracy"])
    return model


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (X, r"contains no labels. Pass a tuple, \(x, y\). Received: an array of shape \(4, 8, 8, 3\)"),
        ((X,), "Received: a tuple of 1"),
        ((X, None), "contains no labels"),
        ((X, 3), "contains no labels"),
        ((X, np.zeros(4) + 0j), "must be real numbers. Received: complex128"),
        ((X, np.zeros(4, "M8[s]")), r"must be real numbers. Received: datetime64"),
        ((X, np.zeros(3)), r"as many labels, and weights, as samples. Received arrays of \[4, 3\]"),
        ((X, np.zeros(4), np.ones(4)), None),
        ((X, np.zeros(4), np.ones(5)), r"Received arrays of \[4, 4, 5\]"),
        ((X, np.array([0, 1, 2, 3])), "class numbers from 0 to 2, but `train_data` hold labels from 0 to 3"),
        ((X, np.array([-1, 1, 2, 0])), "labels from -1 to 2"),
        ((X, np.eye(3)[[0, 1, 2, 0]]), r"are of shape \(4, 3\): pass y.argmax"),
        ((X, np.array([0, 0.5, 1, 2])), "labels with fractions, such as 0.5"),
        ((X, np.array([[0], [1], [2], [0]])), None),
        ((X, np.array([0.0, 1.0, 2.0, 0.0])), None),
    ],
)
def test_labels_are_what_the_loss_takes(data, words):
    if words is None:
        check_labels(compiled(), "train_data", data)
        return
    with pytest.raises(ValueError, match=words):
        check_labels(compiled(), "train_data", data)


def test_other_losses_and_data_in_batches_are_left_to_fit():
    check_labels(compiled("categorical_crossentropy"), "train_data", (X, np.eye(3)[[0, 1, 2, 0]]))
    check_labels(compiled(keras.losses.MeanSquaredError()), "train_data", (X, np.full((4, 3), 0.5)))
    check_labels(compiled(), "train_data", iter([(X, np.zeros(4))]))
    check_labels(networks.two_convs(), "train_data", X)  # not compiled


def binary(loss="binary_crossentropy", outputs=1):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(outputs)])
    model.compile("sgd", loss)
    return model


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([1, 2, 1, 2], r"0 and 1, or shares between them, but `v` hold labels from 1 to 2\. Pass \(y == 2\)\.astype"),
        ([-1.0, 1.0, 1.0, -1.0], r"from -1\.0 to 1\.0\. Pass \(y == 1\.0\)"),
        ([[0], [1], [2], [3]], r"from 0 to 3\. For several classes, compile with .*'sparse_categorical"),
    ],
)
def test_labels_of_a_binary_loss_are_shares(labels, words):
    for loss in ("binary_crossentropy", "bce", keras.losses.BinaryFocalCrossentropy(from_logits=True)):
        with pytest.raises(ValueError, match=words):
            check_labels(binary(loss), "v", (np.zeros((4, 3)), np.array(labels)))


@pytest.mark.parametrize(
    ("loss", "labels", "weights"),
    [
        ("binary_crossentropy", [0, 1, 1, 0], ()),
        ("binary_crossentropy", [[True], [False], [True], [True]], ()),
        (keras.losses.BinaryCrossentropy(label_smoothing=0.1), [0.05, 0.95, 0.5, 1.0000001], ()),
        ("binary_crossentropy", [0, 1, -1, -1], ([1, 2, 0, 0],)),
        ("binary_crossentropy", [0, 1, -1, -1], ([[1], [2], [0], [0]],)),
        ("hinge", [-1, 1, 1, -1], ()),
        ("mse", [1, 2, 3, 4], ()),
    ],
)
def test_labels_of_other_losses_and_without_weight_may_be_others(loss, labels, weights):
    check_labels(binary(loss), "v", (np.zeros((4, 3)), np.array(labels), *map(np.array, weights)))


def test_several_labels_for_a_sample_are_shares_too():
    check_labels(binary(outputs=3), "v", (np.zeros((2, 3)), np.array([[0, 1, 1], [0, 0, 0]])))
    with pytest.raises(ValueError, match="from 0 to 2"):
        check_labels(binary(outputs=3), "v", (np.zeros((2, 3)), np.array([[0, 1, 2], [0, 0, 0]])))


def test_a_class_that_the_loss_ignores_may_have_any_number():
    loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=255)
    check_labels(compiled(loss), "v", (X, np.array([0, 1, 255, 2])))
    with pytest.raises(ValueError, match="from 0 to 3"):
        check_labels(compiled(loss), "v", (X, np.array([0, 1, 255, 3])))


def test_a_data_set_without_labels_is_refused_before_a_batch_is_drawn():
    with pytest.raises(
        ValueError, match=r"train_data contains no labels: a batch is an array of shape \(None, 8, 8, 3\)"
    ):
        check_labels(compiled(), "train_data", tf.data.Dataset.from_tensor_slices(X).batch(2))
    check_labels(compiled(), "train_data", tf.data.Dataset.from_tensor_slices((X, np.zeros(4))).batch(2))


def test_rounds_look_at_labels_and_tolerance_before_any_work():
    labels = np.array([0, 1, 2, 0])
    with pytest.raises(ValueError, match="validation_data contains no labels"):
        firekeras.compress(compiled(), (X, labels), X)
    with pytest.raises(ValueError, match=r"\(0.01 is one point\), from 0 to 1\. Received: 5"):
        firekeras.compress(compiled(), (X, labels), (X, labels), tolerance=5)
    with pytest.raises(ValueError, match=r"a tuple: \(x, y\)"):
        firekeras.compress(compiled(), [X, labels], (X, labels))
    with pytest.raises(ValueError, match=r"Received lists of numbers: convert them to an array"):
        firekeras.measure_fire(networks.two_convs(), X.tolist())
