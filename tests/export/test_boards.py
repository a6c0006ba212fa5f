"""Boards: common ones and a user's own."""

import pytest

from firekeras.export.boards import COMMON, Board, boards_of, read_boards

MINE = '[mine]\nram = "256 KiB"\nflash = 1_000_000\n'


def test_the_common_boards_have_sizes_and_sources():
    boards = read_boards(COMMON)
    assert len(boards) >= 10 and all(board.source and board.title for board in boards.values())
    assert boards_of("raspberry-pi-pico") == [boards["raspberry-pi-pico"]]


def test_boards_of_your_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(MINE)
    assert boards_of(str(path)) == [Board("mine", 262_144, 1_000_000, "mine")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[a]\nram = 1000\n", "board 'a' needs flash.*Received: None"),
        ("[a]\nram = 0.5\nflash = 1000\n", "board 'a' needs ram.*Received: 0.5"),
        ('[a]\nram = "much"\nflash = 1\n', "board 'a' needs ram"),
        ("[a]\nram = 1\nflash = 1\nrom = 1\n", "board 'a' has 'rom'"),
        ("ram = 1\n", "'ram' is no board"),
        ("", "has no board"),
        ("[a", "is not a TOML file"),
        ("[a]\nram = inf\nflash = 1\n", "board 'a' needs ram.*Received: inf"),
        ('[a]\nram = "999999999999999999999 GiB"\nflash = 1\n', "board 'a' needs ram"),
        ('[a]\nram = "0.4 B"\nflash = 1\n', "board 'a' needs ram"),
        (f"[a]\nram = {'9' * 5000}\n", "is not a TOML file: Exceeds the limit"),
        (f"{'a.' * 20000}a = 1\n", "is not a TOML file: a line has more than 200 dots"),
    ],
)
def test_what_is_no_board_is_refused(tmp_path, text, words):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        boards_of(str(path))


def test_a_wrong_name_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"no board named 'pico'.*Did you mean"):
        boards_of("pico")
