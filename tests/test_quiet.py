"""Silence on standard error: of compiled code too, nested, and gone afterwards."""

import os

import pytest

from firekeras.quiet import silent_stderr


def test_what_is_written_inside_is_lost_and_after_it_is_not(capfd):
    with pytest.raises(KeyError), silent_stderr():
        with silent_stderr():
            os.write(2, b"inner ")
        os.write(2, b"outer ")
        raise KeyError
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"
