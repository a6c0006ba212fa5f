"""The other callbacks of a `fit`: how to find them, run before them, and refuse those that cannot work."""

from __future__ import annotations

import keras

from firekeras.fit.fit_data import frames


def callbacks_of_fit(callback) -> keras.callbacks.CallbackList:
    """The list through which `fit` is calling a callback right now.

    Keras gives callbacks no reference to that list, but its method is among the callers.

    Raises:
        ValueError: If the callback was not passed to `fit` itself.
    """
    for frame in frames():
        caller = frame.f_locals.get("self")
        if isinstance(caller, keras.callbacks.CallbackList) and any(other is callback for other in caller.callbacks):
            return caller
    raise ValueError(
        f"{type(callback).__name__} works only inside fit: expected it among fit's own callbacks, "
        "model.fit(..., callbacks=[callback]). Received: a call from elsewhere, such as another callback or a "
        "training loop of your own. For your own loop, use firekeras.measure_fire, plan_pruning and prune."
    )


def go_first(callback, callbacks):
    """Moves a callback before all others, from the next hook on."""
    others = [other for other in callbacks.callbacks if other is not callback]
    callbacks.callbacks = [callback, *others]  # a new list: Keras is iterating over the old one


def check_keeps_its_loss(model):
    """Raises `ValueError` if a loss was set on the model itself, which a smaller network would not have."""
    if "compute_loss" in vars(model):
        raise ValueError(
            f"The model {model.name!r} is being distilled, and would lose its teacher at the first cut. Call fit "
            "directly, with FirePruningCallback(distill=True)."
        )


def check_neighbours(callback, callbacks, *, probes, sets_rate):
    """Refuses callbacks that do not work with a network that gets smaller while it trains.

    Args:
        callback: The callback that makes it smaller.
        callbacks: The `CallbackList` of `fit`.
        probes: Whether there will be counting layers in the network during an epoch.
        sets_rate: Whether the callback sets the learning rate.

    Raises:
        ValueError: If there is such a callback; the message says what to do instead.
    """
    if sum(other is callback for other in callbacks.callbacks) > 1:
        raise ValueError(f"fit was given the same {type(callback).__name__} twice. Leave one of them out.")
    for other in callbacks.callbacks:
        reason = None if other is callback else _why_not(callback, other, probes, sets_rate)
        if reason:
            raise ValueError(f"{type(other).__name__} does not work with {type(callback).__name__}: {reason}")


def _why_not(callback, other, probes, sets_rate):
    if isinstance(other, type(callback)):
        return "both would cut the same network. Pass only one of them."
    if isinstance(other, keras.callbacks.BackupAndRestore):
        return (
            "it would restore the weights of a smaller network into the network of the original size. Leave it out; "
            "for runs that survive a kill, use firekeras.compress(..., run_dir=...)."
        )
    if isinstance(other, keras.callbacks.EarlyStopping) and other.restore_best_weights:
        return (
            "with restore_best_weights=True it would restore weights that may belong to a larger network. Pass "
            "restore_best_weights=False: a round that costs too much accuracy is undone anyway."
        )
    if getattr(other, "save_best_only", False):
        return (
            "with save_best_only=True it would keep the best network of any size, which may be the one before a cut. "
            "Pass save_best_only=False, or save the model after fit: it is the best at its size."
        )
    if isinstance(other, keras.callbacks.SwapEMAWeights) and other.swap_on_epoch:
        return (
            "with swap_on_epoch=True the weights in the network would not be those that train when a round begins or "
            "is undone. Pass swap_on_epoch=False."
        )
    if sets_rate and isinstance(other, (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)):
        return (
            "both would set the learning rate, step by step. Leave out learning_rate=..., so that the rate is yours, "
            "or pass the schedule as schedule=..., and no other callback that sets the rate."
        )
    if probes and type(getattr(other, "save_freq", "epoch")) is int:
        return (
            f"with save_freq={other.save_freq} it would save the network in the middle of the epoch in which it "
            "contains counting layers. Pass save_freq='epoch', or give FirePruningCallback data=... to measure on."
        )
    return None
