"""The measured gain of the previewed cut."""

from __future__ import annotations

from inspector.state import Session
from inspector.views.figure_label import FigureLabel

NOT_TIMED = "Latency: not measured yet (F7)"
HOW = "F7 cuts the model as previewed, and measures its latency before and after."


class LatencyLabel(FigureLabel):
    """Shows a session's timing.

    Args:
        session: The `Session`.
    """

    def __init__(self, session: Session):
        super().__init__(session, "Latency before and after", NOT_TIMED, HOW, "F7", lambda session: session.timed)
