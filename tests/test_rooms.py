"""The rooms of firekeras import downwards only, and Keras's private parts are named in one of them."""

import re

import pytest
import rooms

FLOORS = (  # from the ground up
    *(
        "version",
        "refusals",
        "atomic",
        "terminal",
        "quiet",
        "paths",
        "strict_json",
        "hdf5",
        "arguments",
        "discovery",
        "zoo",
        "datasets",
        "keras_models",
        "data",
        "channels",
        "network",
    ),
    *("scores", "plan", "recovery", "export", "keras2", "rounds", "methods", "report", "fit", "studies", "compressing"),
    *("cli", "__main__", "__init__"),
)
ROOMS_OF_KERAS = ("firekeras.keras_models.", "firekeras.channels.rules.")
PRIVATE = re.compile(r"(?<!self)(?<!cls)\.(_[a-z]\w*)")
KERAS_NAMES = (
    *("_flatten_layers", "_keras_history", "_inbound_nodes", "_nodes_by_depth", "_operations", "_functional"),
    *("_inputs_struct", "_outputs_struct", "_standardize_inputs", "_compile_config", "_compile_loss"),
    *("_seed_generators", "_call_has_training_arg", "_run_through_graph", "_distribute_strategy", "_symbolic_build"),
)


def test_rooms_import_downwards_only():
    graph = rooms.imports("firekeras")
    assert rooms.circles(graph) == []
    up = [arrow for arrow in rooms.upwards(graph, FLOORS) if arrow != ("cli", "__init__")]
    assert up == []  # the command line alone uses the public names


@pytest.mark.parametrize(("module", "path"), rooms.sources("firekeras").items(), ids=lambda x: str(x).split("/")[-1])
def test_what_keras_keeps_to_itself_is_named_in_one_room(module, path):
    source = path.read_text(encoding="utf-8")
    if module.startswith(ROOMS_OF_KERAS):
        assert module == "firekeras.keras_models.internals" or "keras.src" not in source
        return
    assert "keras.src" not in source
    assert not set(PRIVATE.findall(source)) & set(KERAS_NAMES)


def test_nothing_imports_qt():
    for module, path in rooms.sources("firekeras").items():
        assert not [name for name in rooms.imported(module, path) if name.startswith(("PySide6", "pyqtgraph"))], module
