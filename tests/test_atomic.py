"""Files appear whole or not at all, also where several write at once, names are long, and disks are full."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from firekeras import atomic


def test_threads_that_write_one_file_never_show_half_of_it(tmp_path):
    path, texts = tmp_path / "a.json", [str(k) * 5000 for k in range(4)]
    with ThreadPoolExecutor(4) as threads:
        for _ in range(5):
            list(threads.map(lambda text: atomic.write_text(path, text), texts))
            assert path.read_text() in texts
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize("name", ["n" * 249 + ".keras", "ü" * 124 + ".keras", "a." + "b" * 200])
def test_names_as_long_as_the_disk_allows(tmp_path, name):
    atomic.write_text(tmp_path / name, "text")
    assert os.listdir(tmp_path) == [name]


def test_a_temporary_file_keeps_the_ending_and_is_recognised(tmp_path):
    with atomic.whole_file(tmp_path / "net.keras") as one, atomic.whole_file(tmp_path / "net.keras") as other:
        assert one != other and one.suffix == other.suffix == ".keras"
        assert atomic.is_temporary(one) and not atomic.is_temporary(tmp_path / "net.keras")
        for path in (one, other):
            path.touch()


def test_a_full_disk_names_the_file(tmp_path):
    with (
        pytest.raises(OSError, match=r"Cannot write .*net\.h5: No space left") as raised,
        atomic.whole_file(tmp_path / "net.h5"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert raised.value.errno == errno.ENOSPC and os.listdir(tmp_path) == []


def test_what_cannot_be_written_is_found_without_writing(tmp_path):
    with pytest.raises(ValueError, match="there is no folder"):
        atomic.check_can_write(tmp_path / "none" / "a.keras")
    with pytest.raises(OSError, match=r"Cannot write .*: File name too long"):
        atomic.check_can_write(tmp_path / f"{'n' * 300}.keras")
    atomic.check_can_write(tmp_path / "a.keras")
    assert os.listdir(tmp_path) == []
