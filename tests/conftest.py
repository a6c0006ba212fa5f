"""Quiet, seeded and with fresh layer names: every test by itself."""

import gc
import os

# Networks are made by the hundred and dropped: to look for what is dropped takes a fifteenth of the time, left as it is
gc.set_threshold(50_000, 20, 50)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest

FIXTURES = ("command_line", "pages", "registries", "sides", "trained_digits")
TRAINS = ("rounds", "fit", "recovery", "methods", "studies", "cli", "scores/criteria", "scores/detector")
CUTS = (
    *("channels/test_opening.py", "channels/rules/test_recurrent.py", "channels/rules/test_attention.py"),
    "network/test_random_networks.py",
)
COUNTS = ("plan", "channels/test_costs.py", "test_zoo.py")  # on networks that are built, cut, and seldom run


def pytest_configure(config):
    """Imports what tests share, but for a process that only hands them out to others: Keras takes seconds."""
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        return
    for name in FIXTURES:
        config.pluginmanager.import_plugin(name)
    gc.freeze()  # what TensorFlow imports stays; a collection that looks through it takes half a second


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Marks what trains, cuts, or counts, in steps that are the same Python on every backend."""
    tests, places = config.rootpath / "tests", set(TRAINS + CUTS + COUNTS)
    for item in items:
        path = item.path.relative_to(tests)
        if places & {one.as_posix() for one in (path, *path.parents)}:
            item.add_marker("trains")


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
