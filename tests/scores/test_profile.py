"""FIRE profiles and their files: read back to the bit, refused with a reason if damaged, whole or not at all."""

import dataclasses
from pathlib import Path

import h5py
import networks
import numpy as np
import pytest
from sealed_files import edited

import firekeras
from firekeras import atomic
from firekeras.scores.profile import FilterScores, FireProfile


@pytest.fixture(scope="module")
def model():
    return networks.scramble(networks.nested())


@pytest.fixture(scope="module")
def profile(model):
    return firekeras.measure_fire(model, networks.samples(model, 12), neuron_maps=True)


@pytest.fixture
def path(tmp_path, profile):
    path = tmp_path / "net.fire.h5"
    profile.save(path)
    return path


def assert_same_arrays(expected, found):
    assert list(expected) == list(found)
    for name in expected:
        assert expected[name].dtype == found[name].dtype and expected[name].shape == found[name].shape
        assert expected[name].tobytes() == found[name].tobytes(), name


# Profiles


def test_fire_is_zeros_divided_by_what_was_seen():
    profile = FireProfile(
        {"conv": [3, 0, 8, 0]}, {"conv": [8, 8, 8, 0]}, samples=2, features={"conv": np.zeros((4, 14))}, graph=None
    )
    np.testing.assert_array_equal(profile["conv"], [0.375, 0.0, 1.0, np.nan])
    assert profile["conv"].dtype == np.float64


def test_norms_come_from_the_features():
    features = np.arange(28.0).reshape(2, 14)
    profile = FireProfile({"conv": [1, 2]}, {"conv": [2, 2]}, samples=1, features={"conv": features}, graph=None)
    np.testing.assert_array_equal(profile.l1["conv"], [3, 17])


def test_scores_are_a_mapping_by_layer_name():
    scores = FilterScores({"a": [1, 2], "b": [np.nan]}, criterion="mine")
    assert list(scores) == ["a", "b"] and len(scores) == 2 and "a" in scores
    assert repr(scores) == "<FilterScores 'mine': 2 of 3 filters scored>"


# There and back


def test_a_saved_profile_is_read_back_to_the_bit(profile, path):
    loaded = FireProfile.load(path)
    assert_same_arrays(dict(profile), dict(loaded))
    for part in ("zeros", "seen", "features", "maps", "l1"):
        assert_same_arrays(getattr(profile, part), getattr(loaded, part))
    assert profile.maps
    for part in ("samples", "reasons", "date", "criterion"):
        assert getattr(profile, part) == getattr(loaded, part)


def test_the_graph_comes_along(profile, path):
    before, after = profile.graph, FireProfile.load(path).graph
    assert before.fingerprint == after.fingerprint and before.locks == after.locks and before.notes == after.notes
    assert [dataclasses.asdict(x) for x in before.layers.values()] == [
        dataclasses.asdict(x) for x in after.layers.values()
    ]
    for one, other in zip(before.axes, after.axes, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "limits",
    [{"pruning_ratio": 0.3}, {"target": {"macs": 0.5}}, {"pruning_ratio": 0.4, "layer_caps": {"backbone/conv1": 0.2}}],
)
def test_a_loaded_profile_plans_as_the_model_does(model, profile, path, limits):
    loaded = FireProfile.load(path)
    one = firekeras.plan_pruning(model, profile, **limits)
    two = firekeras.plan_pruning(loaded.graph, loaded, **limits)
    assert one.removed and list(one.removed) == list(two.removed)
    assert all((one.removed[name] == two.removed[name]).all() for name in one.removed)
    assert one.costs_before == two.costs_before and one.costs_after == two.costs_after
    assert one.sentences == two.sentences
    smaller = firekeras.prune(model, two)
    assert smaller.count_params() == two.costs_after.params


@pytest.mark.parametrize("build", networks.TINY, ids=lambda build: build.__name__)
def test_graphs_of_all_kinds_survive_the_file(build, tmp_path):
    graph = firekeras.channel_graph(build())
    zeros = {name: np.arange(width) for name, width in graph.widths.items()}
    profile = FireProfile(
        zeros,
        {name: np.full(len(z), 99) for name, z in zeros.items()},
        samples=3,
        features={name: np.zeros((len(z), 14)) for name, z in zeros.items()},
        graph=graph,
    )
    profile.save(tmp_path / "a.fire.h5")
    loaded = FireProfile.load(tmp_path / "a.fire.h5")
    assert loaded.graph.to_dict() == graph.to_dict()
    assert firekeras.count_costs(loaded.graph) == firekeras.count_costs(graph)


def test_counts_beyond_32_bits_survive_the_file(tmp_path, profile):
    zeros = {name: np.full(z.shape, 2**45 + 1) for name, z in profile.zeros.items()}
    seen = {name: np.full(z.shape, 2**46) for name, z in profile.zeros.items()}
    large = FireProfile(zeros, seen, samples=5, features=profile.features, graph=profile.graph)
    large.save(tmp_path / "large.fire.h5")
    loaded = FireProfile.load(tmp_path / "large.fire.h5")
    assert_same_arrays(large.zeros, loaded.zeros)
    assert_same_arrays(dict(large), dict(loaded))


def test_nothing_in_the_file_is_pickled(path):
    kinds = set()
    with h5py.File(path) as file:
        file.visititems(lambda name, item: kinds.add(item.dtype) if isinstance(item, h5py.Dataset) else None)
        graph = file["graph"][()]
        attributes = dict(file.attrs)
    assert {kind for kind in kinds if kind.hasobject} <= {h5py.string_dtype()}
    assert graph.startswith(b"{")
    assert attributes["format"] == "firekeras.fire" and {"version", "fingerprint", "samples", "date"} <= set(attributes)
    assert b"\x80\x04\x95" not in path.read_bytes()


# Damaged and foreign files


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.9999])
def test_a_truncated_file_is_refused(path, share):
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=r"net.fire.h5 is not a whole .fire.h5 file"):
        FireProfile.load(path)


@pytest.mark.parametrize(
    "content", [b"", b"not HDF5 at all", b'{"format": "firekeras.fire"}', b"\x89HDF\r\n\x1a\n" * 99]
)
def test_a_file_that_is_not_hdf5_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"is not a whole .fire.h5 file.*measure_fire"):
        FireProfile.load(path)


def test_another_hdf5_file_is_refused(path):
    with h5py.File(path, "w") as file:
        file["weights"] = np.zeros(3)
    with pytest.raises(ValueError, match=r"is an HDF5 file, but not a FIRE profile"):
        FireProfile.load(path)


def test_another_version_is_refused(path):
    with edited(path) as file:
        file.attrs["version"] = 99
    with pytest.raises(ValueError, match=r"is of version 99; this firekeras reads versions up to \d"):
        FireProfile.load(path)


@pytest.mark.parametrize("part", ["graph", "layers"])
def test_a_file_without_one_of_its_parts_is_refused(path, part):
    with edited(path) as file:
        del file[part]
    with pytest.raises(ValueError, match=r"fire.h5"):
        FireProfile.load(path)


@pytest.mark.parametrize("part", ["zeros", "seen", "features"])
def test_a_file_with_a_layer_that_lacks_something_is_refused(path, part):
    with edited(path) as file:
        del file["layers/00001"][part]
    with pytest.raises(ValueError, match=r"fire.h5"):
        FireProfile.load(path)


@pytest.mark.parametrize("graph", ["", "{", "[]", "{}", '{"layers": 3}'])
def test_a_file_with_a_damaged_graph_is_refused(path, graph):
    with edited(path) as file:
        del file["graph"]
        file["graph"] = graph
    with pytest.raises(ValueError, match=r"fire.h5"):
        FireProfile.load(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"There is no file .*none.fire.h5"):
        FireProfile.load(tmp_path / "none.fire.h5")


# Whole or not at all


def test_a_failure_while_writing_leaves_the_old_file(path, profile, monkeypatch):
    before = path.read_bytes()

    def fail(*args, **kwargs):
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OSError, match="no space left"):
        profile.save(path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_at_the_end_leaves_the_old_file(tmp_path, monkeypatch, step):
    path = tmp_path / "plan.json"
    path.write_text("old")

    def fail(*args, **kwargs):
        raise OSError("the disk went away")

    monkeypatch.setattr(atomic.os, step, fail)
    with pytest.raises(OSError, match="went away"):
        atomic.write_text(path, "new")
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["plan.json"]


def test_the_old_file_is_there_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with atomic.whole_file(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old" and temporary.parent == path.parent
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["file.txt"]


def test_a_folder_that_is_not_there_is_named(tmp_path, profile):
    with pytest.raises(ValueError, match=r"there is no folder .*missing.*Create it first"):
        profile.save(tmp_path / "missing" / "net.fire.h5")


def test_a_model_is_saved_whole(tmp_path, model):
    atomic.save_model(model, tmp_path / "net.keras")
    assert [p.name for p in tmp_path.iterdir()] == ["net.keras"]
