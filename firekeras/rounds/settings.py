"""The settings of a run, checked before any long work. Imports no Keras."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from firekeras.arguments import checked_type
from firekeras.channels.costs import COSTS
from firekeras.channels.latency_table import LatencyTable
from firekeras.plan.goals import TIMES, checked_target
from firekeras.plan.planning import check_limits
from firekeras.refusals import (
    HOLD_OUT,
    SIMILAR,
    check_batch_size,
    check_number,
    check_share,
    checked_whole,
    nearest,
    suggestion,
)
from firekeras.rounds.monitor import check_tolerance
from firekeras.rounds.rate_schedules import get_schedule

if TYPE_CHECKING:
    import keras

LATENCIES = ("latency", *TIMES)
LATENCY, LITERT_LATENCY = LATENCIES
MEASURES = (*COSTS, *TIMES)
NOT_FOR_FIT = {"x", "y", "sample_weight", "epochs", "validation_data", "validation_split", "initial_epoch"}
WHOLE = {"round_to": 1, "max_rounds": 1, "backtracks": 0, "seed": 0}  # the least of each
SPLIT = "validation_split"
STEPS = ("steps_per_epoch", "validation_steps")  # arguments of fit that also bound what is measured and judged
WATCHERS = {"EarlyStopping", "ModelCheckpoint"}  # callbacks of Keras
SET_RATES = {"LearningRateScheduler", "ReduceLROnPlateau"}
BESIDE_SAMPLES = {"sample_weight": "(x, y, weights)", "y": "(x, y)"}  # fit takes them beside x
SHORT_FOR = {  # names that people try
    "lr": "learning_rate",
    "ratio": "pruning_ratio",
    "caps": "layer_caps",
}
NO_LIMIT_IF_NONE = ("epochs", "epochs_per_round")


@dataclasses.dataclass(frozen=True)
class RunSettings:
    """The settings of a run. `firekeras.compress` documents each of them, with units, ranges and defaults.

    `fit` holds the arguments for `model.fit`. The constructor checks nothing: `of` and `checked` do.

    Example:
    >>> from firekeras.rounds.settings import RunSettings
    >>> settings = RunSettings.of(model, {"target": {"conv_macs": 0.5}, "epochs": 8, "batch_size": 64})
    >>> settings.epochs, settings.fit
    (8, {'batch_size': 64})
    """

    target: Mapping[str, float | str] | None = None
    tolerance: float = 0.01
    epochs: int | None = 20
    learning_rate: float | None = None
    schedule: str | Callable[[float], float] = "cosine"
    distill: bool | None = None
    pruning_ratio: float | None = None
    layer_caps: Mapping[str, float] = dataclasses.field(default_factory=dict)
    round_to: int = 1
    min_keep: float = 0.1
    max_cut: float = 0.5
    balance: float = 1.0
    favour_macs: float = 0.0
    latency: LatencyTable | None = None
    epochs_per_round: int | None = None
    max_rounds: int = 100
    backtracks: int = 3
    monitor: str | None = None
    recovery: tuple[str, ...] | None = None
    fine_tune: Callable[[keras.Model], Any] | None = None
    evaluate: Callable[[keras.Model], float] | None = None
    seed: int = 0
    fit: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, model, keywords: Mapping[str, Any]) -> RunSettings:
        """Makes settings from keywords, and checks them.

        Args:
            model: The model of the run, whose `fit` gets what is not a setting.
            keywords: Settings by name, and arguments for `model.fit`.

        Returns:
            The settings.

        Raises:
            ValueError: If neither `compress` nor `fit` knows one of them, or a number is out of its range.
        """
        own = cls.names()
        fit = {name: value for name, value in keywords.items() if name not in own}
        _check_fit_arguments(model, fit, own)
        return dataclasses.replace(cls.among(keywords), fit=fit).checked()

    @classmethod
    def among(cls, arguments: Mapping[str, Any]) -> RunSettings:
        """The settings among the arguments of a function, by name; `layer_caps` may be None. Checks nothing."""
        chosen = {name: arguments[name] for name in cls.names() & arguments.keys()}
        if chosen.get("layer_caps") is None:
            chosen["layer_caps"] = {}
        return cls(**chosen)

    @classmethod
    def names(cls) -> set[str]:
        """The names of the settings."""
        return {field.name for field in dataclasses.fields(cls)} - {"fit"}

    def checked(self) -> RunSettings:
        """These settings, with whole numbers as `int`; `ValueError` if one is out of range, or they contradict."""
        checked_type("monitor", self.monitor, str | None)
        check_tolerance(self.tolerance, self.monitor or "accuracy")
        check_limits(0.1 if self.pruning_ratio is None else self.pruning_ratio, self.min_keep)
        for name in ("balance", "favour_macs"):
            check_share(name, getattr(self, name))
        check_share("max_cut", self.max_cut, above=0)
        get_schedule(self.schedule)
        if self.learning_rate is not None:
            check_number("learning_rate", self.learning_rate, above=0)
        if self.target is not None:
            checked_target(self.target, MEASURES)
            self._check_target_alone()
        checked_type("latency", self.latency, LatencyTable | None)
        self._check_functions()
        check_batch_size(self.batch_size)
        for name in STEPS:
            if self.fit.get(name) is not None:
                checked_whole(name, self.fit[name], 1)
        return dataclasses.replace(self, **self._whole_numbers())

    def _whole_numbers(self):
        whole = {name: checked_whole(name, getattr(self, name), least) for name, least in WHOLE.items()}
        limits = {name: getattr(self, name) for name in NO_LIMIT_IF_NONE}
        return whole | {name: checked_whole(name, value, 0) for name, value in limits.items() if value is not None}

    def _check_target_alone(self):
        if self.pruning_ratio is not None and self.epochs is not None:
            raise ValueError(
                f"With a target the cuts are sized by it: pruning_ratio={self.pruning_ratio} would not be used. Leave "
                "one of them out, or, in compress, pass epochs=None for rounds of that ratio down to the target."
            )

    def _check_functions(self):
        for name in ("fine_tune", "evaluate"):
            checked_type(name, getattr(self, name), Callable | None)
            _check_takes_a_model(name, getattr(self, name))
        check_callbacks(self.fit.get("callbacks"))
        of_fit = [name for name in self.fit if name not in STEPS]
        unused = [*of_fit, *(name for name in ("distill", "learning_rate") if getattr(self, name))]
        if self.fine_tune is not None and unused:
            raise ValueError(
                f"fine_tune trains by itself: {', '.join(unused)} would not be used. Leave out one of them."
            )

    @property
    def trains_by_itself(self) -> bool:
        """Whether the user's functions both train and measure, so that the model need not be compiled."""
        return self.fine_tune is not None and self.evaluate is not None

    @property
    def trains(self) -> bool:
        """Whether networks are trained after cuts at all."""
        return (self.epochs != 0 and self.epochs_per_round != 0) or bool(self.fine_tune)

    @property
    def batch_size(self) -> int | None:
        """The batch size of fine-tuning; None for Keras's own."""
        return self.fit.get("batch_size")

    @property
    def steps_per_epoch(self) -> int | None:
        """How many batches of a data set an epoch has, and a measurement on training data; None for all."""
        return self.fit.get("steps_per_epoch")

    @property
    def validation_steps(self) -> int | None:
        """How many batches networks are judged by; None for all."""
        return self.fit.get("validation_steps")

    def to_dict(self) -> dict:
        """All settings by name, as a shallow copy."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}


def check_read(unread: Iterable[str], given: Mapping[str, Any]):
    """Raises `ValueError` if settings that a method does not use have another value than by default."""
    defaults = RunSettings()
    for name in unread:
        if name in given and given[name] != getattr(defaults, name):
            raise ValueError(f"This method does not use {name}={given[name]!r}. Leave it out, or take another method.")


def check_callbacks(given: Any):
    """Raises `ValueError` unless these are a Keras callback, a list of them, or None."""
    for callback in given if isinstance(given, (list, tuple)) else [given]:
        if callback is not None and (isinstance(callback, type) or not hasattr(callback, "on_train_begin")):
            raise ValueError(
                f"callbacks must be a list of objects of keras.callbacks.Callback. Received: {callback!r}."
            )
        if hasattr(callback, "put_back"):  # a FirePruningCallback, which this room does not know
            raise ValueError(
                "FirePruningCallback prunes inside model.fit, and compress prunes by itself. Leave it out here, or "
                "pass it to model.fit."
            )
        kinds = {kind.__name__ for kind in type(callback).__mro__ if kind.__module__.split(".")[0] == "keras"}
        _check_leaves_the_rate(callback, kinds)
        _check_sees_what_it_watches(callback, kinds)


def _check_leaves_the_rate(callback, kinds):
    if kinds & SET_RATES:
        raise ValueError(
            f"{type(callback).__name__} sets the learning rate, and compress sets it at each step, so one would undo "
            "what the other does. Leave it out: learning_rate= says where the rate begins, and schedule= how it goes "
            "on, by name or as a function of the progress from 0 to 1."
        )


def _check_sees_what_it_watches(callback, kinds):
    """Within a round nothing is validated, so what waits for a validation metric would wait in vain."""
    watched = str(getattr(callback, "monitor", ""))
    if kinds & WATCHERS and watched.startswith("val_") and getattr(callback, "save_best_only", True):
        raise ValueError(
            f"{type(callback).__name__}(monitor={watched!r}) waits for a validation metric, but compress validates "
            "between rounds, not within them. Leave it out (compress itself keeps the better state, and lowers the "
            f"learning rate), or let it watch {watched.removeprefix('val_')!r}."
        )


def _check_takes_a_model(name, function):
    if function is None:
        return
    try:
        inspect.signature(function).bind("model")
    except ValueError:  # a builtin does not tell its signature
        return
    except TypeError as error:
        raise ValueError(f"{name} is called with one argument, a model: {name}(model). Received: {error}.") from None


def _hint(name, names):
    if name in BESIDE_SAMPLES:
        return f" It belongs to the data: pass {BESIDE_SAMPLES[name]} as train_data."
    known = sorted({*names, "validation_data"})
    if nearest(name, [*known, SPLIT], SIMILAR) == SPLIT:
        return f" compress takes validation_data. {HOLD_OUT}"
    return suggestion(SHORT_FOR.get(name, name), known) or " help(firekeras.compress) lists them."


def _check_fit_arguments(model, fit, own):
    known = set(inspect.signature(model.fit).parameters) - NOT_FOR_FIT if hasattr(model, "fit") else set()
    for name in fit:
        if name not in known:
            raise ValueError(
                f"Unknown setting {name!r}: neither compress nor model.fit takes it here.{_hint(name, own | known)}"
            )
