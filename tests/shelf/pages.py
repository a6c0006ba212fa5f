"""Pages of documentation, as readers use them: their blocks are pasted one after the other, in an empty folder.

- `python` blocks run in one namespace per page, which begins empty.
- `sh` blocks are commands of firekeras, which run in this process; other commands must be in `ELSEWHERE`.
- A `text` block is what the block before it prints, with or without standard error, compared without its numbers, which
  differ between machines; `...` stands for anything.
- `<!-- not run: REASON -->` on the line before a block excuses it.
"""

import contextlib
import dataclasses
import doctest
import io
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from firekeras.cli import app

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"(?:^ *<!-- not run: (?P<reason>.+?) -->\n)?^(?P<indent> *)```(?P<language>\w*).*\n", re.MULTILINE)
NUMBER = re.compile(r"[-+]?\d[\d.,]*(e[-+]?\d+)?%?")
ELSEWHERE = {  # commands of the pages that are not run here, and what runs them
    "python3 -m venv .venv": ".ci/run",
    '.venv/bin/pip install -e ".[tensorflow]"': ".ci/run, with more extras",
    '.venv/bin/pip install -c constraints.txt -e ".[dev]"': ".ci/run",
    ".venv/bin/firekeras demo": "tests/cli/test_cli.py",
    ".ci/tests": ".ci/run",
    "firekeras-inspector model.keras": "tests/inspector",
}
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Args:
        language: What the fence says it is: `"python"`, `"sh"`, `"text"`, ...
        text: What is in it.
        line: The number of its first line in the page, from 1.
        reason: Why it is not run; None if it is.
    """

    language: str
    text: str
    line: int
    reason: str | None = None


def blocks(text):
    """The fenced blocks of a text, in order."""
    end = 0
    while found := FENCE.search(text, end):
        end = text.index(f"\n{found['indent']}```", found.end() - 1) + 1
        inside = re.sub(f"^{found['indent']}", "", text[found.end() : end], flags=re.MULTILINE)
        yield Block(found["language"], inside, text.count("\n", 0, found.end()) + 1, found["reason"])
        end = text.index("```", end) + 3


class Reader:
    """Pastes the blocks of a page.

    Args:
        page: The page's path, for error messages.

    Attributes:
        names: The names that its Python blocks have defined so far.
        printed: The standard output of the last block, and with it what came on standard error.
    """

    def __init__(self, page):
        self.page, self.names, self.printed = page, {"__name__": "__main__"}, ("", "")

    def read(self, blocks):
        """Pastes blocks in order."""
        for block in blocks:
            if block.reason is None:
                getattr(self, block.language)(block)
        return self.names

    def python(self, block):
        """Runs code; lines in tracebacks are those of the page."""
        code = compile("\n" * (block.line - 1) + block.text, str(self.page), "exec")
        out, both = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(Tee(out, both)), contextlib.redirect_stderr(both):
            exec(code, self.names)
        self.printed = out.getvalue(), both.getvalue()

    def sh(self, block):
        """Runs commands."""
        lines = block.text.replace("\\\n", " ").splitlines()
        commands = filter(None, (line.partition(" #")[0].strip() for line in lines))
        self.printed = tuple(map("".join, zip(*map(self._command, commands), strict=True)))

    def _command(self, line):
        if line in ELSEWHERE:
            return "", ""
        program, *arguments = shlex.split(line)
        assert program == "firekeras", f"{self.page}: nothing runs {line!r}"
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, f"{self.page}: {line}\n{result.output}"
        return result.stdout, result.output

    def text(self, block):
        """Compares the output of the block before this one."""
        wanted, check = shape(block.text), doctest.OutputChecker().check_output
        same = any(check(wanted, shape(printed), FLAGS) for printed in self.printed)
        assert same, f"{self.page}:{block.line}: expected\n{block.text}\nbut this was printed:\n{self.printed[1]}"

    def json(self, block):
        """Shows a part of a file: nothing to run."""


class Tee(io.TextIOBase):
    """Writes to two streams.

    Args:
        first, second: The streams.
    """

    def __init__(self, first, second):
        self.streams = first, second

    def write(self, text):
        """Writes to both."""
        for stream in self.streams:
            stream.write(text)
        return len(text)


def shape(text):
    """An output without what differs between machines: numbers, and where time went."""
    return re.sub(r"^Time: .*$", "Time: #", NUMBER.sub("#", text), flags=re.MULTILINE).strip() + "\n"


@pytest.fixture
def reader(monkeypatch, tmp_path, registries):
    """A function that gives a `Reader` of a page, in an empty working folder, before a terminal of 80 columns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    return Reader
