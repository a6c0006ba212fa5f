"""`compress`: a trained network in, a smaller one out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from firekeras import methods
from firekeras.report.progress import RoundsOnTerminal
from firekeras.report.tensorboard import TensorBoardRounds
from firekeras.rounds.engine import Rounds
from firekeras.rounds.method import Method
from firekeras.rounds.records import CompressionResult


def compress(
    model,
    train_data,
    validation_data,
    *,
    target: Mapping[str, float] | None = None,
    tolerance: float = 0.01,
    epochs: int | None = 20,
    learning_rate: float | None = None,
    schedule: str | Callable[[float], float] = "cosine",
    distill: bool | None = None,
    method: str | Method | type[Method] = "fire",
    pruning_ratio: float | None = None,
    layer_caps: Mapping[str, float] | None = None,
    round_to: int = 1,
    min_keep: float = 0.1,
    max_cut: float = 0.5,
    balance: float = 1.0,
    favour_macs: float = 0.0,
    epochs_per_round: int | None = None,
    max_rounds: int = 100,
    backtracks: int = 3,
    monitor: str | None = None,
    recovery: tuple[str, ...] | None = None,
    fine_tune: Callable | None = None,
    evaluate: Callable | None = None,
    seed: int = 0,
    run_dir: Any = None,
    resume: bool = False,
    tensorboard: Any = None,
    on_event: Callable[[dict], None] | None = None,
    verbose: int = 1,
    **fit,
) -> CompressionResult:
    """Prunes a trained network and trains it on: to a target, or for as long as a tolerance lasts.

    With a `target` the network arrives there within `epochs`: a few cuts in the first part, spaced evenly in the
    target's cost, then training to the end. Without one, rounds of cutting and training go on for as long
    as the metric stays within the `tolerance`, in the first part of the epochs; a round that falls below it is
    undone and tried again with half the ratio. The learning rate falls to zero over all epochs. Nothing
    is judged before BatchNormalization's statistics are measured on training data; the better state
    of each round is kept, the one right after the cut or the one after training.

    Args:
        model: A built, compiled, trained model. It is not changed.
        train_data: What FIRE is measured on and training trains on: `(x, y)`, or a data set.
        validation_data: Held-out data that no training step sees, as `fit` takes them.
        target: `{"conv_macs": 0.5}`, or `"macs"`, `"params"`, `"latency"` as measured on this machine, or
            `"litert_latency"`, of the exported file: shares of what the network has, above 0, up to 1.
            Defaults to none: the tolerance decides.
        tolerance: How far the metric may fall: absolute points (0.01 is one point), a share of the baseline
            where lower is better. With 1, or infinity, every round is kept. Defaults to 0.01.
        epochs: Epochs of training in all, undone rounds included. None for no limit: rounds go on until
            the tolerance or the target ends them, at a constant learning rate. Defaults to 20.
        learning_rate: Where the learning rate begins. Defaults to the compiled optimizer's; of a schedule
            inside it, to its first.
        schedule: `"cosine"`, from the learning rate down to zero over all epochs; `"constant"`; or a function
            of the progress from 0 to 1 that gives the factor. After each cut the rate comes back over a quarter
            of an epoch. Defaults to `"cosine"`.
        distill: Whether training also follows what the first network gives (`firekeras.recovery.distill`).
            Defaults to None: if that network is trained through, by its metric on training data.
        method: `"fire"`, the name of another method or criterion, or a method object such as
            `FirePruning(mode="measured")`.
        pruning_ratio: Share of the remaining prunable filters that go in a round, from 0 to below 1. Defaults to
            None: sized by the epochs.
        layer_caps: Which share of the original filters of some layers may go, over the whole run: by
            name, pattern or type, as in `plan_pruning`. Defaults to none.
        round_to, min_keep, max_cut, balance: As in `plan_pruning`. Default to 1, 0.1, 0.5 and 1.
        favour_macs: How much the MACs that go with a filter count in the ranking, from 0 to 1. Defaults to 0.
        epochs_per_round: Epochs of training between two cuts. Defaults to None: a twentieth of all epochs
            within a tolerance, a twelfth on the way to a target, one at least.
        max_rounds: How many rounds may cut, at most; training to the end comes after them. Defaults to 100.
        backtracks: After how many undone rounds in a row cutting ends. Defaults to 3.
        monitor: Which of the model's metrics to watch. Defaults to None: the accuracy, else another score, else
            the loss.
        recovery: What is done to a network right after a cut, beside settling it, by name
            (`firekeras.recovery`). Defaults to None: the means of removed channels are folded into biases if no
            training follows.
        fine_tune: A function that trains a network in place, `fine_tune(model)`, instead of
            `model.fit`. Defaults to none.
        evaluate: A function that measures a network, `evaluate(model) -> float`, instead of
            `model.evaluate`. Defaults to none.
        seed: Decides all that is drawn at random, so that a resumed run is as one that was not interrupted.
            Defaults to 0.
        run_dir: A new folder that gets the model of each round, and events as they happen: a run that
            is killed loses the round in progress at most. Defaults to none.
        resume: Whether to go on with the run in `run_dir`, with the same settings; a finished run can
            be continued with another `target`, `tolerance` or `epochs`. Defaults to False.
        tensorboard: A folder for TensorBoard: costs, accuracy and a heatmap of FIRE per round.
            Defaults to none.
        on_event: A function that is given each event as it happens: a dict, as the lines of `events.jsonl`
            have them. Defaults to none.
        verbose: 0 shows nothing, 1 a line per round, 2 the epochs too. Defaults to 1.
        **fit: Arguments for `model.fit`, such as `batch_size` or `callbacks`.

    Returns:
        A `CompressionResult`; its `model` is a plain Keras model.

    Raises:
        ValueError: For a model that cannot be pruned or is not compiled, data that do not fit, settings
            that do not exist or are out of range, a target out of reach: before any training.

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


def compression_rounds(
    model, train_data, validation_data, *, method: str | Method | type[Method] = "fire", **settings: Any
) -> Rounds:
    """The rounds of `compress`, one at a time: stop iterating to stop.

    Args:
        model, train_data, validation_data, method: As in `compress`.
        **settings: As in `compress`, arguments for `fit` among them; and `source`, a dict that says where model and
            data came from, for `run.json`.

    Returns:
        An iterator over a `RoundRecord` per round. The last round of a run trains the network to the end; that
        network is the one of the round before, trained on in place. Its `best` is the last accepted model, its
        `result()` what the rounds so far came to.

    Raises:
        ValueError: As `compress`.

    Example:
    >>> rounds = firekeras.compression_rounds(model, train, validation, tolerance=0.02, epochs=1)
    >>> for record in rounds:
    ...     if record.macs < 20_000:
    ...         break
    >>> rounds.best.save("pruned.keras")
    """
    return Rounds(model, train_data, validation_data, method=methods.get(method), **settings)


NOT_A_SETTING = ("model", "train_data", "validation_data", "tensorboard", "on_event", "verbose", "fit")


def _both(first, second):
    """A function that hands each event to both listeners."""
    if second is None:
        return first

    def event(told):
        first(told)
        second(told)

    return event
