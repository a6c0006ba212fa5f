"""A run directory has one owner, which leaves nothing behind however it ends."""

import errno
import signal
import subprocess
import sys

import pytest
from processes import PATHS

from firekeras.rounds import ownership
from firekeras.rounds.ownership import Ownership, is_free, owner_of

OWN = (
    "import sys, time, pathlib; from firekeras.rounds.ownership import Ownership as O; o = O(pathlib.Path(sys.argv[1]))"
)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(ownership, "PATIENCE", 0.0)


def test_another_process_is_refused_until_the_owner_is_killed(tmp_path, monkeypatch):
    code = f"{OWN}; print('mine', flush=True); time.sleep(60)"
    owner = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": f"{PATHS}:{':'.join(sys.path)}"},
    )
    assert owner.stdout is not None and owner.stdout.readline() == b"mine\n"
    with pytest.raises(ValueError, match=rf"belongs to process {owner.pid} on .* since .*firekeras stop {tmp_path}"):
        Ownership(tmp_path)
    assert f"process {owner.pid} " in owner_of(tmp_path)
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    monkeypatch.setattr(ownership, "PATIENCE", 5.0)
    assert Ownership(tmp_path).held


def test_rounds_at_work_in_one_process_exclude_each_other_and_idle_ones_let_go(tmp_path):
    first = Ownership(tmp_path)
    with pytest.raises(ValueError, match=r"\(this one\)"):
        Ownership(tmp_path)
    first.busy = False
    second = Ownership(tmp_path)
    assert second.held and not first.held
    second.release()
    assert owner_of(tmp_path) is None and is_free(tmp_path)
    again = Ownership(tmp_path)
    assert again.held and not is_free(tmp_path)


def test_what_is_dropped_is_free(tmp_path):
    Ownership(tmp_path)
    assert owner_of(tmp_path) is None


def test_a_file_system_without_locks_is_no_obstacle(tmp_path, monkeypatch):
    def none(handle):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(ownership, "_try_lock", none)
    assert not Ownership(tmp_path).locks and owner_of(tmp_path) is None


def test_a_strangers_lock_is_not_followed_and_its_text_is_not_trusted(tmp_path):
    (tmp_path / "precious").write_text("my only copy")
    (tmp_path / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(ValueError, match="lock is a link"):
        Ownership(tmp_path)
    assert (tmp_path / "precious").read_text() == "my only copy"
    (tmp_path / "lock").unlink()
    held = Ownership(tmp_path)
    (tmp_path / "lock").write_text('{"pid": 1, "host": "\\u001b[2J", "since": "x"}')
    assert owner_of(tmp_path) == "process 1 on  [2J since x"
    (tmp_path / "lock").write_text('{"pid": "' + "9" * 10_000)
    assert owner_of(tmp_path) == "another process" and held.held
