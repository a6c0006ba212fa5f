"""What `FirePruningCallback` refuses before any training."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from firekeras.arguments import short
from firekeras.channels.graph import ChannelGraph
from firekeras.fit.neighbours import check_keeps_its_loss
from firekeras.keras_models.classes import check_trains_as_keras_does
from firekeras.methods.fire import FirePruning
from firekeras.network import Network
from firekeras.plan.planning import plan_pruning
from firekeras.plan.reaching import WIDTHS
from firekeras.refusals import is_number
from firekeras.rounds.learning_rate import run_out, scheduled
from firekeras.rounds.method import Method
from firekeras.rounds.run import check_prunable
from firekeras.rounds.settings import RunSettings, check_read
from firekeras.rounds.teaching import check_can_teach
from firekeras.scores.fire.measuring import with_fire
from firekeras.scores.profile import FilterScores

LIMITS = ("layer_caps", "target", "round_to", "min_keep", "latency")


def check_not_settings(data: Any) -> None:
    """Raises `ValueError` if a target, or a ratio, stands where data are expected."""
    if is_number(data) or (isinstance(data, Mapping) and any(map(is_number, data.values()))):
        raise ValueError(
            f"The first argument is data to measure on. Received: {short(data)}. Settings are given by name, such as "
            "FirePruningCallback(target={'conv_macs': 0.5})."
        )


def check_can_be_pruned(network: Network, model: keras.Model, method: Method, train: Any, settings: RunSettings):
    """Raises `ValueError` if `fit` cannot prune a model by these settings, or the target is out of reach.

    Args:
        network: The network of the model.
        model: The model that `fit` trains.
        method: What ranks its filters.
        train: The training data of `fit`.
        settings: Those of the callback.
    """
    check_read(method.unread(), settings.to_dict())
    check_trains_as_keras_does(model)
    check_keeps_its_loss(model)
    method.check(model, train)
    if method.trains:
        raise ValueError(
            f"{type(method).__name__} trains networks of its own between cuts, which is not possible inside fit. Use "
            "firekeras.compress, or another method."
        )
    check_prunable(model, network.graph, settings.layer_caps)
    if settings.distill:
        check_can_teach(model)
    _check_in_reach(network, method, settings)


def _check_in_reach(network, method, settings):
    """What can be reached hardly depends on the scores."""
    by_fire = isinstance(method, FirePruning) and not method.beside and not set(settings.target or ()) & set(WIDTHS)
    scores = with_fire(network) if by_fire else _any_scores(network.graph)  # for RAM, norms stand in for FIRE
    plan_pruning(network.graph, scores, **{name: getattr(settings, name) for name in LIMITS})


def check_epochs(measures: int, last: int) -> None:
    """Raises `ValueError` unless an epoch follows the one that measures, counted from 1."""
    if last - measures < 1:
        raise ValueError(
            f"FirePruningCallback measures in one epoch, here epoch {measures}, and prunes in those after it. "
            f"fit ends with epoch {last}: give it more epochs, or the callback an earlier start_epoch."
        )


def check_rate(optimizer: keras.Optimizer, learning_rate: float | None) -> None:
    """Raises `ValueError` for a rate that cannot be set; warns if the optimizer's own has run out."""
    if learning_rate is None:
        over = run_out(optimizer)
        if over:
            advice = " Compile the model again, or give learning_rate=..."
            warnings.warn(over.partition(" The run")[0] + advice, stacklevel=3)
    elif scheduled(optimizer):
        raise ValueError(
            "The model's optimizer has a schedule of learning rates inside, so its rate cannot be set. "
            f"Received: learning_rate={learning_rate}. Leave it out, or compile the model with a number."
        )


def _any_scores(graph: ChannelGraph) -> FilterScores:
    """Equal scores for all filters."""
    return FilterScores({name: np.zeros(width) for name, width in graph.widths.items()}, criterion="none")
