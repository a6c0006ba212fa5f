"""The heatmap as an image: each cell the colour of its filter, before, after, the difference or both."""

from __future__ import annotations

import numpy as np

from inspector.state import criteria, palette
from inspector.state.cells import PADDING
from inspector.state.comparison import Mode

NOTHING = (0, 0, 0, 0)
OUTLIERS = 0.01  # of the scores, at each end
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
    low, high = scale_of(session, mode)
    if mode in WHOLE:
        return palette.coloured(before, palette.FIRE, low, high, unscored)
    if mode is Mode.AFTER:
        colours = palette.coloured(after, palette.FIRE, low, high, unscored)
    else:
        colours = palette.coloured(after - before, palette.difference_colours(middle), low, high, unscored)
    colours[gone] = NOTHING
    return colours


def scale_of(session, mode: Mode | None = None) -> tuple[float, float]:
    """The numbers of the first and the last colour.

    FIRE has a scale from 0 to 1, unless it is stretched over the scores that there are; scores without ends always are.
    Those of filters that cannot go do not count.

    Args:
        session: The `Session`; it must have a profile.
        mode: What is shown. Defaults to the mode of the session.
    """
    if (mode or session.mode) is Mode.DIFFERENCE:
        most = largest_difference(session)
        return -most, most
    if session.need_measured().scores.criterion in criteria.FROM_0_TO_1 and not session.contrast:
        return 0.0, 1.0
    planner = session.need_measured().planner
    free = planner.prunable[planner.units]  # a locked layer may have scores that are far from all others
    free = free if free.any() else np.ones_like(free)
    scores = np.concatenate([planner.fire[free], _after(session)[free]])
    return _span(scores[np.isfinite(scores)])


def _span(scores):
    """Both ends of almost all scores: a few outliers would leave one colour to the others."""
    if not scores.size:
        return 0.0, 1.0
    low, high = np.quantile(scores, [OUTLIERS, 1 - OUTLIERS]).tolist()
    return (low, high) if high > low else (low, low + 1.0)


def largest_difference(session) -> float:
    """The largest absolute change of a filter's FIRE; 1 if none changes."""
    change = np.abs(_after(session) - session.need_measured().planner.fire)[~session.gone_afterwards]
    return float(change[np.isfinite(change)].max(initial=0.0)) or 1.0


def _after(session):
    return session.comparison.fire if session.comparison else session.need_measured().planner.fire
