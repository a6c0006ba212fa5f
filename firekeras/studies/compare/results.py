"""The results of a comparison: of each run, and over all seeds."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from firekeras.rounds.monitor import lower_is_better

LISTED = 3  # a note names up to this many runs; more are only counted


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The outcome of one run of one method.

    Args:
        method: The name of the method.
        measure: The measure of the target, such as `"macs"` or `"ram"`.
        share: The share of it that was to be left, above 0 and up to 1.
        seed: The seed of everything that was drawn at random.
        test: The metric on the test data; NaN if it is not a number.
        validation: The metric on the validation data.
        conv_macs, macs, params, ram, flash: The costs of the final network; the last two None in older results.
        epochs: Epochs of training in total, including those of the method itself.
        seconds: How long the run took, without the final measurements.
        rounds: How many cuts there were. Defaults to 0.
        reached: Whether the network came down to the share. Defaults to True.
        notes: Sentences about the run, for example why it did not reach the target.
        variant: What of the method a comparison turns off, such as `"controller off"`. Defaults to nothing.
        choosing: The seconds of these that the method spent on choosing filters, beside all training. Defaults to 0.

    Example:
    >>> comparison = firekeras.compare(model, train, validation, test, methods=("l1",), seeds=1, epochs=1)
    >>> accuracies = {outcome.key: outcome.test for outcome in comparison.outcomes}
    """

    method: str
    measure: str
    share: float
    seed: int
    test: float
    validation: float
    conv_macs: int
    macs: int
    params: int
    epochs: int
    seconds: float
    rounds: int = 0
    reached: bool = True
    notes: list[str] = dataclasses.field(default_factory=list)
    ram: int | None = None
    flash: int | None = None
    variant: str = ""
    choosing: float = 0.0

    @property
    def key(self) -> tuple[str, float, int]:
        """What identifies a run: `(method, share, seed)`."""
        return self.method, self.share, self.seed

    @classmethod
    def of(cls, line: dict[str, Any]) -> Outcome:
        """The outcome in a parsed line of `results.jsonl`; null stands for NaN, or for a cost that is unknown."""
        unknown = {name for name, value in line.items() if value is None} - {"ram", "flash"}
        return cls(**{**line, **dict.fromkeys(unknown, math.nan)})


@dataclasses.dataclass(frozen=True)
class Summary:
    """A summary of all runs of one method down to one share.

    Args:
        method, share: The method and the share of the runs.
        runs: How many runs there were.
        mean: The mean of the metric on the test data; NaN if it is NaN in any run.
        deviation: The sample standard deviation; NaN for a single run.
        left: The share of the measure that was left, on average.
        also: The share of the parameters that was left; of the MACs, if the measure is parameters.
        epochs: The most epochs that any of the runs trained.
        seconds: How long a run took, on average.
        short: How many of the runs stopped short of the share. Defaults to 0.
        variant: As of the runs. Defaults to nothing.
        choosing: The seconds that a run spent on choosing filters, on average. Defaults to 0.
    """

    method: str
    share: float
    runs: int
    mean: float
    deviation: float
    left: float
    also: float
    epochs: int
    seconds: float
    short: int = 0
    variant: str = ""
    choosing: float = 0.0


@dataclasses.dataclass
class Comparison:
    """The results of a comparison; `firekeras.compare` has an example.

    Args:
        monitor: The name of the metric that was compared.
        measure: The measure of the targets, such as `"macs"` or `"ram"`.
        baseline: The metric on the test data of the network that all runs began with, settled.
        before: The costs of that network, by the names that reports show.
        terms: Sentences on what all runs shared.
        outcomes: An `Outcome` per run.
    """

    monitor: str
    measure: str
    baseline: float
    before: dict[str, int]
    terms: list[str]
    outcomes: list[Outcome] = dataclasses.field(default_factory=list)

    def summaries(self) -> list[Summary]:
        """Returns a summary per share and method: shares descending, and within a share the best mean first.

        Methods that stopped short of the share in some run come after those that did not.
        """
        runs: dict[tuple, list[Outcome]] = {}
        for outcome in self.outcomes:
            runs.setdefault((outcome.share, outcome.method), []).append(outcome)
        summaries = [self._summary(share, method, outcomes) for (share, method), outcomes in runs.items()]
        sign = 1 if lower_is_better(self.monitor) else -1
        return sorted(summaries, key=lambda row: (-row.share, row.short > 0, math.isnan(row.mean), sign * row.mean))

    def _summary(self, share: float, method: str, runs: Sequence[Outcome]) -> Summary:
        tests = [run.test for run in runs]
        return Summary(
            method=method,
            share=share,
            runs=len(runs),
            mean=float(np.mean(tests)),
            deviation=float(np.std(tests, ddof=1)) if len(runs) > 1 else math.nan,
            left=float(np.mean([self.left(run) for run in runs])),
            also=self._left(runs, self.beside),
            epochs=max(run.epochs for run in runs),
            seconds=float(np.mean([run.seconds for run in runs])),
            short=sum(not run.reached for run in runs),
            variant=runs[0].variant,
            choosing=float(np.mean([run.choosing for run in runs])),
        )

    @property
    def beside(self) -> str:
        """The cost that is shown next to the measure."""
        return "macs" if self.measure == "params" else "params"

    def left(self, outcome: Outcome) -> float:
        """The share of the measure that was left by a run, from 0 to 1."""
        return getattr(outcome, self.measure) / self.before[self.measure]

    def _left(self, runs, cost):
        return float(np.mean([getattr(run, cost) for run in runs])) / self.before[cost]

    @property
    def notes(self) -> list[str]:
        """Notes on single runs; a note that applies to several runs appears once."""
        runs: dict[str, list[str]] = {}
        for outcome in self.outcomes:
            for note in outcome.notes:
                runs.setdefault(note, []).append(f"{outcome.method}, seed {outcome.seed}")
        return [f"{_listed(labels)}: {note}" for note, labels in runs.items()]


def _listed(labels):
    return "; ".join(labels) if len(labels) <= LISTED else f"{len(labels)} runs"
