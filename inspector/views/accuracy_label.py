"""The measured cost of the previewed cut."""

from __future__ import annotations

from inspector.state import Session
from inspector.views.figure_label import FigureLabel

NOT_CHECKED = "Accuracy: not checked yet (F9)"
HOW = "F9 cuts the model as previewed, and measures its accuracy before and after, without training."


class AccuracyLabel(FigureLabel):
    """Shows a session's check of accuracy.

    Args:
        session: The `Session`.
    """

    def __init__(self, session: Session):
        super().__init__(session, "Accuracy before and after", NOT_CHECKED, HOW, "F9", lambda session: session.checked)
