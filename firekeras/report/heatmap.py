"""FIRE of a whole network as a picture: a row per layer, its filters from the most to the least active."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageFont

# The colour map cividis at 0, 1/8, ..., 1: perceptually uniform, also for colour-blind readers (Nuñez, Anderton and
# Renslow 2018, "Optimizing colormaps with consideration for color vision deficiency").
CIVIDIS = np.array(
    [
        *[(0, 34, 78), (26, 56, 111), (67, 78, 108), (97, 101, 111), (125, 124, 120)],
        *[(155, 148, 118), (188, 174, 108), (222, 201, 88), (254, 232, 56)],
    ]
)
UNSCORED = (255, 255, 255)
ROW, COLUMNS, NAMES = 14, 256, 200  # pixels: height of a row, width of its picture, and of its name
NAME_LENGTH = 30


def sorted_fire(profile: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """FIRE of each layer that has any, in ascending order, `(filters,)`, unscored filters (NaN) last."""
    return {name: np.sort(fire) for name, fire in profile.items() if np.isfinite(fire).any()}


def colours(fire) -> np.ndarray:
    """The colours of FIRE of any shape, uint8 `(..., 3)`: dark for 0, bright for 1, white for NaN."""
    fire = np.asarray(fire, "float64")
    stops = np.linspace(0, 1, len(CIVIDIS))
    channels = [np.interp(np.nan_to_num(fire), stops, CIVIDIS[:, k]) for k in range(3)]
    return np.where(np.isnan(fire)[..., None], UNSCORED, np.stack(channels, -1).round()).astype("uint8")


def picture(profile: Mapping[str, np.ndarray]) -> Image.Image:
    """Draws the heatmap, with the name of each layer; every row is stretched to the same width.

    Args:
        profile: FIRE of the filters of each layer, such as a `FireProfile`. Layers without FIRE are
            left out.

    Raises:
        ValueError: If no layer has FIRE.
    """
    scored = sorted_fire(profile)
    if not scored:
        raise ValueError("No layer of this profile has FIRE, so there is nothing to draw.")
    rows = np.stack([fire[np.arange(COLUMNS) * fire.size // COLUMNS] for fire in scored.values()])
    image = Image.new("RGB", (NAMES + COLUMNS, ROW * len(scored)), "white")
    image.paste(Image.fromarray(colours(np.repeat(rows, ROW, axis=0))), (NAMES, 0))
    _write_names(ImageDraw.Draw(image), scored)
    return image


def _write_names(draw, names):
    """In ASCII, since the built-in font of some versions of Pillow has only Latin letters."""
    font = ImageFont.load_default()
    for row, name in enumerate(names):
        short = name if len(name) <= NAME_LENGTH else f"...{name[3 - NAME_LENGTH :]}"
        draw.text((2, ROW * row), short.encode("ascii", "replace").decode(), "black", font)
