import io
import os
import subprocess
import sys

import pytest
from processes import PATHS
from rich.text import Text

from firekeras.refusals import printable
from firekeras.report.tables import comparison_table
from firekeras.terminal import LIVE, Terminal, activity

HOSTILE = "conv\x1b]0;title\x07\x1b[2J\u202e\x9b2J"


def written(*renderables, width=80):
    file = io.StringIO()
    console = Terminal(file=file, width=width, highlight=False)
    for renderable in renderables:
        console.print(renderable)
    return file.getvalue()


@pytest.mark.parametrize("shown", [HOSTILE, Text(HOSTILE), comparison_table([(HOSTILE, HOSTILE, "1", "2")])])
def test_control_characters_of_names_never_reach_the_terminal(shown):
    text = written(shown)
    assert "conv" in text
    assert all(character.isprintable() or character == "\n" for character in text)
    assert printable(HOSTILE).isprintable()


def test_styles_still_do():
    console = Terminal(file=io.StringIO(), force_terminal=True, color_system="standard", highlight=False)
    console.print(f"{HOSTILE} red", style="red", markup=False)
    text = console.file.getvalue()
    assert text.startswith("\x1b[31m") and text.count("\x1b") == 2


def test_there_is_one_live_line_and_it_returns_to_the_outer_activity():
    console = Terminal(file=io.StringIO(), force_terminal=True, width=40, _environ={"TERM": "xterm"})
    shown = []
    with activity("cutting", console) as outer:
        with activity("measuring", console):
            shown.append(str(LIVE.text))
        shown.append(str(LIVE.text))
        outer.update("training " * 20)
        shown.append(str(LIVE.text))
    assert shown[:2] == ["measuring", "cutting"] and shown[2].endswith("…") and len(shown[2]) == 37
    assert str(LIVE.text) == "" and console.file.getvalue()


def test_a_text_that_changes_with_time_is_drawn_again_as_it_is_then():
    console, left = Terminal(file=io.StringIO(), force_terminal=True, width=40, _environ={"TERM": "xterm"}), [30]
    with activity("cutting", console) as shown:
        shown.update(lambda: f"{left[0]} s more")
        left[0] = 29
        console.print("a round")  # below which the line is drawn again
        assert "29 s more" in console.file.getvalue() and str(LIVE.text) == "29 s more"


def test_nothing_is_live_in_a_pipe():
    console = Terminal(file=io.StringIO())
    with activity("cutting", console):
        pass
    assert console.file.getvalue() == ""


READER_GONE = """
import os, sys
from firekeras.terminal import Terminal, write_line
for k in range(3):
    write_line("{}" * 10000)
    Terminal().print("words " * 10000)
print("all done", file=sys.stderr)
"""


def test_a_reader_that_goes_away_ends_nothing():
    reading, writing = os.pipe()
    child = subprocess.Popen(
        [sys.executable, "-c", READER_GONE],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": PATHS},
    )
    os.close(writing)
    os.close(reading)
    _, said = child.communicate(timeout=60)
    assert (child.returncode, said) == (0, "all done\n")
