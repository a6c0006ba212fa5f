def test_the_most_that_caps_allow_is_said_and_marked(window):
    bar, free = window.ratio, [row.name for row in window.session.rows if not row.locked]
    assert not bar.most.isVisible()
    window.editor.set_caps(free, 0.25)
    window.editor.set_ratio(0.9)
    measured = window.session.measured
    share = measured.preview.num_gone / measured.ranked
    assert 0 < share <= 0.25 and bar.slider.allowed == share
    assert bar.most.isVisible() and bar.most.text() == f"Caps and limits allow {share:.1%} at most"
    colour = bar.slider.grab().toImage().pixelColor(bar.slider.mark_at(), 2)
    assert colour.red() > colour.blue() + 50


def test_a_goal_that_asks_for_no_cut_says_so(window, qtbot):
    bar = window.ratio
    window.editor.set_goal("900 MB of RAM")
    qtbot.waitUntil(lambda: not window.session.pending)
    assert bar.most.isVisible() and bar.most.text() == "The goal is met without a cut"
    window.editor.set_goal("60% of MACs")
    qtbot.waitUntil(lambda: not window.session.pending and not bar.most.isVisible())
    assert window.session.measured.preview.num_gone
