import logging
import os

import pytest

from firekeras.quiet import without_chatter, without_retracing_warnings

CHATTER = (
    "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.",
    "fully_quantize: 0, inference_type: 6, input_inference_type: FLOAT32",
    "W0000 00:00:1764000000.000000  1 tf_tfl_flatbuffer_helpers.cc:364] Ignored output_format.",
    "2026-11-26 10:00:00.000000: I tensorflow/cc/saved_model/reader.cc:83] Reading SavedModel",
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
)


@pytest.mark.parametrize("line", CHATTER)
def test_log_lines_of_compiled_libraries_are_dropped(line, capfd):
    with without_chatter():
        os.write(2, f"{line}\nkept\n".encode())
        with without_chatter():
            os.write(2, b"kept too\n")
    assert capfd.readouterr().err == "kept\nkept too\n"


def test_what_was_written_is_kept_when_an_error_comes(capfd):
    with pytest.raises(ValueError, match="wrong"), without_chatter():
        os.write(2, b"2 of them\n")
        raise ValueError("wrong")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "2 of them\nafter\n"


def test_only_warnings_of_retracing_are_dropped(caplog):
    logger = logging.getLogger("tensorflow")
    with without_retracing_warnings(), caplog.at_level(logging.WARNING, "tensorflow"):
        logger.addHandler(caplog.handler)
        logger.warning("5 out of the last 17 calls to f triggered tf.function retracing. Tracing is expensive")
        logger.warning("something else")
    logger.warning("6 out of the last 17 calls to f triggered tf.function retracing.")
    logger.removeHandler(caplog.handler)
    said = {record.getMessage()[:8] for record in caplog.records}
    assert said == {"somethin", "6 out of"}
