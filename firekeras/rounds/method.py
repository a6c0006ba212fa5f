"""What decides which filters go in a round: the class that methods derive from, and their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from firekeras.plan.planning import PruningPlan
from firekeras.refusals import Registry

if TYPE_CHECKING:
    from firekeras.scores.profile import FireProfile

METHODS = Registry("method", "firekeras.methods.register")


class Method:
    """Says, round by round, which filters go next. Derive from it, and write `plan`.

    Attributes:
        balance: How `run.plan` ranks, in place of the run's own `balance`; None for that one.
        profile: The `FireProfile` that was measured last; None if none was.
        details: What there is to say of the last round, for its record.

    Example:
    >>> class SmallestNorms(firekeras.methods.Method):
    ...     def plan(self, model, run):
    ...         return run.plan(model, firekeras.score_filters(model, "l2"))
    >>> result = firekeras.compress(model, train, validation, method=SmallestNorms(), epochs=1)
    """

    balance: float | None = None
    profile: FireProfile | None = None
    details: Mapping[str, Any] = {}

    def plan(self, model, run) -> PruningPlan:
        """Says what goes next.

        Args:
            model: The network as it is now.
            run: The run: `run.plan(model, scores)` makes a plan within all its limits, `run.train_data` are the
                data, `run.judged(model)` settles a network and measures the metric.
        """
        raise NotImplementedError

    def check(self, model, train_data):
        """Raises `ValueError` if the method can do nothing with this network; called before any long work."""

    def prepare(self, model, run):
        """The network to plan for and to cut; a method may train a copy in its own way, by `run.train_for_method`."""
        return model

    def state(self) -> dict:
        """What to remember from round to round if a run is killed and resumed, as plain numbers and lists."""
        return {}

    def restore(self, profile: FireProfile | None, state: dict):
        """Takes up what was measured and remembered before a run was killed."""

    def description(self) -> dict:
        """The class and its plain settings, for `run.json`."""
        settings = {name: value for name, value in vars(self).items() if isinstance(value, (bool, int, float, str))}
        return {"class": type(self).__qualname__, **settings}

    @property
    def trains(self) -> bool:
        """Whether it trains networks of its own between cuts."""
        return type(self).prepare is not Method.prepare


def register(name: str):
    """Registers a method under a name, for `compress`, `compare` and the command line.

    Args:
        name: The name.

    Example:
    >>> @firekeras.methods.register("l2_norms")
    ... class SmallestNorms(firekeras.methods.Method):
    ...     def plan(self, model, run):
    ...         return run.plan(model, firekeras.score_filters(model, "l2"))
    >>> "l2_norms" in firekeras.methods.names()
    True
    """

    return METHODS.register(name)
