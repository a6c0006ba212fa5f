"""Numbers as colours that colour-blind readers can distinguish."""

from __future__ import annotations

import numpy as np

from firekeras.report.heatmap import CIVIDIS

STEPS = 256
# Vik-like: blue for less, orange for more, through white or black; ends from Okabe and Ito's colours.
LESS, MORE = (0, 114, 178), (213, 94, 0)


def _between(stops):
    at = np.linspace(0, 1, len(stops))
    return np.stack([np.interp(np.linspace(0, 1, STEPS), at, np.asarray(stops)[:, k]) for k in range(3)], -1)


FIRE = _between(CIVIDIS).round().astype("uint8")  # 0 dark, 1 bright


def difference_colours(middle) -> np.ndarray:
    """Colours for -1 to 1, `(256, 3)`: blue for less, orange for more.

    Args:
        middle: The colour of 0, the background's.
    """
    return _between([LESS, middle, MORE]).round().astype("uint8")


def coloured(values: np.ndarray, colours: np.ndarray, low: float, high: float, missing) -> np.ndarray:
    """Values as RGBA, uint8 `(*shape, 4)`; NaN as the colour `missing`, `(r, g, b, a)`."""
    share = (np.nan_to_num(values) - low) / (high - low)
    index = np.clip(share * STEPS, 0, STEPS - 1).astype("int64")
    opaque = np.concatenate([colours, np.full((STEPS, 1), 255, "uint8")], axis=1)
    return np.where(np.isnan(values)[..., None], np.asarray(missing, "uint8"), opaque[index])
