"""Files appear whole or not at all, whoever else writes them at the same time, and errors name them."""

import errno
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from firekeras import atomic
from firekeras.atomic import check_can_write, is_temporary, remove_stale, whole_file, whole_folder, write_text


def names(folder):
    return [path.name for path in folder.iterdir()]


def test_temporary_names_differ_keep_their_ending_and_fit_the_longest_name(tmp_path):
    path = tmp_path / ("a" * 249 + ".keras")
    with whole_file(path) as one, whole_file(path) as other:
        assert one != other and one.suffix == other.suffix == ".keras" and is_temporary(one)
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one" and names(tmp_path) == [path.name]


@pytest.mark.parametrize("context", [whole_file, whole_folder])
def test_errors_of_the_disk_name_the_file_and_leave_nothing(tmp_path, context):
    with (
        pytest.raises(OSError, match=r"Cannot write .*a\.keras: No space left") as raised,
        context(tmp_path / "a.keras"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert raised.value.errno == errno.ENOSPC and names(tmp_path) == []


def test_errors_about_other_files_stay_as_they_are(tmp_path):
    with pytest.raises(FileNotFoundError, match="No such file or directory: 'elsewhere'"), whole_file(tmp_path / "a"):
        os.stat("elsewhere")


def test_what_cannot_be_written_is_known_before(tmp_path, monkeypatch):
    check_can_write(tmp_path / "a.keras")
    with pytest.raises(OSError, match="File name too long"):
        check_can_write(tmp_path / ("a" * 300))
    with pytest.raises(ValueError, match="there is no folder"):
        check_can_write(tmp_path / "b" / "a.keras")

    def read_only(path, **how):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(atomic.pathlib.Path, "touch", read_only)
    with pytest.raises(OSError, match=r"Cannot write .*a\.keras: Read-only file system"):
        check_can_write(tmp_path / "a.keras")
    assert names(tmp_path) == []


def test_what_a_killed_process_left_is_removed_a_day_later(tmp_path):
    for name in (".firekeras-0123456789abcdef.keras", ".firekeras-fedcba9876543210.keras", ".firekeras-notes"):
        write_text(tmp_path / name, "half")
    yesterday = time.time() - 2 * atomic.DAY
    for name in (".firekeras-0123456789abcdef.keras", ".firekeras-notes"):
        os.utime(tmp_path / name, (yesterday, yesterday))
    remove_stale(tmp_path)
    assert sorted(names(tmp_path)) == [".firekeras-fedcba9876543210.keras", ".firekeras-notes"]


def test_threads_that_write_one_file_never_show_half_of_it(tmp_path):
    path, texts = tmp_path / "a.json", [str(k) * 5000 for k in range(4)]
    with ThreadPoolExecutor(4) as threads:
        for _ in range(5):
            list(threads.map(lambda text: atomic.write_text(path, text), texts))
            assert path.read_text() in texts
    assert os.listdir(tmp_path) == ["a.json"]
