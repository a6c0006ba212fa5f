"""One run of one method: down to the target, and trained for as many epochs as any other."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import time
from collections.abc import Callable, Iterable

import keras

from firekeras import methods
from firekeras.channels.walk import leaf_layers
from firekeras.compare.budget import BudgetSpent, EpochBudget
from firekeras.compare.results import Outcome
from firekeras.compare.settings import ComparisonSettings
from firekeras.costs import count_costs
from firekeras.rounds.engine import compression_rounds
from firekeras.rounds.evaluation import Evaluation
from firekeras.rounds.fine_tuning import FineTuning
from firekeras.rounds.settings import RunSettings
from firekeras.surgery import copied

NO_END = 10**6  # rounds: the target ends a run, or its epochs
BETWEEN_SEEDS = 1000  # runs of different seeds draw nothing alike, though each round has a seed of its own


@dataclasses.dataclass(frozen=True)
class Scratch:
    """The control that was never trained before: the shape of a pruned network, with fresh weights.

    Args:
        epochs: How long it is trained. Defaults to none: as long as the pruned networks are trained
            after they were trained already.
        learning_rate: Of its first epoch. Defaults to none: that of the pruned networks, which may be
            too low for a network at its beginning.
    """

    epochs: int | None = None
    learning_rate: float | None = None


class SameChoice(compression_rounds):
    """Rounds in which the filters of layers that are left alone do not count towards the share that goes.

    Not every criterion scores them: a round would take more filters by one criterion than by another.
    """

    def plan(self, model, scores):
        """A plan for the next round, as in every run."""
        alone = [name for name, cap in self.settings.layer_caps.items() if not cap]
        return super().plan(model, scores.without(alone))


class Contest:
    """What all runs have in common.

    Args:
        model: The trained network that all begin with. It is not changed.
        train_data, validation_data, test_data: As `compare` takes them.
        settings: `ComparisonSettings`.
    """

    def __init__(self, model, train_data, validation_data, test_data, settings: ComparisonSettings):
        self.model, self.settings = model, settings
        self.train_data, self.validation_data, self.test_data = train_data, validation_data, test_data

    def prune(self, label, make: Callable, share, seed) -> tuple[keras.Model, Outcome]:
        """One run of a method.

        Args:
            label: What the results call it.
            make: Gives the method, fresh, for a seed.
            share: What is left of the measure.
            seed: Decides all that is drawn at random.

        Returns:
            The network that came out, and what it came to.
        """
        start, budget = time.monotonic(), self._budget(seed)
        rounds = SameChoice(
            compiled_afresh(self.model, copied(self.model), budget.learning_rate),
            self.train_data,
            self.validation_data,
            method=make(seed),
            target={self.settings.measure: share},
            tolerance=math.inf,
            backtracks=0,
            max_rounds=NO_END,
            seed=BETWEEN_SEEDS * seed,
            **self._run(budget),
        )
        with contextlib.suppress(BudgetSpent):  # a method may train on its own, in the middle of a round
            for _ in rounds:
                if budget.left < self.settings.epochs_per_round:
                    break
        notes = [*self._stopped_short(rounds, share), *self._train(rounds.best, rounds.settings, budget)]
        run = {"share": share, "seed": seed, "rounds": len(rounds.records), "notes": notes}
        return rounds.best, self._outcome(label, rounds.best, budget, start, run)

    def scratch(self, label, control: Scratch, pruned, share, seed) -> tuple[keras.Model, Outcome]:
        """One run of the control: the shape of a pruned network, from fresh weights; arguments as of `prune`."""
        start, budget = time.monotonic(), self._budget(seed, control.epochs, control.learning_rate)
        network = compiled_afresh(self.model, with_fresh_weights(pruned), budget.learning_rate)
        notes = self._train(network, RunSettings.of(network, self._run(budget)), budget)
        run = {"share": share, "seed": seed, "notes": notes}
        return network, self._outcome(label, network, budget, start, run)

    def check(self, makers: Iterable[Callable]):
        """Raises `ValueError` where one of the methods cannot do with this network, or these data."""
        for make in makers:
            methods.check(make(self.settings.seeds[0]), self.model, self.train_data)

    def test(self, network) -> float:
        """The metric on the test data."""
        return self._measured(network, self.test_data)

    def validate(self, network) -> float:
        """The metric on the validation data."""
        return self._measured(network, self.validation_data)

    def _budget(self, seed, epochs=None, learning_rate=None):
        keras.utils.set_random_seed(BETWEEN_SEEDS * seed)
        return EpochBudget(epochs or self.settings.epochs, learning_rate or self.settings.learning_rate)

    def _run(self, budget):
        own = self.settings.run.get("callbacks") or []
        return {**self.settings.run, "callbacks": [budget, *keras.tree.flatten(own)]}

    def _train(self, network, settings, budget) -> list[str]:
        """Spends the epochs that are left; returns what there is to say of it."""
        if not budget.left:
            return []
        rest = dataclasses.replace(settings, epochs_per_round=budget.left)
        loss = FineTuning(rest, self.train_data, self.model).train(network, [])
        return [] if math.isfinite(loss) else ["Its training diverged: the loss is not a number."]

    def _stopped_short(self, rounds, share) -> list[str]:
        measure = self.settings.measure
        before, after = (getattr(costs, measure) for costs in (rounds.costs_before, count_costs(rounds.best)))
        if after <= share * before:
            return []
        why = rounds.stopped_because or "Its epochs were spent."
        return [f"It stopped short of {share}, with {after / before:.3f} left. {why}"]

    def _measured(self, network, data):
        batch_size = self.settings.run.get("batch_size")
        return Evaluation(data, self.settings.monitor, math.inf, batch_size=batch_size).measured(network)

    def _outcome(self, label, network, budget, start, run) -> Outcome:
        seconds, costs = time.monotonic() - start, count_costs(network)
        return Outcome(
            method=label,
            measure=self.settings.measure,
            test=self.test(network),
            validation=self.validate(network),
            conv_macs=costs.conv_macs,
            macs=costs.macs,
            params=costs.params,
            epochs=budget.spent,
            seconds=seconds,
            **run,
        )


def compiled_afresh(model, network, learning_rate):
    """Compiles a network like another, with an optimizer that has not taken a step yet; returns it."""
    settings = dict(model._compile_config.config)
    settings["optimizer"] = _fresh_optimizer(model.optimizer, learning_rate)
    for kind in ("metrics", "weighted_metrics"):
        settings[kind] = keras.tree.map_structure(_fresh_metric, settings.get(kind))
    network.compile(**settings)
    return network


def _fresh_optimizer(optimizer, learning_rate):
    config = optimizer.get_config()
    if "inner_optimizer" in config:  # of mixed precision
        inner = _fresh_optimizer(optimizer.inner_optimizer, learning_rate)
        config["inner_optimizer"] = keras.saving.serialize_keras_object(inner)
        return type(optimizer).from_config(config)
    return type(optimizer).from_config({**config, "learning_rate": learning_rate})


def _fresh_metric(metric):
    return type(metric).from_config(metric.get_config()) if isinstance(metric, keras.Metric) else metric


def with_fresh_weights(network):
    """The same network, initialised anew; layers without anything to train keep what they hold."""
    fresh = keras.models.clone_model(network)
    twins = dict(leaf_layers(fresh))
    for path, layer in leaf_layers(network):
        trains = layer.trainable_variables or isinstance(layer, keras.layers.BatchNormalization)
        if layer.variables and not trains:
            twins[path].set_weights(layer.get_weights())
            if isinstance(layer, keras.layers.Normalization):
                twins[path].finalize_state()  # it computes with constants made of its weights
    return fresh


def factories(names) -> dict[str, Callable | Scratch]:
    """For each method by name, a function of the seed that makes it; the control `"scratch"` as a `Scratch`."""
    names = [names] if isinstance(names, str) else list(names)
    for name in names:
        if not isinstance(name, str):
            raise ValueError(
                f"methods are names, or functions of the seed by name, since each run needs a fresh method: "
                f"{{'mine': lambda seed: {type(name).__name__}(...)}}. Received an object in their place."
            )
        if name != "scratch":
            methods.get(name)  # which names the nearest where there is none
    return {name: Scratch() if name == "scratch" else functools.partial(methods.seeded, name) for name in names}
