"""Silence on standard error: of compiled code too, nested, and gone afterwards."""

import logging
import os

import pytest

from firekeras.quiet import silent_stderr, without_retracing_warnings


def test_what_is_written_inside_is_lost_and_after_it_is_not(capfd):
    with pytest.raises(KeyError), silent_stderr():
        with silent_stderr():
            os.write(2, b"inner ")
        os.write(2, b"outer ")
        raise KeyError
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_only_warnings_of_retracing_are_dropped(caplog):
    logger = logging.getLogger("tensorflow")
    with caplog.at_level(logging.WARNING, "tensorflow"):
        logger.addHandler(caplog.handler)
        with without_retracing_warnings():
            logger.warning("5 out of the last 17 calls to f triggered tf.function retracing. Tracing is expensive")
            logger.warning("something else")
        logger.warning("6 out of the last 17 calls to f triggered tf.function retracing.")
    logger.removeHandler(caplog.handler)
    said = {record.getMessage()[:8] for record in caplog.records}
    assert said == {"somethin", "6 out of"}
