"""Criteria against their formulas, worked out in NumPy, and against what the network does without a filter."""

import keras
import networks
import numpy as np
import pytest
from keras import layers as L
from networks import outputs, value

import firekeras
from firekeras.scores import criteria
from firekeras.scores.criteria.gradients import GatedLoss
from firekeras.scores.criteria.readers import Readers
from firekeras.scores.profile import FilterScores

pytestmark = pytest.mark.usefixtures("uncompiled")

MEASURED = ["activation_mean", "apoz", "contribution_measured", "fisher", "taylor"]


def number(x):
    return float(keras.ops.convert_to_numpy(x))


def compiled(model, loss="mse"):
    model.compile("sgd", loss)
    return networks.scramble(model)


def labelled(model, count=6, seed=3):
    """Samples, and labels for a mean squared error, in the model's own structure."""
    rng = np.random.default_rng(seed)
    structure = model.outputs[0] if isinstance(model, keras.Sequential) else model.output
    y = keras.tree.map_structure(lambda out: rng.normal(size=(count, *out.shape[1:])).astype("float32"), structure)
    return networks.samples(model, count), y


def scored(model, name, count=6):
    return firekeras.score_filters(model, name, data=labelled(model, count))


def without(model, scores, removed):
    """The model without these filters, and all that goes with them."""
    plan = firekeras.plan_pruning(model, scores, pruning_ratio=0.0)
    plan.removed = {name: np.array(filters) for name, filters in removed.items()}
    return firekeras.prune(model, plan)


# Registration


def test_a_custom_criterion_gets_what_it_needs(monkeypatch):
    monkeypatch.setattr(criteria, "CRITERIA", criteria.CRITERIA)
    model, data, seen = networks.two_convs(), object(), []

    @criteria.criterion("widest")
    def widest(kernel, rng):
        return kernel.max(axis=(0, 1, 2)) if kernel.ndim == 4 else kernel.max(axis=0)

    @criteria.criterion("first", needs="model")
    def first(model):
        return FilterScores({"conv1": np.arange(8)}, criterion="first")

    @criteria.criterion("shown", needs="data")
    def shown(model, data):
        seen.append(data)
        return FilterScores({"conv1": np.arange(8)}, criterion="shown")

    try:
        kernel = value(model.get_layer("conv1").kernel)
        np.testing.assert_allclose(firekeras.score_filters(model, "widest")["conv1"], kernel.max(axis=(0, 1, 2)))
        scores = firekeras.score_filters(model, "first")
        assert scores["conv1"].tolist() == list(range(8))
        np.testing.assert_allclose(scores.l1["conv1"], np.abs(kernel).sum(axis=(0, 1, 2)), rtol=1e-6)
        assert firekeras.score_filters(model, "shown", data=data).criterion == "shown" and seen == [data]
    finally:
        for name in ("widest", "first", "shown"):
            criteria.CRITERIA.pop(name)


def test_what_a_criterion_may_need():
    with pytest.raises(ValueError, match=r"one of \('kernel', 'model', 'data'\).*'layer'"):
        criteria.criterion("mine", needs="layer")


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"Unknown criterion 'tailor'.*Did you mean 'taylor'"):
        firekeras.score_filters(networks.two_convs(), "tailor")


@pytest.mark.parametrize("name", [*MEASURED, "fire"])
def test_without_data_nothing_is_begun(name):
    with pytest.raises(ValueError, match=rf"'{name}' is measured on data: pass data="):
        firekeras.score_filters(keras.Model(), name)


# Weights


def test_fpgm_is_the_mean_distance_to_the_other_filters():
    model = networks.scramble(networks.sequential_cnn())
    scores = firekeras.score_filters(model, "fpgm")
    filters = value(model.get_layer("conv2").kernel).reshape(-1, 6).T
    for k in range(6):
        distances = [np.linalg.norm(filters[k] - filters[j]) for j in range(6) if j != k]
        assert scores["conv2"][k] == pytest.approx(-np.mean(distances), rel=1e-9)


def test_a_filter_that_others_could_replace_goes_first_by_fpgm():
    model = networks.two_convs()
    kernel = value(model.get_layer("conv1").kernel)
    kernel[..., 5] = kernel[..., [0, 1, 2, 3, 4, 6, 7]].mean(axis=-1)
    model.get_layer("conv1").kernel.assign(kernel)
    assert firekeras.score_filters(model, "fpgm")["conv1"].argmax() == 5


def test_a_layer_of_one_filter_has_a_finite_fpgm():
    model = networks.two_convs(first=1)
    assert firekeras.score_filters(model, "fpgm")["conv1"].tolist() == [0.0]


def test_random_is_repeatable_by_seed():
    model = networks.two_convs()
    one, same, other = (firekeras.score_filters(model, "random", seed=seed)["conv1"] for seed in (1, 1, 2))
    assert (one == same).all() and (one != other).any()


def test_bn_scale_is_the_size_of_gamma():
    model = networks.scramble(networks.plain_cnn())
    gamma = networks.leaves(model)["conv1_bn"].gamma
    gamma.assign(-value(gamma))
    scores = firekeras.score_filters(model, "bn_scale")
    np.testing.assert_allclose(scores["conv1"], -np.abs(value(gamma)))
    assert np.isnan(scores["conv2"]).all()
    plan = firekeras.plan_pruning(model, scores, pruning_ratio=0.3)
    assert "no bn_scale score, since in conv2 its output passes no BatchNormalization" in plan.explain("conv2", 0)


def test_bn_scale_of_coupled_filters_is_the_mean_of_all_that_they_pass():
    model = networks.scramble(networks.residual())
    layers = networks.leaves(model)
    scores = firekeras.score_filters(model, "bn_scale")
    both = [np.abs(value(layers[name].gamma)) for name in ("stem_bn", "a2_bn")]
    np.testing.assert_allclose(scores["stem"], -np.mean(both, axis=0), rtol=1e-6)
    np.testing.assert_array_equal(scores["stem"], scores["a2"])
    np.testing.assert_allclose(scores["a1"], -np.abs(value(layers["a1_bn"].gamma)), rtol=1e-6)


def test_no_score_at_all_is_an_error_that_gives_each_reason_once():
    reason = r"\(conv1, conv2, logits: its output passes no BatchNormalization that has a scale\)\."
    with pytest.raises(ValueError, match=f"No filter of 'two_convs' has a bn_scale score {reason}"):
        firekeras.score_filters(networks.two_convs(), "bn_scale")


@pytest.mark.parametrize("name", ["l1", "l2", "fpgm"])
@pytest.mark.parametrize("build", [networks.mobile, networks.siamese, networks.nested, networks.transposed])
def test_every_filter_has_a_score_by_its_weights(build, name):
    model = networks.scramble(build())
    scores = firekeras.score_filters(model, name)
    graph = firekeras.channel_graph(model)
    assert {layer: len(values) for layer, values in scores.items()} == graph.widths
    assert all(np.isfinite(values).all() and (values <= 0).all() for values in scores.values())


# Activations


@pytest.mark.parametrize("build", [networks.plain_cnn, networks.siamese, networks.nested])
def test_apoz_is_fire_digit_for_digit(build):
    model = networks.scramble(build())
    x = networks.samples(model, 9)
    scores, profile = firekeras.score_filters(model, "apoz", data=x), firekeras.measure_fire(model, x)
    assert scores.criterion == "apoz" and scores.reasons == profile.reasons and list(scores) == list(profile)
    for name, fire in profile.items():
        np.testing.assert_array_equal(scores[name], fire)
        np.testing.assert_array_equal(scores.l1[name], profile.l1[name])


def test_fire_by_name_is_a_profile():
    model = networks.two_convs()
    assert isinstance(firekeras.score_filters(model, "fire", data=networks.samples(model)), firekeras.FireProfile)


@pytest.mark.compiled
def test_activation_mean_is_taken_where_a_channel_is_read():
    model = compiled(networks.plain_cnn())
    x, y = labelled(model)
    scores = firekeras.score_filters(model, "activation_mean", data=(x, y))
    np.testing.assert_allclose(scores["conv1"], -outputs(model, "pool", x).mean(axis=(0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(scores["conv2"], -outputs(model, "conv2", x).mean(axis=(0, 1, 2)), rtol=1e-5)
    assert np.isnan(scores["logits"]).all() and scores.reasons["logits"] == "its output is read by no layer"


def test_activation_mean_of_several_readers_is_their_mean():
    image = keras.Input((6, 6, 3))
    made = L.ReLU(name="relu")(L.Conv2D(5, 3, name="conv")(image))
    pooled = L.GlobalAveragePooling2D(name="pool")(L.Conv2D(4, 1, name="one")(made))
    both = L.Concatenate(name="join")(
        [pooled, L.Dense(3, name="two")(L.Flatten()(L.MaxPooling2D(2, name="max")(made)))]
    )
    model = networks.scramble(keras.Model(image, L.Dense(2, name="logits")(both)))
    x = networks.samples(model)
    expected = [np.abs(outputs(model, name, x)).mean(axis=(0, 1, 2)) for name in ("relu", "max")]
    found = firekeras.score_filters(model, "activation_mean", data=x)
    np.testing.assert_allclose(found["conv"], -np.mean(expected, axis=0), rtol=1e-5)
    np.testing.assert_allclose(found["one"], -np.abs(outputs(model, "pool", x)).mean(axis=0), rtol=1e-5)


def test_what_is_not_finite_is_refused():
    model = compiled(networks.plain_cnn())
    x, y = labelled(model)
    x[0] = np.nan
    for name in ("activation_mean", "taylor"):
        with pytest.raises(ValueError, match=r"NaN"):
            firekeras.score_filters(model, name, data=(x, y))


# Gates


@pytest.mark.parametrize("build", networks.TINY)
def test_a_closed_gate_is_a_removed_unit(build):
    """With some gates closed the loss is that of the network without these units, and with none that of the network."""
    model = compiled(build())
    x, y = labelled(model, 4)
    readers = Readers(model)
    loss = GatedLoss(model, readers)
    plan = firekeras.plan_pruning(model, firekeras.score_filters(model, "random", seed=1), pruning_ratio=0.3)
    gone = readers.graph.units_of(plan.removed)
    gates = np.stack([np.zeros(len(gone)), -gone.astype(float)]).astype("float32")
    whole, cut = (number(loss(np.tile(row, (4, 1)), x, y, None)) for row in gates)
    smaller = firekeras.prune(model, plan)
    assert whole == pytest.approx(number(loss_of(model, x, y)), rel=1e-4)
    assert cut == pytest.approx(number(loss_of(smaller, x, y)), rel=1e-3) != pytest.approx(whole, rel=1e-3)


def loss_of(model, x, y):
    return model.compute_loss(x, y, model(x, training=False), training=False)


def effects_by_differences(model, x, y, step=1e-2):
    """dL/dg of each sample and unit, by central differences of the loss of one sample at a time."""
    readers = Readers(model)
    loss, units = GatedLoss(model, readers), readers.graph.num_units
    found = np.zeros((len(x), units))
    for sample, unit in np.ndindex(found.shape):
        gates = np.zeros((2, 1, units), "float32")
        gates[:, 0, unit] = step, -step
        up, down = (number(loss(gate, x[sample : sample + 1], y[sample : sample + 1], None)) for gate in gates)
        found[sample, unit] = (up - down) / (2 * step)
    return readers.graph, found


def small_and_smooth():
    image = keras.Input((4, 4, 2), name="image")
    x = L.BatchNormalization(name="norm")(L.Conv2D(4, 2, activation="tanh", name="conv1")(image))
    x = L.Add(name="add")([L.Conv2D(4, 1, name="conv2")(x), x])
    return keras.Model(image, L.Dense(2, name="logits")(L.Flatten(name="flatten")(x)), name="smooth")


@pytest.mark.compiled
def test_taylor_and_fisher_are_what_differences_of_the_loss_say():
    model = compiled(small_and_smooth())
    x, y = labelled(model, 3)
    graph, effects = effects_by_differences(model, x, y)
    expected = {"taylor": np.abs(effects).mean(axis=0), "fisher": np.square(effects).mean(axis=0) / 2}
    for name, values in expected.items():
        scores = firekeras.score_filters(model, name, data=(x, y))
        for layer in ("conv1", "conv2"):
            units = graph.filters(layer)
            np.testing.assert_allclose(scores[layer], -values[units] / graph.unit_sizes[units], rtol=2e-2, atol=1e-5)


def test_taylor_is_gradient_times_weight_summed_over_the_filter():
    """A filter without bias whose rectified output is read at once: sum of dL/dw * w is dL/dg."""
    image = keras.Input((4, 4, 2), name="image")
    x = L.ReLU()(L.Conv2D(5, 2, use_bias=False, name="conv")(image))
    model = compiled(keras.Model(image, L.Dense(2, name="logits")(L.Flatten()(x))))
    x, y = labelled(model, 1)
    kernel, step = value(model.get_layer("conv").kernel), 1e-2
    expected = []
    for k in range(5):  # scaling a filter by 1 + step moves the loss along sum dL/dw * w
        losses = []
        for factor in (1 + step, 1 - step):
            scaled = kernel.copy()
            scaled[..., k] *= factor
            model.get_layer("conv").kernel.assign(scaled)
            losses.append(number(loss_of(model, x, y)))
        expected.append(-abs(losses[0] - losses[1]) / (2 * step))
    model.get_layer("conv").kernel.assign(kernel)
    np.testing.assert_allclose(firekeras.score_filters(model, "taylor", data=(x, y))["conv"], expected, rtol=2e-3)


def test_scores_do_not_depend_on_how_the_data_come():
    model = compiled(networks.residual())
    x, y = labelled(model, 40)  # more than one batch

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 4

        def __getitem__(self, number):
            return x[10 * number : 10 * number + 10], y[10 * number : 10 * number + 10]

    import tensorflow as tf
    import torch

    tensors = torch.utils.data.TensorDataset(torch.tensor(x), torch.tensor(y))
    kinds = [
        Batches(),
        tf.data.Dataset.from_tensor_slices((x, y)).batch(16),
        torch.utils.data.DataLoader(tensors, batch_size=13),
        ((x[k : k + 8], y[k : k + 8]) for k in range(0, 40, 8)),
    ]
    expected = firekeras.score_filters(model, "taylor", data=(x, y))
    for data in kinds:
        scores = firekeras.score_filters(model, "taylor", data=data)
        np.testing.assert_allclose(scores["a1"], expected["a1"], rtol=1e-4)


def test_samples_of_weight_zero_do_not_count():
    model = compiled(networks.plain_cnn())
    x, y = labelled(model, 4)
    weights = np.array([1.0, 1.0, 0.0, 0.0], "float32")
    weighted = firekeras.score_filters(model, "taylor", data=(x, y, 2 * weights))
    alone = firekeras.score_filters(model, "taylor", data=(x[:2], y[:2]))
    np.testing.assert_allclose(weighted["conv1"], alone["conv1"], rtol=1e-4)


@pytest.mark.every_backend
def test_penalties_on_weights_depend_on_no_filter():
    """A penalty is part of the loss, and its derivative by a gate is zero."""
    free, penalized = compiled(networks.plain_cnn()), networks.plain_cnn()
    for layer in penalized.layers:
        if hasattr(layer, "kernel_regularizer"):
            layer.kernel_regularizer = keras.regularizers.L2(0.1)
    penalized = compiled(keras.models.clone_model(penalized))
    penalized.set_weights(free.get_weights())
    assert penalized.losses
    data = labelled(free, 4)
    for name in ("taylor", "fisher"):
        expected = firekeras.score_filters(free, name, data=data)
        found = firekeras.score_filters(penalized, name, data=data)
        np.testing.assert_allclose(found["conv1"], expected["conv1"], rtol=1e-4)


def test_a_dead_filter_goes_first():
    model = compiled(networks.plain_cnn())
    model.get_layer("conv1_bn").beta.assign(np.where(np.arange(8) == 3, -50.0, 0.1))
    for name in ("taylor", "fisher", "activation_mean", "contribution_measured", "contribution", "apoz"):
        assert scored(model, name)["conv1"].argmax() == 3


def test_measuring_changes_nothing_in_the_model():
    image = keras.Input((6, 6, 3))
    x = L.Dropout(0.5)(L.BatchNormalization()(L.Conv2D(4, 3, activity_regularizer="l2", name="conv")(image)))
    x = L.Flatten()(L.ReLU()(x))
    model = networks.scramble(keras.Model(image, [L.Dense(2, name="one")(x), L.Dense(3, name="two")(x)]))
    model.compile("sgd", ["mse", "mse"], loss_weights=[1.0, 0.5], metrics=[["mae"], ["mae"]])
    data = labelled(model, 5)
    model.evaluate(*data, verbose=0)
    before = [value(variable) for variable in (*model.variables, *model.metrics_variables)]
    for name in MEASURED:
        firekeras.score_filters(model, name, data=data)
    after = [value(variable) for variable in (*model.variables, *model.metrics_variables)]
    assert len(before) == len(after)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)
    assert np.isfinite(model.evaluate(*data, verbose=0, return_dict=True)["loss"])


def test_a_loss_is_needed():
    model = networks.two_convs()
    x, y = labelled(model)
    for prepare in (lambda: None, lambda: model.compile("sgd")):
        prepare()
        with pytest.raises(ValueError, match=r"'taylor' uses the model's loss.*model.compile\(loss=...\)"):
            firekeras.score_filters(model, "taylor", data=(x, y))


def test_labels_are_needed():
    model = compiled(networks.two_convs())
    with pytest.raises(ValueError, match=r"Expected data with labels, \(x, y\)"):
        firekeras.score_filters(model, "fisher", data=networks.samples(model))


def test_data_of_another_shape_are_refused():
    model = compiled(networks.two_convs())
    data = np.zeros((4, 9, 9, 3), "float32"), np.zeros((4, 3), "float32")
    with pytest.raises(ValueError, match=r"expected samples of shape \(8, 8, 3\), received \(9, 9, 3\)"):
        firekeras.score_filters(model, "taylor", data=data)


@pytest.mark.parametrize("build", networks.TINY)
def test_every_prunable_filter_has_a_score(build):
    """Coupled filters, those of depthwise, nested and shared layers, and of dense layers."""
    model = compiled(build())
    graph = firekeras.channel_graph(model)
    scores = scored(model, "taylor", 4)
    assert {layer: len(values) for layer, values in scores.items()} == graph.widths
    for layer, values in scores.items():
        free = [k for k in range(len(values)) if graph.lock(layer, k) is None]
        assert np.isfinite(values[free]).all()


def test_mixed_precision_is_measured_in_float32():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        half = networks.plain_cnn()
    finally:
        keras.config.set_dtype_policy("float32")
    model = compiled(networks.plain_cnn())
    half.set_weights(model.get_weights())
    half.compile("sgd", "mse")
    data = labelled(model, 6)
    for name in ("activation_mean", "taylor", "contribution", "contribution_measured"):
        one, other = (firekeras.score_filters(m, name, data=data)["conv1"] for m in (model, half))
        np.testing.assert_allclose(one, other, rtol=0, atol=0.1 * np.abs(one).max())


# Readers


def test_a_reader_of_another_kind_leaves_its_filters_unscored():
    sequence = keras.Input((6, 4))
    x = L.Conv1D(8, 3, activation="relu", name="conv")(sequence)
    x = L.GlobalAveragePooling1D()(L.MultiHeadAttention(2, 4, name="attention")(x, x))
    x = L.Dense(3, activation="relu", name="fc")(x)
    model = compiled(keras.Model(sequence, L.Dense(2, name="logits")(x)))
    scores = scored(model, "taylor")
    assert np.isnan(scores["conv"]).all() and (scores["fc"] <= 0).all()
    assert scores.reasons["conv"] == "its output is read by attention (MultiHeadAttention) in an unknown way"


def responses(layer, x_shape, axis, channels):
    """For each channel and output the squares of what a unit impulse on that channel makes, summed over positions."""
    found = []
    for channel in range(channels):
        x = np.zeros((1, *x_shape), "float32")
        x[
            (0, *(size // 2 for size in x_shape[:-1]), channel)
            if axis == -1
            else (0, channel, *(s // 2 for s in x_shape[1:]))
        ] = 1
        y = keras.ops.convert_to_numpy(layer(x)).astype("float64")
        y = np.moveaxis(y, axis, -1)
        found.append(np.square(y).reshape(-1, y.shape[-1]).sum(axis=0))
    return np.array(found)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (L.Dense(3, use_bias=False, name="read"), (4,)),
        (L.Conv1D(3, 3, padding="same", use_bias=False, name="read"), (7, 4)),
        (L.Conv2D(3, 3, padding="same", use_bias=False, name="read"), (7, 7, 4)),
        (L.Conv2DTranspose(3, 3, padding="same", use_bias=False, name="read"), (7, 7, 4)),
        (L.TimeDistributed(L.Conv1D(3, 3, padding="same", use_bias=False), name="read"), (3, 7, 4)),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, keras.Layer) else "",
)
def test_strengths_are_the_squares_of_impulse_responses(layer, shape):
    x = keras.Input(shape)
    made = L.Dense(4, name="made")(x)
    model = networks.scramble(keras.Model(x, L.Dense(2, name="logits")(L.Flatten()(layer(made)))))
    reader = Readers(model)["read"]
    np.testing.assert_allclose(reader.strengths(), responses(layer, shape, -1, 4), rtol=1e-4)


def test_strengths_of_a_separable_convolution_go_through_both_of_its_kernels():
    model = networks.scramble(networks.mobile())
    layer = model.get_layer("separable")
    depthwise, pointwise = value(layer.depthwise_kernel), value(layer.pointwise_kernel)[0, 0]
    expected = np.zeros((12, 10))
    for channel, many in np.ndindex(12, 2):
        tap = np.square(depthwise[:, :, channel, many]).sum()
        expected[channel] += tap * np.square(pointwise[2 * channel + many])
    np.testing.assert_allclose(Readers(model)["separable"].strengths(), expected, rtol=1e-6)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_recurrent_layers_are_readers(bidirectional):
    sequence = keras.Input((6, 3))
    x = L.Conv1D(5, 3, activation="relu", name="conv")(sequence)
    x = (L.Bidirectional(L.GRU(4), name="read") if bidirectional else L.GRU(4, name="read"))(x)
    model = compiled(keras.Model(sequence, L.Dense(2, name="logits")(x)))
    cells = (
        [one.cell for one in (model.get_layer("read").forward_layer, model.get_layer("read").backward_layer)]
        if (bidirectional)
        else [model.get_layer("read").cell]
    )
    expected = np.hstack([np.square(value(cell.kernel)) for cell in cells])
    np.testing.assert_allclose(Readers(model)["read"].strengths(), expected, rtol=1e-6)
    assert (scored(model, "taylor")["conv"] < 0).all()
