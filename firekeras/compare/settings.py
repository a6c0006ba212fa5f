"""What is the same for all that are compared: checked before anything long begins."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from firekeras.channels import traced
from firekeras.measure.measuring import filters_behind
from firekeras.plan.planning import checked_target, plan_pruning
from firekeras.profile import FilterScores
from firekeras.rounds.settings import RunSettings, check_whole

SET_HERE = ("tolerance", "backtracks", "max_rounds", "seed", "fine_tune", "evaluate")
RATIO = 0.1  # share of the filters that go in a round, where nothing else is said


@dataclasses.dataclass(frozen=True)
class ComparisonSettings:
    """What all methods have in common.

    Args:
        measure: `"macs"`, `"conv_macs"` or `"params"`.
        shares: How much of it is left in the end: each a comparison of its own.
        seeds: What decides all that is drawn at random, one run each.
        epochs: Epochs of training that a run has in all.
        learning_rate: Of the first epoch.
        run: Settings of `compress` that all runs share, arguments for `model.fit` included.
    """

    measure: str
    shares: tuple[float, ...]
    seeds: tuple[int, ...]
    epochs: int
    learning_rate: float
    run: Mapping[str, Any]

    @classmethod
    def of(cls, model, target, seeds, epochs, *, learning_rate=None, all_filters=False, **run) -> ComparisonSettings:
        """The settings, from arguments as `compare` takes them."""
        ours = [name for name in SET_HERE if name in run]
        if ours:
            raise ValueError(
                f"{ours[0]} cannot be set here: a run ends at the target, no cut is undone, and all are trained and "
                "measured alike."
            )
        check_whole("epochs", epochs, 1)
        if run.get("epochs_per_round", 1) > epochs:
            raise ValueError(
                f"epochs are those of a whole run, the {run['epochs_per_round']} of each round among them. Received: "
                f"{epochs}. Allow more, or lower epochs_per_round."
            )
        run = {"pruning_ratio": RATIO, **run}
        if not RunSettings.of(model, run).pruning_ratio:
            raise ValueError("pruning_ratio is the share of filters that go in a round, above 0. Received: 0.")
        if not all_filters:
            run["layer_caps"] = {**run.get("layer_caps", {}), **left_alone(model)}
        measure, shares = _checked_shares(target)
        return cls(measure, shares, _checked_seeds(seeds), epochs, first_rate(model, learning_rate), run)

    @property
    def monitor(self) -> str:
        """The metric by which all are compared."""
        return self.run.get("monitor", "accuracy")

    @property
    def epochs_per_round(self) -> int:
        """Epochs after each cut, out of all."""
        return self.run.get("epochs_per_round", 1)

    def check_epochs(self, model):
        """Raises `ValueError` where the epochs will not last until a method in rounds is down at the target."""
        for share in self.shares:
            rounds = self._rounds_to(model, share)
            if rounds * self.epochs_per_round > self.epochs:
                raise ValueError(
                    f"It takes about {rounds} rounds of {self.epochs_per_round} epochs to come down to {share} of "
                    f"{self.measure}, but there are {self.epochs} epochs in all. Allow more epochs, or take more per "
                    f"round: pruning_ratio, now {self.run['pruning_ratio']}."
                )

    def _rounds_to(self, model, share) -> int:
        """About how many rounds a method needs that takes as much from every layer."""
        graph = traced(model).graph
        limits = {name: self.run[name] for name in ("layer_caps", "round_to", "min_keep") if name in self.run}
        plan = plan_pruning(graph, _evenly(graph), target={self.measure: share}, **limits)
        kept = 1 - plan.num_removed / plan.ranked
        return math.ceil(math.log(kept) / math.log(1 - self.run["pruning_ratio"]))

    def to_dict(self) -> dict:
        """All but what may grow: shares and seeds."""
        return {name: getattr(self, name) for name in ("measure", "epochs", "learning_rate", "run")}


def _evenly(graph) -> FilterScores:
    """Scores by which every layer loses the same share."""
    return FilterScores({name: np.linspace(0, 1, width) for name, width in graph.widths.items()}, criterion="none")


def _checked_seeds(seeds) -> tuple[int, ...]:
    if not isinstance(seeds, Iterable):
        check_whole("seeds, how many runs each method has,", seeds, 1)
        return tuple(range(int(seeds)))
    found = tuple(seeds)
    if not found:
        raise ValueError(
            "seeds is how many runs each method has, from 1 on, or a list of seeds. Received an empty one."
        )
    for seed in found:
        check_whole("Each of seeds", seed, 0)
    return tuple(map(int, found))


def _checked_shares(target):
    if not isinstance(target, Mapping):
        raise ValueError(f"target is a measure with a share of it, such as {{'macs': 0.5}}. Received: {target!r}.")
    measure, shares = next(iter(target.items())) if target else ("", ())
    shares = tuple(shares) if isinstance(shares, Iterable) else (shares,)
    for share in shares or (0,):
        checked_target({**dict(target), measure: share})
    return measure, shares


def first_rate(model, learning_rate) -> float:
    """The learning rate to begin with: as given, else as the model was compiled."""
    if learning_rate is None and isinstance(_setting(model.optimizer), Mapping):
        raise ValueError(
            "The model was compiled with a schedule of learning rates, and may be at its end. Say with which one to "
            "begin: learning_rate=0.01."
        )
    rate = float(model.optimizer.learning_rate) if learning_rate is None else learning_rate
    if not rate > 0:
        raise ValueError(f"learning_rate is a number above 0, such as 0.01. Received: {rate}.")
    return rate


def _setting(optimizer):
    """The learning rate in an optimizer's config: a number, or a dict that describes a schedule."""
    return getattr(optimizer, "inner_optimizer", optimizer).get_config()["learning_rate"]


def left_alone(model) -> dict[str, float]:
    """Caps for the layers whose filters have no FIRE, or go only together with others that have none."""
    trace = traced(model)
    own = {name: np.zeros(width, bool) for name, width in trace.graph.widths.items()}
    for relu in trace.relus:
        for name, filters, _ in filters_behind(trace, relu):
            own[name][filters] = True
    whole = np.ones(trace.graph.num_units, bool)
    for name, has_relu in own.items():
        whole[trace.graph.filters(name)[~has_relu]] = False
    if not whole.any():
        raise ValueError(
            f"No filter of {model.name!r} has a ReLU of its own, so that none has FIRE. Compare other methods, with "
            "all_filters=True."
        )
    return {name: 0.0 for name in trace.graph.filter_layers if not whole[trace.graph.filters(name)].any()}
