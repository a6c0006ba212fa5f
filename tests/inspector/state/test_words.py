from inspector.state import words


def test_every_filter_and_every_layer_says_why(session):
    session.choose(session.with_caps([next(r.name for r in session.rows if not r.locked)], 0.0))
    for row in session.rows:
        assert words.why_layer(session, row.name).startswith(f"{row.name} keeps ")
        for filter in range(row.filters):
            goes = "goes" if session.gone(row.name, filter) else "stays"
            assert words.why_filter(session, row.name, filter).startswith(f"Filter {filter} of {row.name} {goes}: ")
    locked = [row for row in session.rows if row.locked]
    assert locked and all(row.locked in words.why_layer(session, row.name) for row in locked)


def test_a_readout_names_the_filter_and_its_number(session):
    row = next(row for row in session.rows if not row.locked)
    line = words.readout(session, row.name, 0)
    assert line.startswith(f"{row.name}, filter 0: FIRE {session.measured.profile[row.name][0]:.3f}, rank ")
