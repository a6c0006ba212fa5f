from inspector.state import palette


def test_the_bar_of_colours_shows_them_from_end_to_end(window):
    row = next(row for row in window.session.rows if not row.locked)
    window.session.point_at(row.name, 2)
    bar = window.panel.map.bar
    seen = bar.grab().toImage()
    middle = [seen.pixelColor(x, seen.height() // 2).getRgb()[:3] for x in range(seen.width())]
    ends = [tuple(palette.FIRE[k].tolist()) for k in (1, 254)]
    assert all(any(max(abs(a - b) for a, b in zip(one, end, strict=True)) < 16 for one in middle) for end in ends)
    window.session.point_at(None)
    assert bar.scale is None and bar.accessibleDescription() == "" and bar.height() > 0
