"""What takes the place of firekeras in children."""

import pytest
from recorded import command


@pytest.fixture
def replay(window, tmp_path, monkeypatch):
    """Has the window's children take steps in place of running firekeras; gives the arguments they were given."""
    asked = []

    def take(steps):
        def fake(arguments):
            asked.append([str(one) for one in arguments])
            return command(tmp_path, steps)

        for module in ("running", "measuring", "saving", "converting", "judging", "tabling"):
            monkeypatch.setattr(f"inspector.tasks.{module}.firekeras_command", fake)
        return asked

    return take
