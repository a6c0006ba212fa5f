"""Damage, drawn by hypothesis: of bytes, of JSON, and of what an archive or an HDF5 file holds."""

import copy
import io
import json
import zipfile

import h5py
import numpy as np
from hypothesis import strategies as st

from firekeras.hdf5.files import SEAL_SIZE, sealed

NUMBERS = [0, -1, 1, 3, 99, 10**8, 2**31, 2**63 - 1, 2**63, 2**70, -(2**63), 0.5, -0.5, 1e300, 1e-300, True, False]
VALUES = [*NUMBERS, None, "", "x", "conv", "9", "\x1b[2J", "../x", "é" * 99, [], {}, [[]], [1], ["x"], {"a": 1}, "NaN"]


def bytes_of(draw, whole):
    """Whole bytes with a few of them changed, lost, doubled or zeroed."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, max(0, len(data) - 1)))
        size = draw(st.sampled_from([1, 2, 8, 64, 256, 1024]))
        kind = draw(st.sampled_from(["flip", "zero", "cut", "double", "end", "noise", "ones"]))
        stretch = data[start : start + size]
        if kind == "flip" and stretch:
            data[start] ^= 1 << draw(st.integers(0, 7))
        elif kind == "end":
            del data[start:]
        else:
            changed = {"zero": bytes(len(stretch)), "cut": b"", "double": stretch * 2, "ones": b"\xff" * len(stretch)}
            data[start : start + size] = changed.get(kind, draw(st.binary(min_size=1, max_size=16)))
    return bytes(data)


def sealed_again(draw, whole):
    """Damaged bytes with a checksum that fits: what a stranger would send."""
    return sealed(bytes_of(draw, whole[:-SEAL_SIZE]))


def json_of(draw, whole):
    """JSON with one or two of its values exchanged, removed or doubled."""
    data = json.loads(whole)
    for _ in range(draw(st.integers(1, 2))):
        data = _changed(draw, data)
    return json.dumps(data).encode()


def lines_of(draw, whole):
    """Lines of JSON of which one is changed, lost, doubled or moved."""
    lines = whole.splitlines()
    number = draw(st.integers(0, len(lines) - 1))
    kind = draw(st.sampled_from(["json"] * 5 + ["lose", "double", "move", "bytes"]))
    line = lines.pop(number)
    if kind == "double":
        lines.insert(number, line)
    if kind != "lose":
        changed = {"json": json_of, "bytes": bytes_of}.get(kind, lambda draw, line: line)(draw, line)
        lines.insert(draw(st.integers(0, len(lines))) if kind == "move" else number, changed)
    return b"\n".join(lines) + b"\n"


def _changed(draw, data):
    """Goes down at random, and changes what it comes to."""
    if not isinstance(data, (dict, list)) or not data or draw(st.integers(0, 5)) == 0:
        return draw(st.sampled_from(VALUES))
    key = draw(st.sampled_from(sorted(data) if isinstance(data, dict) else range(len(data))))
    data = copy.copy(data)
    kind = draw(st.sampled_from(["down"] * 6 + ["remove", "add"]))
    if kind == "remove":
        del data[key]
    elif kind == "add" and isinstance(data, dict):
        data[draw(st.sampled_from(["x", "", "conv", "-1", "99"]))] = data[key]
    elif kind == "add":
        data.insert(key, data[key])
    else:
        data[key] = _changed(draw, data[key])
    return data


def archive_of(draw, whole):
    """A .keras or .npz file, whole as an archive, of which one member is changed, lost or doubled."""
    with zipfile.ZipFile(io.BytesIO(whole)) as old:
        members = {name: old.read(name) for name in old.namelist()}
    name = draw(st.sampled_from(sorted(members)))
    kind = draw(st.sampled_from(["inside"] * 6 + ["bytes", "lose", "other name"]))
    content = members.pop(name)
    if kind == "inside":
        members[name] = _inside(draw, name, content)
    elif kind == "bytes":
        members[name] = bytes_of(draw, content)
    elif kind == "other name":
        members[draw(st.sampled_from(["../x", "/x", "x", name + "x"]))] = content
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))) as new:
        for name, content in members.items():
            new.writestr(name, content)
    return buffer.getvalue()


def _inside(draw, name, content):
    if name.endswith(".json"):
        return json_of(draw, content)
    return _hdf5_changed(draw, content) if name.endswith(".h5") else bytes_of(draw, content)


def keras2_of(draw, whole):
    """An .h5 file of a model of which the config, an array or a link is changed."""
    if draw(st.booleans()):
        return _hdf5_changed(draw, whole)
    buffer = io.BytesIO(whole)
    with h5py.File(buffer, "r+") as file:
        key = draw(st.sampled_from(["model_config", "training_config"]))
        file.attrs[key] = json_of(draw, file.attrs[key]).decode()
    return buffer.getvalue()


def hdf5_of(draw, whole):
    """An HDF5 file with an array, a text, an attribute or a link changed, and a checksum that fits."""
    return sealed(_hdf5_changed(draw, whole[:-SEAL_SIZE]))


def _hdf5_changed(draw, content):
    buffer = io.BytesIO(content)
    with h5py.File(buffer, "r+") as file:
        names: list = []
        file.visit(names.append)
        name = draw(st.sampled_from(sorted(names)))
        _change(draw, file, name)
    return buffer.getvalue()


def _change(draw, file, name):
    kind = draw(st.sampled_from(["replace", "element", "attribute", "remove", "link", "graph", "other"]))
    if kind == "attribute":
        holder = draw(st.sampled_from([file, file[name]]))
        key = draw(st.sampled_from([*sorted(holder.attrs), "x"]))
        holder.attrs[key] = draw(st.sampled_from([*NUMBERS[:7], *NUMBERS[10:], "", "x", "conv", "é" * 99]))
    elif kind == "element" and isinstance(file[name], h5py.Dataset) and file[name].dtype.kind in "if":
        numbers = [v for v in NUMBERS if abs(v) < 2**62] + [np.nan, np.inf] * (file[name].dtype.kind == "f")
        array = file[name][()]
        array.reshape(-1)[draw(st.integers(0, array.size - 1))] = draw(st.sampled_from(numbers))
        file[name][...] = array
    elif kind == "graph" and "graph" in file:
        text = json_of(draw, file["graph"][()])
        del file["graph"]
        file["graph"] = text.decode()
    else:
        del file[name]
        _put(draw, file, name, kind)


def _put(draw, file, name, kind):
    if kind == "link":
        target = draw(st.sampled_from(["/", "/graph", "/layers", "/layers/00000"]))
        outside = h5py.ExternalLink("/etc/passwd", "/"), h5py.SoftLink(target)
        file[name] = draw(st.sampled_from(outside))
    elif kind in ("replace", "other"):
        dtype = draw(st.sampled_from(["i8", "f8", "f4", "u1", "i4", "S3", "i4,f4", "c16", "?"]))
        shape = tuple(draw(st.lists(st.sampled_from([0, 1, 2, 4, 18]), max_size=3)))
        packed = {"compression": "gzip"} if kind == "other" and shape and all(shape) else {}
        file.create_dataset(name, data=np.ones(shape).astype(dtype), **packed)
