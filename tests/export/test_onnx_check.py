"""ONNX files of strangers: what only computes is run, and anything else is refused before it is loaded."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import firekeras
from firekeras.export import running
from firekeras.export.formats.onnx import OnnxRuntime
from firekeras.export.onnx_check import why_untrusted

onnx = pytest.importorskip("onnx")
helper = pytest.importorskip("onnx.helper")


def written(tmp_path, nodes=(), initializers=(), functions=(), size=2):
    """`y = relu(x)`, and more."""
    x, y = (helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", size]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"]), *nodes], "net", [x], [y], list(initializers))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1), helper.make_opsetid("own", 1)]
    model = helper.make_model(graph, opset_imports=opsets, functions=list(functions), ir_version=8)
    path = tmp_path / "net.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def outside(location):
    tensor = onnx.numpy_helper.from_array(np.zeros(2, "float32"), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return tensor


def test_a_network_is_run(tmp_path):
    path = written(tmp_path)
    assert why_untrusted(path) is None
    assert firekeras.measure_latency(path, runs=1).runtime == "ONNX Runtime"


def test_a_file_that_computes_without_an_end_is_refused(tmp_path, monkeypatch):
    path, released = written(tmp_path), threading.Event()
    monkeypatch.setattr(OnnxRuntime, "invoke", lambda self: released.wait())
    monkeypatch.setattr(running, "LONGEST_PASS", 0.05)
    try:
        with pytest.raises(ValueError, match=r"not run: a pass on random numbers has not ended .*allow it: trust=True"):
            firekeras.measure_latency(path, runs=1)
    finally:
        released.set()
    assert firekeras.measure_latency(path, runs=1, trust=True).runtime == "ONNX Runtime"


@pytest.mark.parametrize(
    ("domain", "kind"), [("com.microsoft", "PythonOp"), ("com.microsoft", "EPContext"), ("org.pytorch.aten", "ATen")]
)
def test_foreign_operations_are_refused_also_within_branches(tmp_path, domain, kind):
    foreign = helper.make_node(kind, ["x"], ["z"], domain=domain, name="foreign")
    with pytest.raises(
        ValueError, match=rf"net.onnx is not run: it has the operation {domain}.{kind} \(foreign\).*trust"
    ):
        firekeras.measure_latency(written(tmp_path, [foreign]))
    branch = helper.make_graph([foreign], "branch", [], [])
    inside = helper.make_node("If", ["c"], ["z"], then_branch=branch, else_branch=branch)
    assert kind in why_untrusted(written(tmp_path, [inside]))


def test_functions_of_the_file_are_looked_into(tmp_path):
    for inner, refused in (("Relu", False), ("Unheard", True)):
        body = [helper.make_node(inner, ["a"], ["b"], domain="" if inner == "Relu" else "elsewhere")]
        function = helper.make_function("own", "twice", ["a"], ["b"], body, [helper.make_opsetid("", 17)])
        path = written(tmp_path, [helper.make_node("twice", ["x"], ["z"], domain="own")], functions=[function])
        assert bool(why_untrusted(path)) == refused


@pytest.mark.parametrize("location", ["../w.bin", "/etc/passwd", "sub/w.bin", "link.bin", "gone.bin", ""])
def test_numbers_lie_in_files_beside_it_or_nowhere(tmp_path, location):
    (tmp_path / "w.bin").write_bytes(bytes(8))
    (tmp_path / "link.bin").symlink_to("/etc/passwd")
    assert why_untrusted(written(tmp_path, initializers=[outside("w.bin")])) is None
    assert "takes its numbers from" in why_untrusted(written(tmp_path, initializers=[outside(location)]))


def test_inputs_of_no_sensible_size_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"takes samples of shape \(1000000000,\), over 268,435,456 numbers"):
        firekeras.measure_latency(written(tmp_path, size=10**9))


def test_the_runtime_leaves_no_identifier_in_the_temporary_folder(tmp_path):
    path = written(tmp_path)
    (tmp_path / "temporary").mkdir()
    code = f"from firekeras.export.formats import FORMATS; FORMATS['onnx'].open({str(path)!r})"
    environment = {**os.environ, "TMPDIR": str(tmp_path / "temporary"), "ORT_DISABLE_TELEMETRY": "0"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert os.listdir(tmp_path / "temporary") == [] and done.stderr == ""


def one_node(tmp_path, node, kind, initializers=()):
    x, y = (helper.make_tensor_value_info(name, kind, ["n", 2]) for name in "xy")
    graph = helper.make_graph([node], "net", [x], [y], list(initializers))
    path = tmp_path / "net.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def test_inputs_of_texts_are_refused(tmp_path):
    path = one_node(tmp_path, helper.make_node("Identity", ["x"], ["y"]), onnx.TensorProto.STRING)
    with pytest.raises(ValueError, match=r"is not an \.onnx file that ONNX Runtime can run: data type 'string'"):
        firekeras.measure_latency(path, runs=1)


def test_names_in_a_file_do_not_reach_the_terminal_by_the_runtime(tmp_path, capfd):
    node = helper.make_node("Reshape", ["x", "shape"], ["y"], name="\x1b[2J")
    shape = onnx.numpy_helper.from_array(np.array([7, 2]), "shape")
    with pytest.raises(ValueError, match=r"ONNX Runtime cannot run .*net\.onnx: "):
        firekeras.measure_latency(one_node(tmp_path, node, onnx.TensorProto.FLOAT, [shape]), runs=1)
    assert not capfd.readouterr().err
