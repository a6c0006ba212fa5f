"""What must not be imported where, and the same results on every backend; each in a process of its own."""

import networks
import pytest
from processes import need, run

import firekeras

OTHER_BACKENDS = ["jax", "torch"]  # than TensorFlow, on which the other tests run
PLANNING = ["plan.planning", "scores.profile", "channels.costs", "channels.graph"]

NONE_LOADED = """
import sys
loaded = [name for name in {names} if name in sys.modules]
assert not loaded, f"{{loaded}} came along"
"""


def none_loaded(*names):
    return NONE_LOADED.format(names=names)


# The package is found


def test_a_clone_in_the_working_folder_does_not_hide_the_package(tmp_path):
    (tmp_path / "firekeras").mkdir()
    run("import firekeras; firekeras.__version__", folder=tmp_path, PYTHONPATH="")


# Planning needs no Keras


def test_planning_modules_import_no_keras():
    modules = ["firekeras", *(f"firekeras.{name}" for name in PLANNING)]
    run(f"import {', '.join(modules)}" + none_loaded("keras", "tensorflow", "jax", "torch"))


PLAN_FROM_FILE = """
import sys
sys.modules["keras"] = None
import firekeras
profile = firekeras.FireProfile.load(sys.argv[1] if len(sys.argv) > 1 else PATH)
plan = firekeras.plan_pruning(profile.graph, profile, pruning_ratio=0.3, layer_caps={"backbone/conv1": 0.5})
print(plan.num_removed, plan.costs_after.macs, firekeras.count_costs(profile.graph).macs)
plan.save(PATH + ".json")
again = firekeras.PruningPlan.load(PATH + ".json")
print(again.explain("backbone/conv1", 0))
"""


def test_planning_from_a_file_needs_no_keras(tmp_path):
    model = networks.scramble(networks.nested())
    profile = firekeras.measure_fire(model, networks.samples(model, 8))
    path = tmp_path / "net.fire.h5"
    profile.save(path)
    plan = firekeras.plan_pruning(model, profile, pruning_ratio=0.3, layer_caps={"backbone/conv1": 0.5})
    lines = run(f"PATH = {str(path)!r}" + PLAN_FROM_FILE + none_loaded("tensorflow", "jax", "torch")).splitlines()
    assert lines[0] == f"{plan.num_removed} {plan.costs_after.macs} {plan.costs_before.macs}"
    assert lines[1] == plan.explain("backbone/conv1", 0)


ALL_MODULES = """
import importlib, pkgutil, sys
import firekeras
for name in firekeras.__all__:
    getattr(firekeras, name)
for module in pkgutil.walk_packages(firekeras.__path__, "firekeras."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
forbidden = {"PySide6", "PyQt6", "PyQt5", "pyqtgraph", "qtpy", "inspector"}
qt = [name for name in sys.modules if name.split(".")[0] in forbidden]
assert not qt, f"{qt[:5]} came along"
"""


def test_no_module_imports_qt_or_beside_another_backend_tensorflow():
    need("jax")
    run(ALL_MODULES + none_loaded("tensorflow"), KERAS_BACKEND="jax")


# Other backends

MEASURE = """
import sys
import numpy as np
import keras
import networks
import firekeras
from firekeras.methods import FirePruning
from firekeras.scores.fire.counting import ZeroCounter

assert keras.backend.backend() == BACKEND
model = networks.scramble(networks.plain_cnn())
model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse")
x = networks.samples(model, 8)
profile = firekeras.measure_fire(model, x, batch_size=4)
relus = {"conv1": "conv1_relu", "conv2": "conv2", "fc": "fc"}
outputs = keras.Model(model.input, [model.get_layer(relu).output for relu in relus.values()])
parts = [[keras.ops.convert_to_numpy(y) for y in outputs(x[k : k + 4], training=False)] for k in (0, 4)]
for k, name in enumerate(relus):
    values = np.concatenate([part[k] for part in parts])
    assert (profile.zeros[name] == (values == 0).reshape(-1, values.shape[-1]).sum(axis=0)).all(), name
    assert (profile.seen[name] == values[..., 0].size).all()

counter = ZeroCounter(axis=2)
block = keras.ops.zeros((4, 2**20 + 1, 1))
for _ in range(5):
    counter(block)
assert counter.count().zeros.tolist() == [20 * (2**20 + 1)] and 20 * (2**20 + 1) > 2**24
assert counter.count().seen == 20 * (2**20 + 1)

scores = firekeras.score_filters(model, "random", seed=0)
plan = firekeras.plan_pruning(model, scores, pruning_ratio=0.4)
"""

WITHOUT_THE_REST = """
import sys
sys.modules["tensorflow"] = sys.modules["sklearn"] = None  # as if they were not installed
"""

NO_DETECTOR = """
for learn in (lambda: firekeras.FireDetector().fit(model, profile), lambda: FirePruning().check(model, None)):
    try:
        learn()
    except ImportError as error:
        assert 'pip install "firekeras[detector]"' in str(error)
    else:
        raise AssertionError("learned without scikit-learn")
FirePruning("measured").check(model, None)
"""

PRUNE = """
from oracle import assert_pruned_equals_masked

model.fit(x, np.zeros((8, 4)), batch_size=4, verbose=0)
smaller = firekeras.prune(model, plan)
assert plan.removed and smaller.count_params() == plan.costs_after.params
assert_pruned_equals_masked(model, plan, smaller)
assert smaller.predict(x, verbose=0).shape == (8, 4)
assert int(smaller.optimizer.iterations) == 2
smaller.fit(x, np.zeros((8, 4)), batch_size=4, verbose=0)
assert int(smaller.optimizer.iterations) == 4 and int(model.optimizer.iterations) == 2
"""


@pytest.mark.parametrize("backend", OTHER_BACKENDS)
def test_counts_surgery_and_training_are_right_with_nothing_else_installed(backend):
    need(backend)
    run(f"BACKEND = {backend!r}" + WITHOUT_THE_REST + MEASURE + PRUNE + NO_DETECTOR, KERAS_BACKEND=backend)
