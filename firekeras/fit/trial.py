"""A round inside `fit`, from its cut to its judgement."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

from firekeras.plan.planning import PruningPlan
from firekeras.rounds.records import RoundRecord


@dataclasses.dataclass
class Trial:
    """A round that has not been judged yet.

    Args:
        plan: The plan that was cut.
        arrives: Whether the network is at the target.
        wanted: The number of epochs after which the round is judged.
        before: The network before the cut, to come back to.
        settler: The settler of that network.
        details: What the method recorded about the round.
        epochs: How many epochs the network has trained. Defaults to 0.
        helped: Whether it has already been given more epochs. Defaults to False.
        value: Its last known metric. Defaults to NaN.
        rejected: Whether it is going to be undone. Defaults to False.
        began: When it was cut, in seconds of the monotonic clock.
    """

    plan: PruningPlan
    arrives: bool
    wanted: int
    before: dict
    settler: Any
    details: dict
    epochs: int = 0
    helped: bool = False
    value: float = float("nan")
    rejected: bool = False
    began: float = dataclasses.field(default_factory=time.monotonic)

    def record(self, run, model, accepted, value) -> RoundRecord:
        """The record of the round.

        Args:
            run: The `Run`.
            model: The model that `fit` trains.
            accepted: Whether the round is kept.
            value: The metric of the network.
        """
        return run.record(
            self.plan,
            accepted=accepted,
            accuracy_after_cut=float("nan"),
            accuracy=value,
            seconds=time.monotonic() - self.began,
            model=model,
            details=self.details,
            epochs=self.epochs,
        )
