"""The examples in docstrings run, and give what they say.

What they use they define, but for a few small objects that every reader knows or can make:

- `firekeras`, `keras` and `np`;
- `model`: compiled and trained on scikit-learn's digits, with the filters `conv1` (8) and `conv2` (12);
- `x_train`, `y_train`, `x_val`, `y_val`, `x_test`, `y_test`: images `(n, 8, 8, 1)` and class numbers;
- `train`, `validation`, `test`: the same as tuples `(x, y)`;
- `profile`, `scores`, `plan`, `pruned` and `result`: what `measure_fire`, `score_filters`, `plan_pruning`, `prune` and
  `compress` make of it; `table`, a `LatencyTable` of it;
- files in the working folder: `model.keras`, `keras2.h5`, which Keras 2 saved, and `runs/a`, a finished run.

Each example gets a model of its own, and what it registers is forgotten after it.
"""

import ast
import doctest
import warnings
from pathlib import Path

import fake_times
import keras
import numpy as np
import pytest
from keras import layers as L
from keras.src.utils import io_utils

import firekeras

ROOT = Path(firekeras.__file__).parent
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
ELSEWHERE = ("quantize_aware", "latency_table")  # which take seconds: tests of their own call them in the same way
NEED_TENSORFLOW = ("firekeras.export.", "firekeras.keras2.")
ON_TENSORFLOW = (*NEED_TENSORFLOW, "firekeras.network.", "firekeras.plan.pruning", "firekeras.scores.fire.")

pytestmark = pytest.mark.usefixtures("uncompiled")


def examples():
    for path in sorted(ROOT.rglob("*.py")):
        module = ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            text = isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node)
            name = getattr(node, "name", "")
            if text and ">>>" in text and name not in ELSEWHERE:
                marks = () if module.startswith(ON_TENSORFLOW) else pytest.mark.any_backend
                yield pytest.param(module, text, id=f"{module}.{name}", marks=marks)


def small_network():
    image = keras.Input((8, 8, 1), name="image")
    x = L.Conv2D(8, 3, name="conv1")(L.Rescaling(1 / 16, name="rescale")(image))
    x = L.ReLU(name="conv1_relu")(L.BatchNormalization(momentum=0.9, name="conv1_bn")(x))
    x = L.Conv2D(12, 3, strides=2, activation="relu", name="conv2")(x)
    x = L.Flatten(name="flatten")(x)
    model = keras.Model(image, L.Dense(10, activation="softmax", name="scores")(x), name="digits")
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def save_with_keras_2(path):
    if keras.backend.backend() == "tensorflow":
        tf_keras = pytest.importorskip("tf_keras")
        with warnings.catch_warnings(action="ignore"):  # that this format is a legacy
            tf_keras.Sequential([tf_keras.layers.Dense(3, input_shape=(4,))]).save(path, save_format="h5")


@pytest.fixture(scope="module")
def ready(uncompiled, tmp_path_factory):
    keras.utils.set_random_seed(0)
    digits = firekeras.datasets.load_dataset("digits", limit=80)
    x_train, y_train, x_val, y_val = firekeras.datasets.hold_out(digits, share=0.4)
    known = {"x_train": x_train, "y_train": y_train, "x_val": x_val, "y_val": y_val}
    known |= {"x_test": digits.x_test, "y_test": digits.y_test, "test": (digits.x_test, digits.y_test)}
    known |= {"train": (x_train, y_train), "validation": (x_val, y_val)}
    model = small_network()
    model.fit(x_train, y_train, batch_size=16, epochs=5, verbose=0)
    known["profile"] = firekeras.measure_fire(model, x_train)
    known["scores"] = firekeras.score_filters(model, "l1")
    known["plan"] = firekeras.plan_pruning(model, known["scores"], pruning_ratio=0.3)
    known["pruned"] = firekeras.prune(model, known["plan"])
    with pytest.MonkeyPatch.context() as patch:
        known["table"] = fake_times.table_of(model, patch)
    known["weights"], known["folder"] = model.get_weights(), tmp_path_factory.mktemp("examples")
    model.save(known["folder"] / "model.keras")
    save_with_keras_2(known["folder"] / "keras2.h5")
    fast = {"epochs": 1, "target": {"macs": 0.7}, "method": "l1", "verbose": 0}
    fast["run_dir"] = known["folder"] / "runs" / "a"
    known["result"] = firekeras.compress(model, known["train"], known["validation"], **fast)
    return known


@pytest.fixture
def names(ready, monkeypatch, registries):
    """What an example finds; the working folder is that of all examples."""
    monkeypatch.chdir(ready["folder"])
    # Progress bars would be taken for what an example gives. Keras's own setting is one of each thread, and PyTorch's
    # training shows them in another.
    monkeypatch.setattr(io_utils, "is_interactive_logging_enabled", lambda: False)
    return {**ready, "firekeras": firekeras, "keras": keras, "np": np}


@pytest.mark.parametrize(("module", "docstring"), list(examples()))
def test_example(module, docstring, names):
    if keras.backend.backend() != "tensorflow" and module.startswith(NEED_TENSORFLOW):
        pytest.skip("exports from TensorFlow")
    if "model" in docstring:
        names["model"] = small_network()
        names["model"].set_weights(names["weights"])
    run = doctest.DocTestRunner(verbose=False, optionflags=FLAGS)
    test = doctest.DocTestParser().get_doctest(docstring, names, module, None, None)
    said = []
    run.run(test, out=said.append, clear_globs=False)
    assert not run.failures, "".join(said)
