"""Paths of a user's files: ordinary files only, of a size that memory can hold."""

import os

import pytest

from firekeras.paths import existing_file, read_bytes


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    os.symlink(tmp_path / "pipe", tmp_path / "link")
    for name in ("pipe", "link"):
        with pytest.raises(ValueError, match=rf"{name} is a pipe or a device\. Expected an ordinary file\."):
            existing_file(tmp_path / name)


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null"])
def test_a_device_is_refused(path):
    if os.path.exists(path):
        with pytest.raises(ValueError, match=r"is a pipe or a device"):
            read_bytes(path, 10)


def test_a_file_is_read_up_to_a_size(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert read_bytes(tmp_path / "a", 5) == b"12345"
    with pytest.raises(ValueError, match=r"a is too large: at least 5 bytes\. Files of its kind have at most 4\."):
        read_bytes(str(tmp_path / "a"), 4)
