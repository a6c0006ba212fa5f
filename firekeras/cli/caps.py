"""Caps on the command line: LAYER=SHARE."""

from __future__ import annotations

import contextlib

from firekeras.refusals import check_share


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


def _parsed_cap(text):
    name, _, share = text.rpartition("=")
    with contextlib.suppress(ValueError):
        if name:
            return name, float(share)
    raise ValueError(f"--cap is LAYER=SHARE with a share from 0 to 1, such as conv1=0.5. Received: {text!r}.")
