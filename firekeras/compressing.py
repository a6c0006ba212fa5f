"""`compress`: a trained network in, a smaller one out."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from firekeras import methods
from firekeras.arguments import Function, typed
from firekeras.channels.latency_table import LatencyTable
from firekeras.report.progress import RoundsOnTerminal
from firekeras.report.tensorboard import TensorBoardRounds
from firekeras.rounds.engine import Rounds
from firekeras.rounds.method import Method
from firekeras.rounds.records import CompressionResult
from firekeras.rounds.settings import check_read

if TYPE_CHECKING:
    import keras


def as_published(function: Function) -> Function:
    """A decorator: what a protocol sets counts for all that is not given; what is given at its default is given."""

    @functools.wraps(function)
    def resolved(*args, **settings):
        return function(*args, **methods.published(settings))

    return cast(Function, resolved)


@as_published
@typed
def compress(
    model: keras.Model,
    train_data: Any,
    validation_data: Any,
    *,
    target: Mapping[str, float | str] | None = None,
    tolerance: float = 0.01,
    epochs: int | None = 20,
    learning_rate: float | None = None,
    schedule: str | Callable[[float], float] = "cosine",
    distill: bool | None = None,
    method: str | Method | type[Method] = "fire",
    protocol: str | None = None,
    pruning_ratio: float | None = None,
    layer_caps: Mapping[str, float] | None = None,
    round_to: int = 1,
    min_keep: float = 0.1,
    max_cut: float = 0.5,
    balance: float = 1.0,
    favour_macs: float = 0.0,
    latency: LatencyTable | None = None,
    epochs_per_round: int | None = None,
    max_rounds: int = 100,
    backtracks: int = 3,
    monitor: str | None = None,
    recovery: tuple[str, ...] | None = None,
    fine_tune: Callable[[keras.Model], Any] | None = None,
    evaluate: Callable[[keras.Model], float] | None = None,
    seed: int = 0,
    run_dir: str | Path | None = None,
    resume: bool = False,
    tensorboard: str | Path | None = None,
    on_event: Callable[[dict], None] | None = None,
    verbose: int = 1,
    **fit: Any,
) -> CompressionResult:
    """Prunes a trained network in rounds and fine-tunes it: down to a target, or as far as a tolerance allows.

    With a `target` the network reaches it within `epochs`: a few cuts in the first part, spaced evenly in the
    target's cost, then training to the end. Without one, rounds of cutting and training fill the first part of the
    epochs for as long as the metric stays within the `tolerance`; a round that falls below it is undone and tried
    again with half the ratio. The learning rate falls to zero over all epochs. BatchNormalization's statistics are
    measured on training data before any network is judged. Of each round the better state is kept, the one right after
    the cut or the one after training; between two cuts on the way to a target training goes on from where it is.

    The default method is FIREPruning (Fang et al., "FIREPruning", ACML 2020, section 3), with filters ranked within
    their layers; `method="fire_paper"` ranks all layers together, as the paper does.

    Args:
        model: A built, compiled, trained Functional or Sequential model. It is not changed.
        train_data: Data to measure FIRE on and to train on, as `fit` takes them: `(x, y)`, or a data set.
        validation_data: Held-out data that no training step sees, as `fit` takes them.
        target: `{measure: share or amount}`: what may be left of the network's cost; of several measures, all are
            reached. A measure is `"conv_macs"`, `"macs"`, `"params"`, `"ram"` and `"flash"` (bytes in int8), the other
            costs of `plan_pruning`, `"latency"` (by the table `latency`; without one, of Keras, timed on this machine)
            or `"litert_latency"` (of the exported file, timed on this machine). A share is above 0 and up to 1; an
            amount is above 100, or text: `{"ram": "256 kB", "flash": 512_000, "latency": "2 ms"}`. Defaults to None:
            the tolerance decides.
        tolerance: How far the metric may fall, from 0: absolute points (0.01 is one point), or a share of the
            baseline if lower is better. With 1, or infinity, every round is kept. Defaults to 0.01.
        epochs: Epochs of training in total, including those of undone rounds, from 0; if a finished run is continued,
            that many more. None for no limit: rounds go on until the tolerance or the target ends them, at a constant
            learning rate. Defaults to 20.
        learning_rate: The learning rate to begin with, above 0. Defaults to None: that of the compiled optimizer, or
            the first one of a schedule inside it.
        schedule: `"cosine"`, from the learning rate down to zero over all epochs; `"constant"`; `"steps"`, a tenth
            after 60% and 80%; `"halvings"`, half after 1/6, 1/3, 1/2 and 5/6; or a function of the progress from 0 to
            1 that returns a factor. After each cut the rate warms up over a quarter of an epoch. Defaults to
            `"cosine"`.
        distill: Whether training also follows the outputs of the first network (`firekeras.recovery.distill`).
            Defaults to None: it does if that network is fully trained, judging by its metric on training data.
        method: The name of a method or criterion (`firekeras.methods.names()`), or a method object such as
            `FirePruning(mode="measured")`. Defaults to `"fire"`.
        protocol: `"paper"`: the method as it was published, with the paper's options and settings for all that is not
            given (`firekeras methods NAME` lists them). A method object keeps its own
            options. Defaults to None: our own defaults.
        pruning_ratio: The share of the remaining prunable filters that go in a round, from 0 to below 1. Defaults to
            None: sized by the epochs.
        layer_caps: The share of the original filters of a layer that may go over the whole run, from 0 to 1: by
            name, pattern or type, as in `plan_pruning`. Defaults to None: no caps.
        round_to, min_keep, max_cut, balance: As in `plan_pruning`. Default to 1, 0.1, 0.5 and 1.
        favour_macs: How much the MACs that go with a filter count in the ranking, from 0 to 1. Defaults to 0.
        latency: The `LatencyTable` of this network on a device, for a target in `"latency"`: it is reached as the table
            predicts, and nothing is timed. Defaults to None.
        epochs_per_round: Epochs of training between two cuts, from 0. Defaults to None: a twentieth of all epochs
            within a tolerance, a twelfth on the way to a target, but at least one.
        max_rounds: How many rounds may cut, at least 1; training to the end comes after them. Defaults to 100.
        backtracks: How many rounds in a row may be undone before cutting ends, from 0. Defaults to 3.
        monitor: The metric of the model to watch, with or without `"val_"`. Defaults to None: the accuracy, else
            another score, else the loss.
        recovery: The names of steps that follow each cut, in addition to settling (`firekeras.recovery`).
            Defaults to None: the means of removed channels are folded into biases if no training follows.
        fine_tune: A function `fine_tune(model)` that trains a network in place, instead of `model.fit`. Defaults
            to None.
        evaluate: A function `evaluate(model) -> float` that measures a network, instead of `model.evaluate`.
            Defaults to None.
        seed: Seeds everything that is drawn at random, so that a resumed run equals an uninterrupted one.
            Defaults to 0.
        run_dir: A new folder for the model of each round, and for events as they happen: if the run is killed, at
            most the round in progress is lost. One process at a time is at work on it. Defaults to None.
        resume: Whether to continue the run in `run_dir`, with the same model, data and settings; names of layers do
            not count. A finished run can be continued with another `target`, `tolerance` or number of `epochs`.
            Defaults to False.
        tensorboard: A folder for TensorBoard: costs, accuracy and a heatmap of FIRE per round. Defaults to None.
        on_event: A function that is called with each event as it happens: a dict, like the lines of
            `events.jsonl`. If it raises an `OSError`, the run goes on without it. Defaults to None.
        verbose: 0 shows nothing, 1 a line per round, 2 the epochs too. Defaults to 1.
        **fit: Arguments for `model.fit`, such as `batch_size` or `callbacks`. `steps_per_epoch` and
            `validation_steps` also say how many batches of data sets are measured, and judged by: data sets that never
            end need them.

    Returns:
        A `CompressionResult`; its `model` is a plain Keras model.

    Raises:
        ValueError: Before any training, if the model cannot be pruned or is not compiled, the data do not fit it or
            hold NaN, a setting does not exist or is out of range, the target is out of reach, or others are at work on
            the run in `run_dir`.

    Example:
    >>> result = firekeras.compress(model, (x_train, y_train), (x_val, y_val), target={"conv_macs": 0.5}, epochs=3)
    >>> result.costs_after.conv_macs <= 0.5 * result.costs_before.conv_macs
    True
    >>> result.model.save("pruned.keras")
    """
    settings = {name: value for name, value in locals().items() if name not in NOT_A_SETTING}
    writer = TensorBoardRounds(tensorboard) if tensorboard else None
    with RoundsOnTerminal(verbose) as shown:
        rounds = compression_rounds(
            model, train_data, validation_data, **{**settings, **fit, "on_event": _both(shown.event, on_event)}
        )
        for record in rounds:
            if writer:
                writer.write(record, rounds.profile)
    return rounds.result()


@as_published
@typed
def compression_rounds(
    model: keras.Model,
    train_data: Any,
    validation_data: Any,
    *,
    method: str | Method | type[Method] = "fire",
    protocol: str | None = None,
    **settings: Any,
) -> Rounds:
    """The rounds of `compress`, one at a time: to end the run, stop iterating.

    Args:
        model, train_data, validation_data, method, protocol: As in `compress`.
        **settings: The other arguments of `compress`, except `tensorboard` and `verbose`, and arguments for `fit`;
            and `source`, a dict for `run.json` that says where the model and the data came from.

    Returns:
        An iterator over one `RoundRecord` per round. The last round of a run cuts nothing: it trains the network of
        the round before it to the end, in place. The iterator's `best` is the last accepted model, and its `result()`
        is the `CompressionResult` of the rounds so far.

    Raises:
        ValueError: As `compress`.

    Example:
    >>> rounds = firekeras.compression_rounds(model, train, validation, tolerance=0.02, epochs=1)
    >>> for record in rounds:
    ...     if record.macs < 20_000:
    ...         break
    >>> rounds.best.save("pruned.keras")
    """
    chosen = methods.get(method)
    check_read(chosen.unread(), settings)
    return Rounds(model, train_data, validation_data, method=chosen, **settings)


NOT_A_SETTING = ("model", "train_data", "validation_data", "protocol", "tensorboard", "on_event", "verbose", "fit")


def _both(first, second):
    """A function that passes each event to both listeners."""
    if second is None:
        return first

    def both(event):
        first(event)
        second(event)

    return both
