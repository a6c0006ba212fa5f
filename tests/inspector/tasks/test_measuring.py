from inspector.children.commands import MeasureOptions


def test_measuring_can_be_aborted_and_says_why_it_failed(window, qtbot, replay, files):
    before = files[1].read_bytes()
    replay([{"out": '{"event": "progress", "done": 4, "total": 16}'}, {"sleep": 60}])
    window.measuring.start(MeasureOptions("digits"))
    qtbot.waitUntil(lambda: (window.run_panel.bar.value(), window.run_panel.bar.maximum()) == (4, 16), timeout=20000)
    window.actions_["abort"].trigger()
    qtbot.waitUntil(lambda: window.work.job is None, timeout=20000)
    assert "was aborted" in window.banner.words.text() and files[1].read_bytes() == before
    assert window.run_panel.status.text() == "Measuring net.keras: aborted."
    replay([{"err": "The data have shape (28, 28)."}, {"exit": 1}])
    window.measuring.start(MeasureOptions("digits"))
    qtbot.waitUntil(lambda: window.work.job is None, timeout=20000)
    assert "failed: The data have shape (28, 28)." in window.banner.words.text()
    assert window.run_panel.status.text() == "Measuring net.keras: failed."
