"""Quiet, seeded and with fresh layer names: every test by itself."""

import gc
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import pytest
from compiling import compiling

gc.freeze()  # what TensorFlow imports stays; a collection that looks through it takes half a second
TRAINS = ("rounds", "fit", "recovery", "methods", "studies", "cli")
pytest_plugins = ["command_line", "pages", "registries", "sides", "trained_digits"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Marks what trains."""
    for item in items:
        if item.path.relative_to(config.rootpath / "tests").parts[0] in TRAINS:
            item.add_marker("trains")


@pytest.fixture(autouse=True)
def seeded_session():
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)


@pytest.fixture(scope="module")
def uncompiled():
    """Has TensorFlow run what it would compile for seconds to run it for an instant; other backends compile."""
    with compiling(False):
        yield


@pytest.fixture(autouse=True)
def compiled_if_marked(request):
    """In a module that is `uncompiled`, has TensorFlow compile for a test that is marked `compiled`."""
    if request.node.get_closest_marker("compiled") is None:
        yield
        return
    with compiling(True):
        yield
