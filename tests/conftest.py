"""Quiet, seeded and with fresh layer names: every test by itself."""

import gc
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest

FIXTURES = ("command_line", "pages", "registries", "sides", "trained_digits")
ANY_BACKEND = (
    *("rounds", "fit", "recovery", "methods", "studies", "cli", "scores", "plan", "channels", "network", "data"),
    *("keras_models/test_classes.py", "keras_models/test_copying.py", "examples/test_fashion_mnist.py"),
    *("test_extending.py", "test_threads.py", "test_zoo.py"),
)


def pytest_configure(config):
    """Imports what tests share, but for a process that only hands them out to others: Keras takes seconds."""
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        return
    gc.set_threshold(50_000, 20, 50)  # to look for networks that were dropped is a fifteenth of the time otherwise
    for name in FIXTURES:
        config.pluginmanager.import_plugin(name)
    gc.freeze()  # what TensorFlow imports stays; a collection that looks through it takes half a second


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Marks what is the same Python on every backend, but for tests that are of TensorFlow alone."""
    tests, places = config.rootpath / "tests", set(ANY_BACKEND)
    for item in items:
        path = item.path.relative_to(tests)
        if item.get_closest_marker("tensorflow"):
            item.add_marker(pytest.mark.skipif(other_backend(), reason="of TensorFlow alone"))
        elif places & {one.as_posix() for one in (path, *path.parents)}:
            item.add_marker("any_backend")


def other_backend():
    return os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow"


@pytest.fixture(scope="module", autouse=True)
def what_is_there_stays():
    """LiteRT's converter collects garbage after each file: it need not look through what earlier modules left."""
    gc.freeze()


@pytest.fixture(autouse=True)
def seeded_session():
    import keras

    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)


@pytest.fixture(scope="module")
def uncompiled():
    """Has TensorFlow run what it would compile for seconds to run it for an instant; other backends compile."""
    from compiling import compiling

    with compiling(False):
        yield


@pytest.fixture(autouse=True)
def compiled_if_marked(request):
    """In a module that is `uncompiled`, has TensorFlow compile for a test that is marked `compiled`."""
    if request.node.get_closest_marker("compiled") is None:
        yield
        return
    from compiling import compiling

    with compiling(True):
        yield
