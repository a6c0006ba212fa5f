import zipfile

import h5py
import keras
import pytest

import firekeras
from inspector.state.weights import ModelWeights


def test_a_profile_finds_its_model(empty_window, files):
    empty_window.open_path(files[1])
    assert empty_window.session.document.model == files[0]
    assert empty_window.session.measured and empty_window.pages.currentWidget() is empty_window.heatmap_panel


def test_a_profile_alone_is_shown_and_says_what_it_lacks(empty_window, files):
    model = files[0].rename(files[0].with_name("elsewhere.keras"))
    empty_window.open_path(files[1])
    assert empty_window.session.measured is not None
    assert "no net.keras beside it" in empty_window.banner.words.text()
    assert "open its model first" in empty_window.actions_["run"].statusTip()
    empty_window.actions_["attach"].trigger()
    empty_window.dialog.fileSelected.emit(str(model))
    assert empty_window.session.document.model == model
    assert empty_window.actions_["run"].isEnabled()


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def other_version(path):
    with h5py.File(path, "r+") as file:
        file.attrs["version"] = 99


def no_profile(path):
    path.unlink()
    with h5py.File(path, "w") as file:
        file["x"] = [1, 2]


def not_hdf5(path):
    path.write_bytes(b"what is this")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (truncate, "is not a whole .fire.h5 file"),
        (other_version, "is of version 99"),
        (no_profile, "is an HDF5 file, but not a FIRE profile"),
        (not_hdf5, "is not a whole .fire.h5 file"),
    ],
)
def test_a_bad_profile_is_reported_and_what_was_open_stays(window, files, tmp_path, harm, words):
    bad = tmp_path / "bad.fire.h5"
    bad.write_bytes(files[1].read_bytes())
    harm(bad)
    window.editor.set_ratio(0.6)
    window.open_path(bad)
    assert words in window.banner.words.text() and window.banner.isVisible()
    assert window.banner.way_out.text() == "&Open another…"
    assert window.session.document.model == files[0] and window.session.choices.ratio == 0.6


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.keras", None, "There is no file"),
        ("old.h5", b"x", "is an HDF5 file, as Keras 2 wrote models"),
        ("cut.keras", b"PK\x03\x04 no zip", "is truncated"),
        ("text.txt", b"x", "Expected a model (.keras), a measurement"),
    ],
)
def test_a_bad_model_is_reported(empty_window, tmp_path, name, content, words):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    empty_window.open_path(path)
    assert words in empty_window.banner.words.text()
    assert empty_window.session.document is None


def test_an_archive_without_weights_is_reported(empty_window, tmp_path):
    path = tmp_path / "empty.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    empty_window.open_path(path)
    assert "without model.weights.h5, so it holds no model" in empty_window.banner.words.text()


def test_the_profile_of_another_model_is_left_alone(empty_window, files, tmp_path):
    import networks

    other = tmp_path / "other.keras"
    networks.plain_cnn().save(other)
    (tmp_path / "other.fire.h5").write_bytes(files[1].read_bytes())
    empty_window.open_path(other)
    assert "is of another model than other.keras" in empty_window.banner.words.text()
    assert empty_window.banner.way_out.isVisible()
    assert empty_window.session.measured is None and empty_window.session.document.model == other
    assert keras.models.load_model(other)


def test_the_profile_of_another_training_is_reported(empty_window, files):
    import networks

    networks.scramble(networks.residual(), seed=7).save(files[0])
    empty_window.open_path(files[0])
    assert "was measured on other weights than net.keras holds now" in empty_window.banner.words.text()
    assert empty_window.session.measured is not None


def test_a_folder_without_a_run_is_reported(empty_window, tmp_path):
    (tmp_path / "runs").mkdir()
    empty_window.open_path(tmp_path / "runs")
    assert "is not the folder of a run" in empty_window.banner.words.text()


def test_an_unreadable_folder_is_reported(empty_window, files, monkeypatch):
    """Root may read everything: the system's refusal is raised here in its place."""

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("inspector.state.documents._open_run", refuse)
    monkeypatch.setattr("inspector.state.documents._open_model", refuse)
    for path in (files[0].parent, files[0]):
        empty_window.open_path(path)
        assert "you lack the permission" in empty_window.banner.words.text()


def test_a_recurrent_network_is_that_of_its_own_profile(tmp_path):
    inputs = keras.Input((6, 3))
    x = keras.layers.GRU(4, dropout=0.1, return_sequences=True)(inputs)
    x = keras.layers.MultiHeadAttention(2, 3)(x, x)
    x = keras.layers.Bidirectional(keras.layers.LSTM(2))(x)
    model = keras.Model(inputs, keras.layers.Dense(5, activation="relu")(x))
    model.save(tmp_path / "net.keras")
    weights, graph = ModelWeights(tmp_path / "net.keras"), firekeras.channel_graph(model)
    attention = graph.layers["multi_head_attention"]
    assert weights.mismatch(graph) == ""
    assert weights.kernel(attention, 0) is None  # its parts lie in the file in another order
    weights.close()
