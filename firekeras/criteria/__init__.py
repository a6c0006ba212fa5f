"""Scores by name: how dispensable each filter of a model is, by one of many criteria."""

from __future__ import annotations

import numpy as np

from firekeras.channels import filter_kernels
from firekeras.channels.check import check_weights
from firekeras.criteria import activations, contribution, gradients, weights  # noqa: F401 (they register criteria)
from firekeras.criteria.registry import CRITERIA, criterion, get_criterion
from firekeras.criteria.weights import l1_norm
from firekeras.profile import FilterScores


def score_filters(model, criterion="l1", data=None, seed=None) -> FilterScores:
    """Scores every filter of a model by a criterion: higher goes first.

    Args:
        model: A built Functional or Sequential model.
        criterion: A name: `"l1"` (Li et al. 2017, section 3.1: small norms go first), `"l2"`, `"fpgm"`,
            `"bn_scale"`, `"contribution"` and `"random"` need no data; `"fire"`, `"apoz"`,
            `"activation_mean"`, `"taylor"`, `"fisher"` and `"contribution_measured"` do. Each says under
            its own name in `firekeras.criteria` where it comes from. Or any name registered with
            `@criterion`.
        data: For criteria that need it, what `model.fit` takes, labels included where gradients are
            taken. Defaults to none.
        seed: For criteria that draw at random. Defaults to none, a new draw each time.

    Returns:
        `FilterScores`; NaN, with a reason, where a filter has no score.

    Raises:
        ValueError: If the criterion is unknown, needs data and got none, or scores no filter.

    Example:
    >>> scores = firekeras.score_filters(model, criterion="l1")
    """
    chosen = get_criterion(criterion)
    if chosen.needs == "data" and data is None:
        raise ValueError(
            f"The criterion {criterion!r} is measured on data: pass data=..., anything that model.fit takes."
        )
    kernels = filter_kernels(model)
    check_weights(model)
    if chosen.needs == "kernel":
        rng = np.random.default_rng(seed)
        scores = FilterScores({name: chosen.score(k, rng) for name, k in kernels.items()}, criterion=criterion)
    else:
        scores = chosen.score(model, data) if chosen.needs == "data" else chosen.score(model)
    _check_some(scores, model)
    scores.l1 = scores.l1 or {name: l1_norm(kernel) for name, kernel in kernels.items()}
    return scores


def _check_some(scores, model):
    if not any(np.isfinite(values).any() for values in scores.values()):
        reasons = "; ".join(f"{name}: {reason}" for name, reason in list(scores.reasons.items())[:3])
        raise ValueError(
            f"No filter of {model.name!r} has a {scores.criterion} score ({reasons}). Use another criterion."
        )


__all__ = ["CRITERIA", "criterion", "get_criterion", "l1_norm", "score_filters"]
