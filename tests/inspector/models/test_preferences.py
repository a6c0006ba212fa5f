from PySide6 import QtWidgets

from inspector.state import Data


def test_recent_files_are_remembered_once_and_missing_ones_forgotten(window, files):
    window.open_path(files[1])
    window.open_path(files[0])
    assert window.preferences.recent() == [str(files[0]), str(files[1])]
    files[1].unlink()
    window.open_path(files[1])
    assert window.preferences.recent() == [str(files[0])]
    menu = QtWidgets.QMenu()
    window.fill_recent(menu)
    assert menu.actions()[0].text() == f"&1 {files[0]}"
    menu.actions()[-1].trigger()
    window.fill_recent(menu)
    assert not menu.actions()[0].isEnabled()


def test_the_window_comes_back_where_it_was(window, preferences, qtbot):
    from inspector.window.main_window import Window

    window.run_dock.show()
    window.filter_dock.hide()
    window.close()
    again = Window(preferences)
    qtbot.addWidget(again)
    again.show()
    assert again.run_dock.isVisible() and not again.filter_dock.isVisible()


def test_data_are_remembered_for_each_model(preferences):
    preferences.set_data_of("one.keras", Data("images.npz"))
    assert preferences.data_of("one.keras") == Data("images.npz") and preferences.data_of("other.keras") == Data()


def test_what_is_done_to_values_is_remembered_for_each_model(preferences):
    data, judged = Data("images.npz", "divided by 255"), Data("images.npz", "multiplied by 255")
    preferences.set_data_of("one.keras", data)
    preferences.set_judging("one.keras", judged, 200)
    assert preferences.data_of("one.keras") == data and preferences.data_of("other.keras") == Data()
    assert preferences.judging("one.keras") == (judged, 200)
    preferences.set_data_of("one.keras", Data("images.npz", "as an older file may say"))
    assert preferences.data_of("one.keras") == Data("images.npz")


def test_data_are_proposed_for_models_that_came_of_one(preferences):
    data, judged = Data("images.npz", "divided by 255"), Data("others.npz")
    preferences.set_data_of("one.keras", data)
    preferences.set_judging("one.keras", judged, 200)
    preferences.pass_data_on("one.keras", "pruned.keras")
    assert preferences.data_of("pruned.keras") == data and preferences.judging("pruned.keras") == (judged, 200)
    preferences.set_data_of("one.keras", Data("newer.npz"))
    preferences.pass_data_on("one.keras", "pruned.keras")
    assert preferences.data_of("pruned.keras") == data
