"""What a run makes of a method's scores: layers balanced, and MACs in the ranking."""

from __future__ import annotations

from firekeras.plan.balance import FALLBACK, balanced
from firekeras.plan.macs import favouring_macs


def weighed(scores, graph, settings, rejections):
    """The scores as a run's settings want them; once a round was undone, balanced in any case.

    Args:
        scores: `FilterScores`.
        graph: The `ChannelGraph` of the network.
        settings: `RunSettings`.
        rejections: How many rounds were undone so far.
    """
    balance = max(settings.balance, FALLBACK if rejections else 0.0)
    if balance:
        scores = balanced(scores, graph, balance)
    if settings.favour_macs:
        scores = favouring_macs(scores, graph, settings.favour_macs)
    return scores
