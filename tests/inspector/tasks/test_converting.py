import pytest


@pytest.fixture
def old(tmp_path):
    (tmp_path / "old.h5").write_bytes(b"")
    return tmp_path / "old.h5"


def convert(window, qtbot, old):
    """Takes the way that the window offers for a file of Keras 2."""
    window.open_path(old)
    assert "old.h5 is an HDF5 file, as Keras 2 wrote models" in window.banner.words.text()
    window.banner.way_out.click()
    assert window.dialog.selectedFiles() == [str(old.with_name("old.keras"))]
    window.dialog.fileSelected.emit(str(old.with_name("new.keras")))
    qtbot.waitUntil(lambda: window.work.job is None, timeout=20000)


def test_a_model_of_keras_2_is_converted_and_opened(empty_window, qtbot, old, files, replay):
    notes = ["Left out of DepthwiseConv2D: groups=1.", "Outputs differ from the old model's by at most 1e-07."]
    new = old.with_name("new.keras")
    noise = {"err": "I0000 00:00:1795865581.648715 cudart_stub.cc:31] Could not find cuda drivers"}
    asked = replay([noise, *({"out": line} for line in notes), {"out": f"Written: {new}"}])
    files[0].rename(new)  # in place of what the child would write
    convert(empty_window, qtbot, old)
    assert asked[0] == ["convert", str(old), str(new)]
    assert empty_window.session.document.model == new
    assert empty_window.banner.words.text() == " ".join([f"Converted: {new}.", *notes])


def test_what_cannot_be_converted_says_why(empty_window, qtbot, old, replay):
    replay([{"err": "Error: it holds a lambda"}, {"exit": 1}])
    convert(empty_window, qtbot, old)
    assert empty_window.banner.words.text() == "Converting old.h5 failed: Error: it holds a lambda"
    assert empty_window.banner.way_out.text() == "&Convert again…" and empty_window.session.document.name == "net.keras"


def test_a_folder_of_keras_2_is_converted_too(empty_window, tmp_path):
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"")
    empty_window.open_path(tmp_path / "saved")
    empty_window.banner.way_out.click()
    assert empty_window.dialog.selectedFiles() == [str(tmp_path / "saved.keras")]


def test_the_menu_converts(empty_window, old):
    empty_window.actions_["convert"].trigger()
    empty_window.dialog.fileSelected.emit(str(old))
    assert empty_window.dialog.windowTitle() == "Convert old.h5 to"
