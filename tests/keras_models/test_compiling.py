import keras
import pytest

from firekeras.keras_models.compiling import compile_with_fresh_optimizer


def network():
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])


@pytest.fixture
def trained():
    model = network()
    model.compile(keras.optimizers.SGD(0.5, momentum=0.9), "mse", metrics=["mae"])
    model.optimizer.build(model.trainable_variables)
    model.optimizer.iterations.assign(3)
    return model


@pytest.mark.parametrize(("rate", "expected"), [(None, 0.5), (0.25, 0.25)])
def test_a_fresh_optimizer_has_the_settings_and_has_not_taken_a_step(trained, rate, expected):
    fresh = network()
    compile_with_fresh_optimizer(trained, fresh, rate)
    assert (int(trained.optimizer.iterations), int(fresh.optimizer.iterations)) == (3, 0)
    assert float(fresh.optimizer.learning_rate) == expected and float(fresh.optimizer.momentum) == 0.9
    assert [fresh.get_compile_config()[name] for name in ("loss", "metrics")] == ["mse", ["mae"]]


def test_a_fresh_optimizer_of_mixed_precision_scales_losses_too():
    model, fresh = network(), network()
    model.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5)), "mse")
    compile_with_fresh_optimizer(model, fresh, 0.25)
    assert type(fresh.optimizer) is keras.optimizers.LossScaleOptimizer and float(fresh.optimizer.learning_rate) == 0.25
