"""Steps run in the order of the exported file, which the names of layers decide."""

from types import SimpleNamespace

import keras
import pytest
from keras import layers as L

import firekeras
from firekeras.channels.lite.running_order import running_order
from firekeras.export.running import open_runtime


def two_ways(model, way, shortcut, added_first):
    """A network with a block of two ways; each of its layers has a number of filters of its own."""
    image = keras.Input((8, 8, 3), name="image")
    x = L.Conv2D(4, 3, padding="same", activation="relu", name="stem")(image)
    short = L.Conv2D(9, 1, name=shortcut)(x)
    y = L.ReLU(name=f"{way}1_relu")(
        L.BatchNormalization(name=f"{way}1_bn")(L.Conv2D(16, 3, padding="same", name=f"{way}1")(x))
    )
    y = L.BatchNormalization(name=f"{way}2_bn")(L.Conv2D(9, 3, padding="same", name=f"{way}2")(y))
    x = L.Add(name="add")([short, y] if added_first else [y, short])
    return keras.Model(image, L.Dense(4, name="logits")(L.GlobalAveragePooling2D(name="pool")(x)), name=model)


def order_in_file(path):
    """The kernels of convolutions in the order in which they run: `(filters, height, width, channels)`."""
    interpreter = open_runtime(path)._interpreter
    interpreter.allocate_tensors()
    steps = [step for step in interpreter._get_ops_details() if step["op_name"] == "CONV_2D"]
    shapes = {tensor["index"]: tuple(map(int, tensor["shape"])) for tensor in interpreter.get_tensor_details()}
    return [shapes[step["inputs"][1]] for step in steps]


@pytest.mark.tensorflow  # from which files are exported
@pytest.mark.parametrize(
    ("names", "shortcut_comes"),
    [
        (("net", "b", "b_shortcut", True), "last"),
        (("net", "b", "b_shortcut", False), "last"),
        (("net", "b", "a_shortcut", True), "first"),
        (("a", "b", "a_shortcut", False), "first"),
        (("zoo", "m", "n", True), "last"),
    ],
)
def test_convolutions_run_as_in_the_file(names, shortcut_comes, tmp_path):
    model = two_ways(*names)
    convolutions = [step.layer for step in firekeras.channel_graph(model).program.steps if step.kind == "CONV_2D"]
    assert convolutions.index(names[2]) == {"first": 1, "last": 3}[shortcut_comes]
    firekeras.export_model(model, tmp_path / "net.tflite")
    kernels = [tuple(model.get_layer(name).kernel.shape) for name in convolutions]
    assert order_in_file(tmp_path / "net.tflite") == [
        (filters, *size, channels) for *size, channels, filters in kernels
    ]


def test_the_ram_of_two_ways_depends_on_which_runs_first():
    """In bytes of int8: if the shortcut runs first, its result is there until the wide way has run to its end."""
    first, last = (firekeras.count_costs(two_ways("net", "m", name, True)).ram for name in ("a", "z"))
    assert first == 8 * 8 * (9 + 16 + 9) > last


class Step(SimpleNamespace):
    """Known by identity, as steps are."""

    __hash__ = object.__hash__


def test_a_way_runs_to_its_end_before_the_next_begins():
    made = {"stem": ((0,), (1,)), "b": ((1,), (2,)), "a": ((1,), (3,)), "b2": ((2,), (4,)), "add": ((3, 4), (5,))}
    steps = [Step(layer=name, reads=reads, makes=makes, constants=()) for name, (reads, makes) in made.items()]
    assert [one.layer for one in running_order(steps, {0: "image"}, "net")] == ["stem", "a", "b", "b2", "add"]
