"""Paths of strangers' files: pipes are not waited for, devices not read."""

import os

import pytest

from firekeras.paths import as_path, existing_file, open_regular, read_bytes


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


def test_a_file_that_is_too_large_is_not_read_at_all(tmp_path):
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ValueError, match=r"sparse is too large: at least 1,099,511,627,776 bytes"):
        read_bytes(tmp_path / "sparse", 1 << 33)


def test_a_name_that_is_too_long_is_refused_in_a_short_sentence(tmp_path):
    with pytest.raises(ValueError, match=r"^.{80} is too long for the name of a file\.$"):
        existing_file(tmp_path / ("x" * 5000))


@pytest.mark.parametrize("path", ["", "a\0b", 3, b"a"])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(ValueError, match=r"Expected the path of a file\. Received: "):
        as_path(path)
