"""Paths of strangers' files: pipes are not waited for, devices not read."""

import os

import pytest

from firekeras.paths import existing_file, open_regular, read_bytes


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


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null"])
def test_a_device_is_refused_before_it_is_read(path):
    if os.path.exists(path):
        with pytest.raises(ValueError, match=r"is a pipe or a device"):
            read_bytes(path, 10)


def test_a_file_is_read_up_to_a_size(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert read_bytes(tmp_path / "a", 5) == b"12345"
    with pytest.raises(ValueError, match=r"a is too large: at least 5 bytes\. Files of its kind have at most 4\."):
        read_bytes(str(tmp_path / "a"), 4)
