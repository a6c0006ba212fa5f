"""Paths of strangers' files: pipes are not waited for, devices not read."""

import os

import pytest

from firekeras.paths import existing_file, open_regular


def test_only_regular_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "file").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("file")
    with open_regular(tmp_path / "link") as file:
        assert file.read() == b"abc"
    for name in ("pipe", "zero", ""):
        with pytest.raises(OSError, match="a folder, a pipe or a device, not a regular file"):
            open_regular(tmp_path / name)
    for name in ("pipe", "zero"):
        with pytest.raises(ValueError, match=rf"{name} is a pipe or a device"):
            existing_file(tmp_path / name)
