"""HDF5 as we write it is read back as h5py reads it; everything else in HDF5 is refused."""

import contextlib
import io
import struct
import zlib

import h5py
import numpy as np
import pytest

from firekeras import hdf5
from firekeras.hdf5 import buffer
from firekeras.hdf5.attributes import FileBuffer, check_attributes
from firekeras.hdf5.parsing import parse


def made(fill, **settings):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", **{"libver": "earliest", **settings}) as file:
        fill(file)
    return buffer.getvalue()


ARRAYS = {
    "whole": np.arange(6).reshape(2, 3),
    "halves": np.linspace(0, 1, 7),
    "single": np.linspace(0, 1, 5, dtype="float32"),
    "big_end": np.arange(4, dtype=">i4"),
    "bytes": np.arange(9, dtype="uint8"),
    "none": np.zeros((0, 4)),
    "scalar": np.array(3.5),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_are_read_to_the_bit(name):
    read = parse(made(lambda file: file.update({name: ARRAYS[name]}))).members[name]
    assert read.dtype == ARRAYS[name].dtype.newbyteorder("=") and read.shape == ARRAYS[name].shape
    np.testing.assert_array_equal(read, ARRAYS[name])


@pytest.mark.parametrize("chunks", [(1, 4, 5), (2, 3, 2), (3, 4, 5)])
def test_packed_arrays_are_read_to_the_bit(chunks):
    array = np.random.default_rng(0).normal(size=(3, 4, 5)).astype("float32").round(1)
    data = made(lambda file: file.create_dataset("a", data=array, chunks=chunks, compression="gzip"))
    np.testing.assert_array_equal(parse(data).members["a"], array)


def test_groups_attributes_and_texts_are_read():
    def fill(file):
        for number in range(40):  # enough for an index of several levels
            group = file.create_group(f"layers/{number:03d}")
            group.attrs.update(name=f"ünit/{number}", count=number, share=0.5, nothing="")
        file["text"] = "µ" * 5000
        file["fixed"] = np.array([b"ab", b"c"])
        file["list"] = hdf5.texts(["a", "", "Ω" * 99])

    root = parse(made(fill))
    layers = root.members["layers"].members
    assert [layers[f"{k:03d}"].attributes for k in range(40)] == [
        {"name": f"ünit/{k}", "count": k, "share": 0.5, "nothing": ""} for k in range(40)
    ]
    assert root.members["text"] == "µ" * 5000 and root.texts("list", 3) == ["a", "", "Ω" * 99]
    assert root.texts("fixed", 2) == ["ab", "c"]


def link(file):
    file["a"] = h5py.SoftLink("/b")


def elsewhere(file):
    file["a"] = h5py.ExternalLink("/etc/passwd", "/x")


def twice(file):
    file["a"] = file.create_group("b")


def circle(file):
    group = file.create_group("a")
    group["again"] = group


def outside(file):
    file.create_dataset("a", (16,), "uint8", external=[("/etc/passwd", 0, 16)])


def virtual(file):
    layout = h5py.VirtualLayout((4,), "i8")
    layout[:] = h5py.VirtualSource(".", "a", (4,))
    file.create_virtual_dataset("a", layout)


def bomb(file):
    array = file.create_dataset("a", (8,), "u1", chunks=(8,), compression="gzip")
    array.id.write_direct_chunk((0,), zlib.compress(bytes(10**6)))


def others(kind):
    def fill(file):
        file.create_dataset("a", data=kind[0], **kind[1])

    return fill


STRANGE = {
    "link": link,
    "external link": elsewhere,
    "circle": circle,
    "external storage": outside,
    "virtual": virtual,
    "reference": lambda file: file.attrs.update(a=file.ref),
    "list": lambda file: file.attrs.update(a=[1, 2]),
    "compound": lambda file: file.update(a=np.zeros(2, "i4,f4")),
    "complex": lambda file: file.update(a=np.zeros(2, complex)),
    "bool": lambda file: file.update(a=np.zeros(2, bool)),
    "half": lambda file: file.update(a=np.zeros(2, "float16")),
    "lzf": others((np.zeros(99), {"compression": "lzf"})),
    "shuffle": others((np.zeros(99), {"compression": "gzip", "shuffle": True})),
    "bomb": bomb,
    "promised": lambda file: file.create_dataset("a", (10**6, 10**6), "f8"),
    "promised in pieces": lambda file: file.create_dataset("a", (10**6, 10**6), "f8", chunks=(1, 1000)),
    "too deep": lambda file: file.create_group("a/b/c/d/e/f/g"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_what_we_never_write_is_refused(name):
    with pytest.raises(hdf5.DamagedError):
        parse(made(STRANGE[name]))


def test_a_newer_layout_is_refused():
    with pytest.raises(hdf5.DamagedError, match="a layout of HDF5 that firekeras does not write"):
        parse(made(lambda file: file.update(a=1), libver="latest"))


def test_a_file_may_be_read_at_two_names_of_one_group():
    assert len(parse(made(twice)).members) == 2


def test_a_flipped_bit_is_found_by_the_checksum(tmp_path):
    hdf5.write(tmp_path / "a.h5", lambda file, _: file.update(a=np.arange(5.0)))
    data = bytearray((tmp_path / "a.h5").read_bytes())
    data[data.index(np.float64(3).tobytes())] ^= 1
    (tmp_path / "a.h5").write_bytes(data)
    with pytest.raises(hdf5.DamagedError, match="its checksum does not match"):
        hdf5.read(tmp_path / "a.h5")


def test_what_would_be_taken_for_a_bomb_is_written_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(buffer, "MOST_UNPACKED", 1000)
    large = np.zeros(10**6, "u1")
    hdf5.write(tmp_path / "a.h5", lambda file, packing: file.create_dataset("a", data=large, compression=packing))
    np.testing.assert_array_equal(hdf5.read(tmp_path / "a.h5")[0].members["a"], large)


def test_other_programs_read_what_is_written(tmp_path):
    hdf5.write(tmp_path / "a.h5", lambda file, _: file.update(a=np.arange(5.0)))
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["a"][3] == 3


def test_a_lost_block_of_the_heap_ends():
    """HDF5's own library reads such files for ever."""
    data = made(lambda file: file.attrs.update({f"text{k}": "x" * 100 for k in range(5)}))
    heap = data.index(b"GCOL")
    for start in range(heap, len(data), 128):
        broken = data[:start] + bytes(256) + data[start + 256 :]
        with contextlib.suppress(hdf5.DamagedError):
            parse(broken[: len(data)])


# Attributes that HDF5's own library is to read

TEXTS = np.array(["a", "", "Ω" * 99], h5py.string_dtype())


def look_at(data):
    with h5py.File(io.BytesIO(data)) as file:
        address = h5py.h5o.get_info(file.id).addr
    check_attributes(FileBuffer(io.BytesIO(data)), address)


def attributes(file):
    file.attrs.update(text="x" * 300, texts=TEXTS, fixed=np.array([b"ab", b"c"]), number=3, half=0.5, yes=True, none="")


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_attributes_of_numbers_and_texts_are_let_through_in_any_layout(libver):
    look_at(made(attributes, libver=libver))
    look_at(made(lambda file: [attributes(file), file.attrs.update(long="y" * 9000)], libver=libver))


def sequences(file):
    file.attrs.create("a", np.array([np.arange(3), np.arange(2)], object), dtype=h5py.vlen_dtype("i4"))


@pytest.mark.parametrize(
    "fill",
    [sequences, lambda file: file.attrs.update(a=file.ref), lambda file: file.attrs.update(a=np.zeros(2, "i4,f4"))],
)
@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_attributes_of_other_types_are_refused(libver, fill):
    with pytest.raises(hdf5.DamagedError, match="neither numbers nor text"):
        look_at(made(fill, libver=libver))


def named(file):
    file["type"] = h5py.string_dtype()
    file.attrs.create("a", "x", dtype=file["type"])


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_an_attribute_whose_type_lies_elsewhere_is_refused(libver):
    with pytest.raises(hdf5.DamagedError, match="its type lies elsewhere"):
        look_at(made(named, libver=libver))


def test_many_attributes_in_an_index_are_refused():
    with pytest.raises(hdf5.DamagedError, match="attributes in an index"):
        look_at(made(lambda file: file.attrs.update({f"a{k}": k for k in range(20)}), libver="latest"))


def test_a_text_that_declares_gigabytes_is_refused():
    data = bytearray(made(attributes))
    place = data.index(struct.pack("<IQ", 300, data.index(b"GCOL")))
    data[place : place + 4] = b"\xf8\xff\xff\xff"
    with pytest.raises(hdf5.DamagedError, match="a text in it is lost"):
        look_at(bytes(data))


@pytest.mark.parametrize("lost", [16, 400])
def test_a_heap_that_hdf5_would_read_for_ever_is_refused(lost):
    data = bytearray(made(attributes))
    heap = data.index(b"GCOL")
    data[heap + lost : heap + 4096] = bytes(4096 - lost)
    with pytest.raises(hdf5.DamagedError, match=r"a heap of texts in it is damaged|a text in it is lost"):
        look_at(bytes(data))


def test_what_is_free_in_a_heap_may_hold_anything():
    data = bytearray(made(attributes))
    heap = data.index(b"GCOL")
    data[heap + 1000 : heap + 4096] = b"\xff" * 3096
    look_at(bytes(data))
