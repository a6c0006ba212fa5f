"""Keras's own `model.export`, without its chatter."""

from __future__ import annotations

import contextlib
import io
import warnings

from firekeras.keras_models.state import constants_inside
from firekeras.quiet import silent_stderr


def written_by_keras(model, path, to, settings):
    """Exports a model with Keras; any error becomes a `ValueError` that names the model.

    Args:
        model: A built Keras model.
        path: The file or folder to write.
        to: The `Format`.
        settings: For Keras's exporter.
    """
    try:
        with _quiet(), constants_inside(model):
            model.export(str(path), format=to.keras_name, verbose=False, **settings)
    except OSError:  # as on a full disk
        raise
    except Exception as error:  # converters raise anything
        raise ValueError(f"Keras could not export the model {model.name!r} to {to.name!r}: {error}") from error


@contextlib.contextmanager
def _quiet():
    """Hides what converters print and warn about: the file is run and compared afterwards."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), silent_stderr():
        warnings.simplefilter("ignore")
        yield
