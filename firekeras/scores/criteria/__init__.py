"""Scores by name: how dispensable each filter of a model is, by one of many criteria."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from firekeras.arguments import typed
from firekeras.channels import channel_graph
from firekeras.channels.check import check_weights
from firekeras.data.checks import checked_data
from firekeras.discovery import import_all
from firekeras.network import Network
from firekeras.quiet import without_retracing_warnings
from firekeras.refusals import by_reason, listed
from firekeras.scores.criteria.registry import CRITERIA, criterion, get_criterion
from firekeras.scores.criteria.weights import l1_norm
from firekeras.scores.profile import FilterScores

import_all(__name__, __path__)

if TYPE_CHECKING:
    import keras


@typed
@without_retracing_warnings()
def score_filters(model: keras.Model, criterion: str = "l1", data: Any = None, seed: int | None = None) -> FilterScores:
    """Scores every filter of a model by a criterion: higher is removed first.

    | criterion | needs | a filter is removed first if ... | source |
    |---|---|---|---|
    | `"l1"`, `"l2"` | weights | its weights are small | Li et al. 2017, section 3.1 |
    | `"fpgm"` | weights | others of its layer are near it | He et al. 2019, section 3.3 |
    | `"random"` | nothing | it is drawn: the control | |
    | `"bn_scale"` | weights | its BatchNormalization's gamma is small | Liu et al. 2017, section 3 |
    | `"contribution"` | weights | little of its variance arrives where it is read | firekeras |
    | `"contribution_measured"` | data | the same, with variances measured | firekeras |
    | `"fire"` | data | its ReLU is mostly silent | Fang et al. 2020, eq. 3 |
    | `"apoz"` | data | the same: it is the same number as FIRE | Hu et al. 2016, eq. 1 |
    | `"activation_mean"` | data | it puts out little | Molchanov et al. 2017, section 2.2 |
    | `"taylor"` | data, labels, loss | to first order the loss hardly changes without it | Molchanov et al. 2019, 3.1 |
    | `"fisher"` | data, labels, loss | the same, by Fisher information | Theis et al. 2018, 2.2 |

    The functions in the modules of `firekeras.scores.criteria` say how each is computed, and where it
    departs from its source. All of them use the model in inference mode, and do not change it. Coupled
    filters are ranked by the mean of their scores.

    Args:
        model: A built Functional or Sequential model; for `"taylor"` and `"fisher"` compiled with a loss.
        criterion: One of these names, or one that was registered with
            `firekeras.scores.criteria.criterion`. Defaults to `"l1"`.
        data: For criteria that need it, data as `model.fit` takes them. All of them are used: a few
            thousand samples are usually enough. Defaults to none.
        seed: Seed of criteria that draw at random. Defaults to none, a new draw each time.

    Returns:
        `FilterScores`; for `"fire"` a `FireProfile`. Filters that a criterion cannot score have NaN,
        with a reason.

    Raises:
        ValueError: If the criterion is unknown, needs data, labels or a loss and got none, or cannot
            score any filter; or if the model's weights are NaN.

    Example:
    >>> scores = firekeras.score_filters(model, "contribution")
    >>> plan = firekeras.plan_pruning(model, scores, pruning_ratio=0.3)
    """
    chosen = get_criterion(criterion)
    if chosen.needs == "data" and data is None:
        raise ValueError(
            f"The criterion {criterion!r} is measured on data: pass data=..., anything that model.fit takes."
        )
    if data is not None and chosen.needs != "data":
        checked_data(model, data)  # they are not read, but may stand in a wrong place
    kernels = Network.of(model).filter_kernels()
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
        raise ValueError(_none_scored(scores, channel_graph(model), model.name))


def _none_scored(scores, graph, name):
    if not scores:
        return f"The model {name!r} has no filters that could be scored: {graph.why_none()}."
    first = list(by_reason(scores.reasons.items()).items())[:3]
    reasons = "; ".join(f"{listed(layers)}: {reason}" for reason, layers in first)
    why = f" ({reasons})" if reasons else ""
    return f"No filter of {name!r} has a {scores.criterion} score{why}. Use another criterion."


__all__ = ["CRITERIA", "criterion", "get_criterion", "l1_norm", "score_filters"]
