from inspector.children.pace import Pace


def test_the_time_left_is_estimated_from_the_first_report_on():
    pace = Pace()
    assert pace.left(0, 0, now=0.0) == "" == pace.left(1, 11, now=30.0)  # compiling says nothing of what is to come
    assert pace.left(3, 11, now=34.0) == "about 16 s left"
    assert pace.left(11, 11, now=50.0) == ""
    assert pace.left(1, 4, now=100.0) == "" and pace.left(2, 4, now=1100.0) == "about 33 min left"  # the next job
    assert pace.left(2, 0, now=1200.0) == "" == pace.left(3, 0, now=1300.0)
