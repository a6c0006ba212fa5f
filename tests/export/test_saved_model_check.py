"""SavedModels of strangers: what only computes is run, and anything else is refused before it is loaded."""

import shutil

import numpy as np
import pytest

import firekeras
from firekeras.export.saved_model_check import why_untrusted

tf = pytest.importorskip("tensorflow")


class Net(tf.Module):
    def __init__(self, body=None):
        super().__init__()
        self.weight = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
        self.body = body

    @tf.function(input_signature=[tf.TensorSpec((None, 2), tf.float32, name="x")])
    def serve(self, x):
        return {"output_0": tf.nn.relu(x @ self.weight) + (self.body(x) if self.body else 0.0)}


def saved(path, body=None):
    net = Net(body)
    tf.saved_model.save(net, str(path), signatures={"serving_default": net.serve})
    return path


@pytest.fixture(scope="module")
def harmless(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("harmless") / "net")


def edited(harmless, tmp_path, edit):
    path = tmp_path / "net"
    shutil.copytree(harmless, path)
    from tensorflow.core.protobuf import saved_model_pb2

    content = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    edit(content)
    (path / "saved_model.pb").write_bytes(content.SerializeToString())
    return path


def test_a_network_is_run(harmless):
    assert why_untrusted(harmless) is None
    assert firekeras.measure_latency(harmless, runs=1).runtime == "TensorFlow"


def test_a_graph_that_writes_files_runs_only_if_it_is_trusted(tmp_path):
    mine = tmp_path / "mine"

    def body(x):
        with tf.control_dependencies([tf.io.write_file(str(mine), "theirs")]):
            return tf.identity(0.0)

    path = saved(tmp_path / "net", body)
    with pytest.raises(
        ValueError, match=r"net is not run: its graph has the operation 'WriteFile' .*allow it: trust=True"
    ):
        firekeras.measure_latency(path, runs=1)
    assert not mine.exists()
    firekeras.measure_latency(path, runs=1, trust=True)
    assert mine.read_text() == "theirs"


def test_python_functions_are_refused(tmp_path):
    path = saved(tmp_path / "net", lambda x: tf.numpy_function(lambda: np.float32(0), [], tf.float32))
    assert "'PyFunc'" in why_untrusted(path) or "'EagerPyFunc'" in why_untrusted(path)


@pytest.mark.parametrize(
    "name", ["ReadFile", "ImmutableConst", "MatchingFiles", "RemoteCall", "XlaCallModule", "Unheard"]
)
def test_operations_that_are_not_known_to_compute(harmless, tmp_path, name):
    def edit(content):
        graph = content.meta_graphs[0].graph_def
        node = next(node for f in graph.library.function for node in f.node_def if node.op == "Relu")
        node.op = name

    assert f"'{name}'" in why_untrusted(edited(harmless, tmp_path, edit))


def saver(content):
    meta = content.meta_graphs[0]
    name = meta.saver_def.restore_op_name
    return meta, next(node for node in meta.graph_def.node if node.name == name)


def called_by_another(content):
    meta, node = saver(content)
    relu = next(node for f in meta.graph_def.library.function for node in f.node_def if node.op == "Relu")
    relu.op = "StatefulPartitionedCall"
    relu.attr["f"].func.name = node.attr["f"].func.name


def taken_by_a_signature(content):
    meta, node = saver(content)
    next(iter(meta.signature_def["serving_default"].outputs.values())).name = f"{node.name}:0"


def taken_by_a_node(content):
    meta, node = saver(content)
    meta.graph_def.node.add(name="more", op="NoOp").input.append(f"^{node.name}")


def named_by_an_object(content):
    meta, node = saver(content)
    one = next(one for one in meta.object_graph_def.nodes if one.WhichOneof("kind") == "bare_concrete_function")
    one.bare_concrete_function.concrete_function_name = node.attr["f"].func.name


@pytest.mark.parametrize("edit", [called_by_another, taken_by_a_signature, taken_by_a_node, named_by_an_object])
def test_what_saves_and_restores_weights_must_be_out_of_reach(harmless, tmp_path, edit):
    assert "'RestoreV2'" in why_untrusted(edited(harmless, tmp_path, edit))


def of_tensorflow_1(content):
    content.meta_graphs[0].ClearField("object_graph_def")


def huge_constant(content):
    node = content.meta_graphs[0].graph_def.node.add(name="huge", op="Const")
    node.attr["value"].tensor.tensor_shape.dim.add().size = 10**12


@pytest.mark.parametrize(
    ("edit", "words"), [(of_tensorflow_1, "of TensorFlow 1"), (huge_constant, "constants declare 1,000,000,")]
)
def test_graphs(harmless, tmp_path, edit, words):
    assert words in why_untrusted(edited(harmless, tmp_path, edit))


def test_other_files(harmless, tmp_path):
    path = edited(harmless, tmp_path, lambda content: None)
    (path / "saved_model.pbtxt").touch()
    assert "another graph" in why_untrusted(path)
    (path / "saved_model.pbtxt").unlink()
    (path / "variables" / "zero").symlink_to("/dev/zero")
    assert "zero is not a file" in why_untrusted(path)
    (path / "saved_model.pb").write_bytes(b"\xff")
    with pytest.raises(ValueError, match=r"net is not a SavedModel: its saved_model.pb cannot be read"):
        firekeras.measure_latency(path)


def test_a_graph_that_fails_as_it_runs_is_refused_in_a_sentence(tmp_path):
    path = saved(tmp_path / "net", lambda x: tf.reduce_sum(tf.reshape(x, (8, 8))))
    with pytest.raises(ValueError, match=r"TensorFlow cannot run .*net: .*(reshape|Reshape|shape)") as refusal:
        firekeras.measure_latency(path, runs=1)
    assert "\n" not in str(refusal.value)
