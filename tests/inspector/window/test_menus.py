from inspector.window.menus import MENUS


def test_every_group_is_in_its_menu_with_a_line_between_two(window):
    bar = {action.text(): action.menu() for action in window.menuBar().actions()}
    assert list(bar) == [menu.title for menu in MENUS]
    for menu in MENUS:
        actions = bar[menu.title].actions()
        assert sum(action.isSeparator() for action in actions) == len(menu.groups) - 1
        own = [window.actions_[entry.key] for entry in menu.entries]
        assert [action for action in actions if action in own] == own


def test_what_has_to_wait_for_a_child_says_for_which(window, monkeypatch):
    monkeypatch.setattr(
        window.work, "job", type("Job", (), {"title": "Measuring x", "abort_and_wait": lambda _: None})()
    )
    window.refresh_actions()
    waiting = [entry for menu in MENUS for entry in menu.entries if entry.waits and not entry.obstacle(window)]
    assert {"open", "measure", "run", "save", "time"} <= {entry.key for entry in waiting}
    for entry in waiting:
        assert window.actions_[entry.key].statusTip() == f"{entry.tip}. Not now: Measuring x is still in progress."
    monkeypatch.undo()
    window.refresh_actions()
    assert all(window.actions_[entry.key].statusTip() == entry.tip for entry in waiting)
