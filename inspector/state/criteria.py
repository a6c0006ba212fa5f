"""What filters can be ranked by: measured FIRE, other criteria, and FIRE with l1 norms for layers that have none."""

from __future__ import annotations

import functools

import numpy as np

from firekeras.discovery import registered
from firekeras.scores.profile import FilterScores, FireProfile

FIRE, FILLED, APOZ = "fire", "fire or l1", "apoz"
FROM_0_TO_1 = (FIRE, FILLED)
LABELLED = ("taylor", "fisher")  # these need labels and a loss
TIPS = {  # why a filter is removed first
    FIRE: "its ReLU outputs zero most often",
    FILLED: "its FIRE is high, or in layers without FIRE, its weights are small",
    "l1": "the l1 norm of its weights is small",
    "l2": "the l2 norm of its weights is small",
    "fpgm": "the other filters of its layer are near it",
    "bn_scale": "the scale of its BatchNormalization is small",
    "contribution": "little of its variance arrives where it is read, by the weights",
    "contribution_measured": "little of its variance arrives where it is read, measured on data",
    "random": "it is drawn at random, for comparison",
    APOZ: "its ReLU outputs zero most often; the same number as FIRE",
    "activation_mean": "its outputs are small",
    "taylor": "the loss would change least without it, to first order",
    "fisher": "the loss would change least without it, by Fisher information",
}


def names() -> list[str]:
    """All criteria: those that are known at once, those that need the weights, and those that need data."""
    others = [name for name in _registered() if name != FIRE]
    return [FIRE, FILLED, *sorted(others, key=lambda name: (name != "l1", needs_data(name)))]


@functools.cache  # it reads a folder of sources
def _registered():
    return registered("scores/criteria", "criterion")


def needs_data(name: str) -> bool:
    """Whether a criterion is measured on data."""
    return _registered().get(name, {}).get("needs") == "data"


def of_weights() -> list[str]:
    """The criteria that need the model, and no data."""
    return [name for name in names() if name not in (FIRE, FILLED, "l1") and not needs_data(name)]


def title(name: str) -> str:
    """The name of a criterion in the window."""
    return name.replace(FIRE, "FIRE") if name in (FIRE, FILLED) else name


def tip(name: str) -> str:
    """One sentence on a criterion; empty for one that is registered elsewhere."""
    return f"A filter is removed first if {TIPS[name]}." if name in TIPS else ""


def known_at_once(name: str, profile: FireProfile) -> FilterScores | None:
    """Scores that follow from a profile alone; `None` for others.

    In `FILLED`, a layer whose filters cannot all be ranked by FIRE, or which loses filters only together with such a
    layer, is ranked by l1 norms as a whole: by how much each is smaller than the largest of these layers, 0 to 1. Ranks
    count within layers, so FIRE and norms are never compared.
    """
    if name == FIRE:
        return profile
    l1 = {layer: -norms for layer, norms in profile.l1.items()}
    if name == "l1":
        return FilterScores(l1, criterion="l1", l1=profile.l1)
    if name != FILLED:
        return None
    return FilterScores({**profile, **_smallness(profile)}, criterion=FILLED, l1=profile.l1)


def _smallness(profile):
    """How small the filters of layers are that FIRE cannot rank, by layer, beside those that go with them."""
    without = {layer for layer, ranked in profile.rankable().items() if not ranked.all()}
    groups = [[layer for layer in group if layer in profile.l1] for group in profile.graph.groups if without & {*group}]
    largest = {layer: max(profile.l1[other].max(initial=0.0) for other in group) for group in groups for layer in group}
    return {layer: 1 - profile.l1[layer] / (most or 1.0) for layer, most in largest.items()}


def unscored(scores: FilterScores) -> set[str]:
    """The layers of which no filter has a score."""
    return {layer for layer, values in scores.items() if not np.isfinite(values).any()}
