"""Keras's own `model.export`, without its chatter."""

from __future__ import annotations

import contextlib
import io
import warnings

from firekeras.keras_models.state import constants_inside
from firekeras.quiet import without_chatter


def written_by_keras(model, path, to, settings):
    """Has Keras write a model; what goes wrong comes as a `ValueError` that names the model.

    Args:
        model: A built Keras model.
        path: Where.
        to: The `Format`.
        settings: Of Keras's exporter.
    """
    try:
        with _quiet(), constants_inside(model):
            model.export(str(path), format=to.keras_name, verbose=False, **settings)
    except Exception as error:  # converters raise anything
        raise ValueError(f"Keras could not export the model {model.name!r} to {to.name!r}: {error}") from error


@contextlib.contextmanager
def _quiet():
    """Leaves out what converters print and warn of: the file is run and compared afterwards."""
    with without_chatter(), warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
