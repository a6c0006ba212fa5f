"""The heatmap as an image: each cell the colour of its filter, before, after, the difference or both."""

from __future__ import annotations

import numpy as np

from inspector.state import palette
from inspector.state.cells import PADDING
from inspector.state.comparison import Mode

NOTHING = (0, 0, 0, 0)
WHOLE = (Mode.BEFORE, Mode.CUTS)  # modes that show every filter, and hatch those that go


def heatmap_image(session, mode: Mode, split: float, middle, unscored) -> np.ndarray:
    """The picture of a session's network, uint8 RGBA `(layers, columns, 4)`; cells without a filter are transparent.

    Args:
        session: The `Session`; it must have a profile.
        mode: What to show.
        split: For `Mode.SPLIT`, the first column that shows the network afterwards.
        middle: The colour of no difference, `(r, g, b)`.
        unscored: The colour of filters without FIRE, `(r, g, b)`.
    """
    if mode is Mode.SPLIT:
        image = heatmap_image(session, Mode.BEFORE, split, middle, unscored)
        after = heatmap_image(session, Mode.AFTER, split, middle, unscored)
        image[:, round(split) :] = after[:, round(split) :]
        return image
    colours = _of_filters(session, mode, middle, (*unscored, 255))
    grid = session.need_measured().cells.grid
    image = np.append(colours, [NOTHING], axis=0).astype("uint8")[grid]
    image[grid == PADDING] = NOTHING
    return image


def _of_filters(session, mode, middle, unscored):
    before, after, gone = session.need_measured().planner.fire, _after(session), session.gone_afterwards
    if mode in WHOLE:
        return palette.coloured(before, palette.FIRE, 0, 1, unscored)
    if mode is Mode.AFTER:
        colours = palette.coloured(after, palette.FIRE, 0, 1, unscored)
    else:
        most = largest_difference(session)
        colours = palette.coloured(after - before, palette.difference_colours(middle), -most, most, unscored)
    colours[gone] = NOTHING
    return colours


def largest_difference(session) -> float:
    """The largest absolute change of a filter's FIRE; 1 if none changes."""
    change = np.abs(_after(session) - session.need_measured().planner.fire)[~session.gone_afterwards]
    return float(change[np.isfinite(change)].max(initial=0.0)) or 1.0


def _after(session):
    return session.comparison.fire if session.comparison else session.need_measured().planner.fire
