"""Caps on the command line: LAYER=SHARE."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

from firekeras.keras_models import model_file
from firekeras.refusals import check_share, suggestion


def parsed_caps(texts) -> dict[str, float]:
    """Parses caps: `["conv1=0.5"]` becomes `{"conv1": 0.5}`."""
    caps: dict[str, float] = {}
    for text in texts or ():
        name, share = _parsed_cap(text)
        if name in caps:
            raise ValueError(f"--cap is given twice for layer {name!r}. Leave one of them out.")
        check_share(f"The cap of {name!r}", share, "the share of a layer's filters that may go")
        caps[name] = share
    return caps


def check_caps(caps: Mapping[str, float], model: Path):
    """Raises `ValueError`, before Keras is imported, for a cap of a layer that a model file does not spell.

    Patterns, types of layers (which begin with a capital letter) and layers inside others are left to planning.
    """
    names = model_file.names_in(model) if caps else set()
    for key in caps:
        certain = not any(sign in key for sign in "*?[") and not key[:1].isupper()
        if certain and not names & {key, *key.split("/")}:
            raise ValueError(
                f"There is no layer with filters named {key!r}.{suggestion(key, names)} firekeras channels "
                f"{model} lists them."
            )


def _parsed_cap(text):
    name, _, share = text.rpartition("=")
    with contextlib.suppress(ValueError):
        if name:
            return name, float(share)
    raise ValueError(f"--cap is LAYER=SHARE with a share from 0 to 1, such as conv1=0.5. Received: {text!r}.")
