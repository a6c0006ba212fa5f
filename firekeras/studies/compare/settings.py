"""What all runs of a comparison share, checked before any long work."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from firekeras.arguments import short
from firekeras.channels import channel_graph
from firekeras.channels.costs import SHOWN, count_costs
from firekeras.network import Network
from firekeras.plan.caps import resolve_caps
from firekeras.plan.goals import checked_target, is_share
from firekeras.refusals import checked_whole
from firekeras.rounds.learning_rate import peak_rate
from firekeras.rounds.run import dense_alone
from firekeras.rounds.settings import RunSettings
from firekeras.rounds.targets import Target
from firekeras.scores.fire.measuring import filters_behind

SET_HERE = ("pruning_ratio", "backtracks", "max_rounds", "seed", "fine_tune", "evaluate")
NO_END = 10**6  # rounds: a run ends with its target or its epochs
BETWEEN_SEEDS = 1000  # each round adds 1 to the seed, so seeds this far apart never share one


@dataclasses.dataclass(frozen=True)
class ComparisonSettings:
    """What all runs of a comparison share.

    Args:
        measure: A cost that reports show, such as `"macs"` or `"ram"`.
        shares: The shares of it that are left in the end, each a comparison of its own.
        seeds: The seeds, one run of each method per seed.
        epochs: Epochs of training per run.
        tolerance: What methods that watch a tolerance aim at; no cut is undone because of it.
        learning_rate: The learning rate to begin with.
        run: Settings of `compress` that all runs share, including arguments for `model.fit`.
    """

    measure: str
    shares: tuple[float, ...]
    seeds: tuple[int, ...]
    epochs: int
    tolerance: float
    learning_rate: float
    run: Mapping[str, Any]

    @classmethod
    def of(
        cls, model, target, seeds, epochs, *, tolerance=0.01, learning_rate=None, all_filters=False, **run
    ) -> ComparisonSettings:
        """Makes settings from the arguments of `compare`."""
        _check_not_set_here(run)
        epochs = checked_whole("epochs", epochs, 1)
        if not all_filters:
            run["layer_caps"] = caps_of_candidates(model, run.get("layer_caps") or {})
        measure, shares = _checked_shares(target)
        rate = peak_rate(model.optimizer, learning_rate)
        settings = cls(measure, shares, _checked_seeds(seeds), epochs, tolerance, rate, run)
        settings._check_runs(model)
        return settings

    def of_run(self, share: float, seed: int) -> dict:
        """The settings of one run, as `compression_rounds` takes them."""
        own = {"tolerance": self.tolerance, "max_rounds": NO_END, "seed": BETWEEN_SEEDS * seed}
        common = {"epochs": self.epochs, "learning_rate": self.learning_rate}
        return {**self.run, **common, **own, "target": {self.measure: share}}

    def _check_runs(self, model):
        """Raises `ValueError` for invalid settings of runs, and for targets out of reach."""
        graph = channel_graph(model)
        for share in self.shares:
            settings = RunSettings.of(model, self.of_run(share, 0))
            limits = {name: getattr(settings, name) for name in ("layer_caps", "round_to", "min_keep")}
            target = Target.of(settings.target or {}, model, count_costs(graph))
            target.check_feasible(model, graph, original_widths=graph.sizes, **limits)

    def to_dict(self) -> dict:
        """All settings but the ones that may grow: shares and seeds."""
        return {name: getattr(self, name) for name in ("measure", "epochs", "tolerance", "learning_rate", "run")}


def _check_not_set_here(run):
    ours = [name for name in SET_HERE if name in run]
    if ours:
        raise ValueError(
            f"{ours[0]} cannot be set here: the target sizes the cuts and ends a run, no cut is undone, and all runs "
            "are trained and measured in the same way. Leave it out."
        )


def _checked_seeds(seeds) -> tuple[int, ...]:
    if not isinstance(seeds, Iterable):
        return tuple(range(checked_whole("seeds, how many runs each method has,", seeds, 1)))
    numbers = tuple(seeds)
    if not numbers:
        raise ValueError(
            "seeds is how many runs each method has, at least 1, or a list of seeds. Received an empty one."
        )
    numbers = tuple(checked_whole("Each of seeds", seed, 0) for seed in numbers)
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"seeds must differ: equal ones give equal runs. Received: {short(numbers)}.")
    return numbers


def _checked_shares(target):
    if not isinstance(target, Mapping):
        raise ValueError(f"target must be a dict {{measure: share}}, such as {{'macs': 0.5}}. Received: {target!r}.")
    measure, shares = next(iter(target.items())) if target else ("", ())
    shares = tuple(shares) if isinstance(shares, Iterable) else (shares,)
    for share in shares or (0,):
        checked_target({**dict(target), measure: share}, tuple(SHOWN))
    if len(target) > 1 or not all(map(is_share, shares)):
        raise ValueError(
            f"A comparison takes shares of one cost, such as {{'macs': [0.5, 0.3]}}. Received: {target!r}."
        )
    return measure, shares


def _reasons(network):
    reasons = [f"{name}: {reason}" for name, reason in list(network.unscored.items())[:3]]
    return "; ".join(reasons) or network.graph.why_none()


def caps_of_candidates(model, caps: Mapping[str, float]) -> dict[str, float]:
    """Caps that leave all methods the same filters to choose from: those of convolutions that have FIRE.

    Layers that `caps` name may lose filters whatever they are, unless these have no FIRE; so may dense layers if no
    convolution may.
    """
    graph, unscored = channel_graph(model), left_alone(model)
    dense = dense_alone(graph, resolve_caps(graph, caps))
    others = set(graph.filter_layers) - unscored.keys() - set(dense)
    return {**caps, **unscored, **(dict.fromkeys(dense, 0.0) if others else {})}


def left_alone(model) -> dict[str, float]:
    """Caps for the layers whose filters have no FIRE, or go only together with others that have none."""
    network = Network.of(model)
    own = {name: np.zeros(width, bool) for name, width in network.graph.widths.items()}
    for relu in network.relus:
        for name, filters, _ in filters_behind(network, relu):
            own[name][filters] = True
    whole = np.ones(network.graph.num_units, bool)
    for name, has_relu in own.items():
        whole[network.graph.filters(name)[~has_relu]] = False
    if not whole.any():
        raise ValueError(
            f"No filter of {model.name!r} has a ReLU of its own, so none has FIRE: "
            f"{_reasons(network)}. Compare other methods, with all_filters=True."
        )
    return {name: 0.0 for name in network.graph.filter_layers if not whole[network.graph.filters(name)].any()}
