"""`.keras` files of strangers: refused in words, before memory is taken, and nothing is left behind."""

import io
import json
import os
import struct
import tempfile
import threading
import zipfile

import h5py
import keras
import numpy as np
import pytest
from keras import layers as L

from firekeras.keras_models.limits import variables_limited
from firekeras.keras_models.model_file import load_model
from inspector.state.weights import ModelWeights


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    """What a small model's file holds, by name."""
    path = tmp_path_factory.mktemp("model") / "model.keras"
    keras.Sequential([keras.Input((4,)), L.Dense(3, name="dense"), L.Dense(2, name="out")]).save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def written(tmp_path, members, **settings):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w", **settings) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def refused(path, words):
    before = set(os.listdir(tempfile.gettempdir()))
    with pytest.raises(ValueError, match=words) as refusal:
        load_model(path)
    assert str(path) in str(refusal.value) and len(str(refusal.value)) < 2000
    left = set(os.listdir(tempfile.gettempdir())) - before
    assert not [name for name in left if name.startswith("tmp")]


def with_config(members, edit):
    config = json.loads(members["config.json"])
    edit(config)
    return {**members, "config.json": json.dumps(config)}


def with_weights(members, edit):
    stream = io.BytesIO(members["model.weights.h5"])
    with h5py.File(stream, "a") as file:
        edit(file)
    return {**members, "model.weights.h5": stream.getvalue()}


def test_a_file_that_was_compressed_again_is_read(tmp_path, members):
    model = load_model(written(tmp_path, members, compression=zipfile.ZIP_DEFLATED))
    assert [layer.name for layer in model.layers] == ["dense", "out"]


# What is in the archive


def linked(archive):
    info = zipfile.ZipInfo("assets/link")
    info.external_attr = 0o120777 << 16
    archive.writestr(info, "/etc/passwd")


@pytest.mark.parametrize(
    ("add", "words"),
    [
        (linked, "'assets/link' in it is a link or a device"),
        (lambda archive: archive.writestr("../outside", "x"), "belongs elsewhere, '../outside'"),
        (lambda archive: archive.writestr("/outside", "x"), "belongs elsewhere"),
        (lambda archive: archive.writestr("x", "x", zipfile.ZIP_LZMA), "compressed in a way that Keras does not use"),
        (lambda archive: archive.writestr("x", bytes(10**8), zipfile.ZIP_DEFLATED), "unpack to 100,0.*not unpacked"),
        (lambda archive: archive.writestr("config.json", "{}"), "several files of one name"),
        (lambda archive: [archive.writestr(f"assets/{k}", "") for k in range(5000)], "holds 5,00. files"),
    ],
    ids=["link", "above", "absolute", "lzma", "bomb", "twice", "many"],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members(tmp_path, members, add, words):
    path = written(tmp_path, members)
    with zipfile.ZipFile(path, "a") as archive:
        add(archive)
    refused(path, words)


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5"])
def test_members_that_are_missing(tmp_path, members, name):
    refused(written(tmp_path, {key: members[key] for key in members if key != name}), f"an archive without {name}")


def test_pipes_and_devices_are_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.keras")
    (tmp_path / "zero.keras").symlink_to("/dev/zero")
    for name in ("pipe.keras", "zero.keras"):
        refused(tmp_path / name, "is a pipe or a device")


# The config


def deep(levels):
    return '{"a": ' * levels + "1" + "}" * levels


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (deep(100_000), "lists and dicts within each other"),
        (deep(300), "more than 250 lists and dicts within each other"),
        ("[]", "does not describe a model"),
        ("{", "is not JSON"),
        ('{"module": "x", "registered_name": "x>y"}', "cannot be loaded, it may be damaged"),
        ('{"class_name": 3, "module": "x", "registered_name": null, "config": {}}', "custom class"),
        (" " * 33 * 2**20, "larger than 32 MiB"),
    ],
    ids=["deepest", "deep", "list", "broken", "no class", "number", "large"],
)
def test_configs(tmp_path, members, config, words):
    refused(written(tmp_path, {**members, "config.json": config}), words)


def test_declared_widths_are_refused_before_memory_is_allocated(tmp_path, members):
    def widen(config):
        config["config"]["layers"][1]["config"]["units"] = 200_000_000

    refused(
        written(tmp_path, with_config(members, widen)), r"declares far more weights .* \(4, 200000000\) was not made"
    )


def test_variables_of_other_threads_do_not_count():
    made = []
    with variables_limited(0), pytest.raises(ValueError, match=r"far more weights"):
        large = np.zeros(2**24 + 1, "int8")
        thread = threading.Thread(target=lambda: made.append(keras.Variable(large, trainable=False)))
        thread.start()
        thread.join()
        keras.Variable("zeros", shape=(2**12, 2**12 + 1), name="large")
    assert len(made) == 1
    assert keras.Variable("zeros", shape=(3,)).shape == (3,)


# The weights

KERNEL = "layers/dense/vars/0"


def replaced(make):
    def edit(file):
        del file[KERNEL]
        make(file)

    return edit


def virtual(file):
    layout = h5py.VirtualLayout((4, 3), "float32")
    layout[:] = h5py.VirtualSource(".", KERNEL, (4, 3))
    file.create_virtual_dataset(KERNEL, layout)


def external(file):
    file.create_dataset(KERNEL, (4, 3), "float32", external=[("/etc/passwd", 0, 48)])


def declared(file):
    file.create_dataset(KERNEL, (10**6, 10**6), "float32", chunks=(1000, 1000), compression="gzip")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (virtual, "takes its numbers from another place"),
        (external, "takes its numbers from another place"),
        (declared, r"declared to take 4,000,000,000,044 bytes"),
        (
            lambda file: file.__setitem__(KERNEL, h5py.SoftLink("/layers/out/vars/0")),
            "/vars/0 in its weights is a link",
        ),
        (lambda file: file.__setitem__(KERNEL, h5py.ExternalLink("/etc/x.h5", "/x")), "is a link"),
        (lambda file: file.__setitem__(KERNEL, "text"), "is not an array of numbers"),
        (lambda file: file.__setitem__(KERNEL, file["layers"]), "it may be damaged|cannot be loaded"),
    ],
    ids=["virtual", "external", "huge", "soft", "other file", "text", "circle"],
)
def test_weights(tmp_path, members, make, words):
    refused(written(tmp_path, with_weights(members, replaced(make))), words)


def with_bytes(members, edit):
    content = bytearray(members["model.weights.h5"])
    edit(content)
    return {**members, "model.weights.h5": bytes(content)}


def without_heap(content):
    heap = content.index(b"GCOL")
    content[heap + 16 : heap + 4096] = bytes(4080)


def of_gigabytes(content):
    place = content.index(struct.pack("<Q", content.index(b"GCOL"))) - 4
    content[place : place + 4] = b"\xf8\xff\xff\xff"


@pytest.mark.parametrize("edit", [without_heap, of_gigabytes])
def test_attributes_that_hdf5_cannot_be_trusted_with(tmp_path, members, edit):
    """The library reads the first for ever, and takes gigabytes of memory for the second."""
    path = written(tmp_path, with_bytes(members, edit))
    refused(path, "cannot be loaded: a (heap of texts|text) in it is")
    with pytest.raises(ValueError, match=r"model\.keras cannot be loaded: a (heap of texts|text) in it is"):
        ModelWeights(path)
