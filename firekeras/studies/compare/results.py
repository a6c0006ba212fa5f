"""What came out of a comparison: of each run, and over all seeds."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from firekeras.rounds.monitor import lower_is_better

LISTED = 3  # runs by name; more are counted


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one run of one method came to.

    Args:
        method: What it is called.
        measure: What the target is in: `"macs"`, `"conv_macs"` or `"params"`.
        share: How much of it was to be left.
        seed: What decided all that was drawn at random.
        test: The metric on the test data; NaN if it is not a number.
        validation: The same on the validation data.
        conv_macs, macs, params: Of the network that came out.
        epochs: Epochs of training in all, those of a method by itself too.
        seconds: How long it took, without the last measurement.
        rounds: How many cuts there were.
        reached: Whether it came down to the share.
        notes: What there is to say of it, such as that it did not reach the target.
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

    @property
    def key(self) -> tuple[str, float, int]:
        """What tells one run from another."""
        return self.method, self.share, self.seed

    @classmethod
    def of(cls, told: dict[str, Any]) -> Outcome:
        """The outcome that a line of `results.jsonl` holds; null stands for NaN."""
        numbers: dict[str, Any] = {name: math.nan for name, value in told.items() if value is None}
        return cls(**{**told, **numbers})


@dataclasses.dataclass(frozen=True)
class Summary:
    """All runs of one method down to one share.

    Args:
        method, share: Of the runs.
        runs: How many there were.
        mean: Of the metric on the test data; NaN if it is that in any run.
        deviation: Its sample standard deviation; NaN of a single run.
        left: Share of the measure that was left, on average.
        also: The same of the parameters; of the MACs, if the measure is parameters.
        epochs: The most that any of them trained.
        seconds: How long one took, on average.
        short: How many of the runs stopped short of the share.
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


@dataclasses.dataclass
class Comparison:
    """What a comparison came to; `firekeras.compare` has an example.

    Args:
        monitor: The metric by which all are compared.
        measure: What the targets are in.
        baseline: The metric of the network that all began with, settled, on the test data.
        before: Its costs: `conv_macs`, `macs` and `params`.
        terms: What was the same for all, in words.
        outcomes: An `Outcome` per run.
    """

    monitor: str
    measure: str
    baseline: float
    before: dict[str, int]
    terms: list[str]
    outcomes: list[Outcome] = dataclasses.field(default_factory=list)

    def summaries(self) -> list[Summary]:
        """A summary per share and method: shares descending, then the best mean first, as it comes out.

        Methods that stopped short of the share in some run come after those that did not.
        """
        runs: dict[tuple, list[Outcome]] = {}
        for one in self.outcomes:
            runs.setdefault((one.share, one.method), []).append(one)
        found = [self._summary(share, method, some) for (share, method), some in runs.items()]
        best_first = 1 if lower_is_better(self.monitor) else -1
        return sorted(found, key=lambda one: (-one.share, one.short > 0, math.isnan(one.mean), best_first * one.mean))

    def _summary(self, share, method, runs) -> Summary:
        tests = [one.test for one in runs]
        return Summary(
            method=method,
            share=share,
            runs=len(runs),
            mean=float(np.mean(tests)),
            deviation=float(np.std(tests, ddof=1)) if len(runs) > 1 else math.nan,
            left=float(np.mean([self.left(one) for one in runs])),
            also=self._left(runs, "macs" if self.measure == "params" else "params"),
            epochs=max(one.epochs for one in runs),
            seconds=float(np.mean([one.seconds for one in runs])),
            short=sum(not one.reached for one in runs),
        )

    def left(self, one: Outcome) -> float:
        """The share of the measure that a run left."""
        return getattr(one, self.measure) / self.before[self.measure]

    def _left(self, runs, cost):
        return float(np.mean([getattr(one, cost) for one in runs])) / self.before[cost]

    @property
    def notes(self) -> list[str]:
        """What there is to say of single runs; what holds for many of them is said once."""
        runs: dict[str, list[str]] = {}
        for one in self.outcomes:
            for note in one.notes:
                runs.setdefault(note, []).append(f"{one.method}, seed {one.seed}")
        return [f"{_who(some)}: {note}" for note, some in runs.items()]


def _who(runs):
    return "; ".join(runs) if len(runs) <= LISTED else f"{len(runs)} runs"
