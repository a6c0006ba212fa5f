"""`Method`, the base class of what decides which filters go in a round, and the registry of methods."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from firekeras.plan.planning import PruningPlan
from firekeras.refusals import Registry

if TYPE_CHECKING:
    import keras

    from firekeras.rounds.engine import Rounds
    from firekeras.rounds.run import Run
    from firekeras.scores.profile import FireProfile

METHODS = Registry("method", "firekeras.methods.register")


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How a method is used as it was published: what differs from the defaults, all of which can be set by hand too.

    Args:
        options: Options of the method.
        settings: Settings of the run, as `firekeras.compress` takes them.
        remark: Sentences on the source, and on what of it no setting here stands for. Defaults to none.

    Example:
    >>> from firekeras.rounds.method import Protocol
    >>> class Half(firekeras.methods.ByScore):
    ...     protocols = {"paper": Protocol({"samples": 50}, {"epochs": 30, "distill": False})}
    """

    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    remark: str = ""


class Method:
    """Decides, round by round, which filters go next. Subclasses override `plan`; the other methods are optional.

    Attributes:
        balance: Overrides the run's `balance` in `run.plan`, from 0 to 1; None keeps the run's.
        dense: Whether units of Dense and other layers that are no convolutions are ranked too, even if no cap names
            their layer. Defaults to True.
        sizes_cuts: Whether the method itself decides how much goes in a round, by something other than the run's
            ratio. A small cut then ends nothing, nor does one that takes as many filters as an undone round did:
            they may be others. Defaults to False.
        profile: The `FireProfile` that was measured last; None if there is none.
        details: What to record about the last round, by name: plain values, for `RoundRecord.details`.
        protocols: Ways to use the method as it was published, by name; `"paper"` is that of its paper.

    Example:
    >>> class SmallestNorms(firekeras.methods.Method):
    ...     def plan(self, model, run):
    ...         return run.plan(model, firekeras.score_filters(model, "l2"))
    >>> result = firekeras.compress(model, train, validation, method=SmallestNorms(), epochs=1)
    """

    balance: float | None = None
    dense: bool = True
    sizes_cuts: bool = False
    profile: FireProfile | None = None
    details: Mapping[str, Any] = {}
    protocols: Mapping[str, Protocol] = {}

    def plan(self, model: keras.Model, run: Run) -> PruningPlan:
        """Decides what goes in the next round.

        Args:
            model: The network as it is now.
            run: The run: `run.plan(model, scores)` makes a plan within all its limits, `run.train_data` are the
                training data, and `run.judged(model)` settles a network and measures its metric.

        Returns:
            The plan; one that removes nothing ends the cutting.
        """
        raise ValueError(f"{type(self).__name__} has no `plan`, which decides what goes. Write one in its class.")

    def check(self, model: keras.Model, train_data: Any) -> None:
        """Called before any long work.

        Args:
            model: The network that the run begins with.
            train_data: The training data, as `fit` takes them.

        Raises:
            ValueError: If the method cannot prune this network.
        """

    def remarks(self, model: keras.Model) -> list[str]:
        """Returns what a user should know of how this method prunes this network, as sentences.

        Args:
            model: The network that the run begins with.
        """
        return []

    def variant(self, tolerance: float) -> str:
        """Returns in a few words, for tables, what a run with this tolerance turns off; empty if nothing."""
        return ""

    def unread(self) -> tuple[str, ...]:
        """Returns the settings of a run that this method does not use: a run with another value is refused."""
        return ()

    def one_shot(self, target: Any) -> bool:
        """Returns whether all goes in a single cut, after which the network trains once and is not judged.

        Args:
            target: The run's `Target`, or None.
        """
        return False

    def prepare(self, model: keras.Model, run: Rounds) -> keras.Model:
        """Returns the network to plan for and to cut: the model itself, unless the method trains a copy first.

        Args:
            model: The network as it is now; it must not be changed.
            run: The run; `run.train_for_method` trains a copy and counts its epochs.
        """
        return model

    def fire_of(self, model: keras.Model, run: Run) -> FireProfile | None:
        """Returns FIRE of the network that a run leaves, for its folder; None if the method does not measure FIRE.

        Args:
            model: The network.
            run: The run, which is over.
        """
        return None

    def state(self) -> dict:
        """Returns what a resumed run needs from the rounds so far, as plain numbers and lists."""
        return {}

    def restore(self, profile: FireProfile | None, state: dict) -> None:
        """Restores what was measured and remembered before a run was interrupted.

        Args:
            profile: The FIRE that was measured last, or None.
            state: What `state` returned after the last finished round.
        """

    def description(self) -> dict:
        """Returns the class and its plain settings, for `run.json`."""
        settings = {name: value for name, value in vars(self).items() if isinstance(value, (bool, int, float, str))}
        return {"class": type(self).__qualname__, **settings}

    @property
    def trains(self) -> bool:
        """Whether the method trains networks of its own between cuts."""
        return type(self).prepare is not Method.prepare


def register(name: str) -> Callable:
    """Registers a method under a name, for `compress`, `compare` and the command line.

    Args:
        name: The name.

    Returns:
        A decorator for the method's class, or for a function that returns a method.

    Example:
    >>> @firekeras.methods.register("l2_norms")
    ... class SmallestNorms(firekeras.methods.Method):
    ...     def plan(self, model, run):
    ...         return run.plan(model, firekeras.score_filters(model, "l2"))
    >>> "l2_norms" in firekeras.methods.names()
    True
    """
    return METHODS.register(name)


def with_defaults(cls: type[Method], *fixed: Any, **defaults: Any) -> Callable:
    """A decorator for a function that makes a method with other defaults: it takes the other options of the class.

    Args:
        cls: The method's class.
        *fixed: Arguments that are always these.
        **defaults: Options that are these unless they are given.

    Returns:
        A decorator. The function gets all options; its signature lists them, with these defaults.
    """

    def decorate(function):
        @functools.wraps(function)
        def make(**options):
            return function(**{**defaults, **options})

        signature = inspect.signature(functools.partial(cls, *fixed, **defaults))
        vars(make).update(__signature__=signature, of=cls)
        return make

    return decorate
