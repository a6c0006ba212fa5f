"""One run of one method: down to the target, with as many epochs of training as any other."""

from __future__ import annotations

import dataclasses
import functools
import math
import time
from collections.abc import Callable, Iterable
from typing import Any

import keras

from firekeras.channels.costs import count_costs
from firekeras.channels.walk import leaf_layers
from firekeras.keras_models.compiling import compile_with_fresh_optimizer
from firekeras.keras_models.state import copy_state, learns
from firekeras.network import Network
from firekeras.plan.planning import PruningPlan
from firekeras.quiet import without_retracing_warnings
from firekeras.recovery.batch_statistics import Settler
from firekeras.rounds.engine import Rounds
from firekeras.rounds.evaluation import Evaluation
from firekeras.rounds.fine_tuning import FineTuning
from firekeras.rounds.repeatable import reseed
from firekeras.rounds.settings import RunSettings
from firekeras.rounds.time_spent import TimeSpent
from firekeras.scores.profile import FilterScores
from firekeras.studies.compare.entries import Scratch, Unpruned
from firekeras.studies.compare.results import Outcome
from firekeras.studies.compare.settings import BETWEEN_SEEDS, ComparisonSettings


@dataclasses.dataclass(frozen=True)
class Trial:
    """One run to do.

    Args:
        label: The name of the method in the results.
        entry: A function of the seed that makes a method, a `Scratch` or an `Unpruned`.
        share: The share of the measure that is to be left.
        seed: Seeds everything that is drawn at random.
        pruned: For `Scratch`, the network whose shape it takes. Defaults to None.
    """

    label: str
    entry: Any
    share: float
    seed: int
    pruned: keras.Model | None = None

    @property
    def key(self) -> tuple[str, float, int]:
        """What identifies the run, as `Outcome.key`."""
        return self.label, self.share, self.seed


class SameChoice(Rounds):
    """Rounds that leave the filters of layers with a cap of 0 out of the ranking.

    Not every criterion scores those filters, so ranks would be relative to more filters for some criteria than for
    others.
    """

    def plan(self, model: keras.Model, scores: FilterScores) -> PruningPlan:
        """A plan for the next round, as in every run."""
        alone = [name for name, cap in self.settings.layer_caps.items() if not cap]
        return super().plan(model, scores.without(alone))


class Contest:
    """Does the runs of a comparison, under the same conditions.

    Args:
        model: The trained network that all runs begin with. It is not changed.
        train_data, validation_data, test_data: As `compare` takes them.
        settings: `ComparisonSettings`.
    """

    def __init__(
        self, model: keras.Model, train_data: Any, validation_data: Any, test_data: Any, settings: ComparisonSettings
    ):
        self.model, self.settings = model, settings
        self.train_data, self.validation_data, self.test_data = train_data, validation_data, test_data

    def __getstate__(self):
        """For other processes: the baseline stays here, though the name of its metric goes along."""
        return {**{name: value for name, value in vars(self).items() if name != "baseline"}, "monitor": self.monitor}

    @without_retracing_warnings()
    def run(self, trial: Trial) -> tuple[keras.Model, Outcome]:
        """Does one run; returns the final network, and the `Outcome`."""
        if isinstance(trial.entry, Scratch):
            return self.scratch(trial.label, trial.entry, trial.pruned, trial.share, trial.seed)
        if isinstance(trial.entry, Unpruned):
            return self.unpruned(trial.label, trial.seed)
        return self.prune(trial.label, trial.entry, trial.share, trial.seed)

    @functools.cached_property
    def baseline(self) -> keras.Model:
        """The network that all runs begin with, settled."""
        network = Network.of(self.model).copy(compiled=True)
        self._settle(network)
        return network

    @functools.cached_property
    def monitor(self) -> str:
        """The metric to compare by: that of the settings, else the one that `compress` would pick."""
        evaluation = self._evaluation(self.validation_data, self.settings.run.get("monitor"))
        evaluation.measured(self.baseline)
        return evaluation.monitor

    def prune(self, label, make: Callable, share, seed) -> tuple[keras.Model, Outcome]:
        """Runs a method once.

        Args:
            label: The name of the method in the results.
            make: A function of the seed that makes a new method.
            share: The share of the measure that is to be left.
            seed: Seeds everything that is drawn at random.

        Returns:
            The final network, and the `Outcome`.
        """
        start = self._begin(seed)
        settings = {**self.settings.of_run(share, seed), "monitor": self.monitor, **getattr(make, "settings", {})}
        method = make(seed)
        rounds = SameChoice(self.model, self.train_data, self.validation_data, method=method, **settings)
        cuts = sum(record.filters_removed > 0 for record in rounds)
        short = self._stopped_short(rounds, share)
        run = {
            "variant": method.variant(settings["tolerance"]),
            "rounds": cuts,
            "choosing": rounds.time.seconds.get("measuring", 0.0),
            "reached": not short,
            "notes": [*short, *_gained_nothing(rounds), *rounds.notes],
        }
        return rounds.best, self._outcome(label, share, seed, start, rounds.best, epochs=rounds.epochs_spent, **run)

    def scratch(self, label, control: Scratch, pruned, share, seed) -> tuple[keras.Model, Outcome]:
        """Trains the shape of a pruned network from fresh weights; arguments as for `prune`."""
        start = self._begin(seed)
        rate, epochs = control.learning_rate or self.settings.learning_rate, control.epochs or self.settings.epochs
        network = with_fresh_weights(pruned)
        compile_with_fresh_optimizer(self.model, network, rate)
        notes = self._train(network, seed, epochs, rate)
        return network, self._outcome(label, share, seed, start, network, epochs=epochs, notes=notes)

    def unpruned(self, label, seed) -> tuple[keras.Model, Outcome]:
        """Trains the unpruned network; arguments as for `prune`."""
        start, epochs = self._begin(seed), self.settings.epochs
        network = Network.of(self.model).copy(compiled=True)
        notes = self._train(network, seed, epochs, self.settings.learning_rate)
        return network, self._outcome(label, 1.0, seed, start, network, epochs=epochs, notes=notes)

    def check(self, makers: Iterable[Callable]):
        """Raises `ValueError` if one of the methods cannot handle this network or these data."""
        for make in makers:
            make(self.settings.seeds[0]).check(self.model, self.train_data)

    def test(self, network: keras.Model) -> float:
        """The metric on the test data."""
        return self._evaluation(self.test_data, self.monitor).measured(network)

    def validate(self, network: keras.Model) -> float:
        """The metric on the validation data."""
        return self._evaluation(self.validation_data, self.monitor).measured(network)

    def _begin(self, seed):
        keras.utils.set_random_seed(BETWEEN_SEEDS * seed)
        return time.monotonic()

    def _train(self, network, seed, epochs, learning_rate) -> list[str]:
        """Trains a control along the learning rates of a run, and settles it; returns notes on it."""
        settings = RunSettings.of(network, {**self.settings.run, "learning_rate": learning_rate, "epochs": epochs})
        tuning = FineTuning(settings, self.train_data, network, epochs, TimeSpent())
        tuning.prepare(network)
        reseed(network, BETWEEN_SEEDS * seed, 0)
        if not math.isfinite(tuning.train(network, epochs)):
            return ["Training diverged: the loss is not a number."]
        return self._settle(network)

    def _settle(self, network) -> list[str]:
        return Settler(network, self.train_data, batch_size=self.settings.run.get("batch_size")).settle()

    def _stopped_short(self, rounds, share) -> list[str]:
        before, after = (getattr(costs, self.settings.measure) for costs in (rounds.costs_before, rounds.costs))
        if after <= share * before:
            return []
        return [f"Stopped short of {share:g}, with {after / before:.3f} left. {rounds.stopped_because}"]

    def _evaluation(self, data, monitor):
        return Evaluation(data, monitor, math.inf, batch_size=self.settings.run.get("batch_size"))

    def _outcome(self, label, share, seed, start, network, **run: Any) -> Outcome:
        seconds = time.monotonic() - start
        run |= count_costs(network).totals
        return Outcome(
            method=label,
            measure=self.settings.measure,
            share=share,
            seed=seed,
            test=self.test(network),
            validation=self.validate(network),
            seconds=seconds,
            **run,
        )


def _gained_nothing(rounds) -> list[str]:
    last = rounds.records[-1] if rounds.records else None
    if last is None or last.kept != "cut":
        return []
    return ["Training did not improve the network: it is as it was, settled, right after the last cut."]


def with_fresh_weights(network):
    """A copy of a network with fresh weights; layers without trainable weights keep theirs."""
    fresh = keras.models.clone_model(network)
    twins = dict(leaf_layers(fresh))
    for path, layer in leaf_layers(network):
        if layer.variables and not learns(layer):
            copy_state(layer, twins[path])
    return fresh
