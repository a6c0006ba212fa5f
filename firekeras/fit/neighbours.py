"""The other callbacks of a `fit`: how to find them, go before them, and tell which cannot go along."""

from __future__ import annotations

import keras

from firekeras.fit.fit_data import frames


def callbacks_of_fit(callback) -> keras.callbacks.CallbackList:
    """The list through which `fit` is calling a callback right now.

    Keras gives a callback no handle on it, but its method is among the callers.

    Raises:
        ValueError: If the callback was not given to `fit` itself.
    """
    for frame in frames():
        found = frame.f_locals.get("self")
        if isinstance(found, keras.callbacks.CallbackList) and any(one is callback for one in found.callbacks):
            return found
    raise ValueError(
        f"{type(callback).__name__} works inside fit alone: expected it among fit's own callbacks, "
        "model.fit(..., callbacks=[callback]). Received: a call from elsewhere, such as another callback or a "
        "training loop of your own. For the latter there are firekeras.measure_fire, plan_pruning and prune."
    )


def go_first(callback, callbacks):
    """Has a callback be called before its neighbours, from the next hook on."""
    others = [one for one in callbacks.callbacks if one is not callback]
    callbacks.callbacks = [callback, *others]  # a new list: Keras is going through the old one


def check_neighbours(callback, callbacks, *, probes):
    """Refuses callbacks that do not work on a network that gets smaller while it trains.

    Args:
        callback: The one that makes it smaller.
        callbacks: The `CallbackList` of `fit`.
        probes: Whether there will be counting layers in the network during an epoch.

    Raises:
        ValueError: If there is such a callback, with what to do instead.
    """
    for other in callbacks.callbacks:
        reason = None if other is callback else _why_not(callback, other, probes)
        if reason:
            raise ValueError(f"{type(other).__name__} does not go with {type(callback).__name__}: {reason}")


def _why_not(callback, other, probes):
    if isinstance(other, type(callback)):
        return "two of a kind would cut the same network. Pass one alone."
    if isinstance(other, keras.callbacks.BackupAndRestore):
        return (
            "it would restore the weights of a smaller network into the network of the original size. Leave it out; "
            "runs that survive being killed are those of firekeras.compress(..., run_dir=...)."
        )
    if isinstance(other, keras.callbacks.EarlyStopping) and other.restore_best_weights:
        return (
            "with restore_best_weights=True it would put weights back that may be those of a larger network. Pass "
            "restore_best_weights=False: a round that costs too much accuracy is undone without it."
        )
    if isinstance(other, keras.callbacks.SwapEMAWeights) and other.swap_on_epoch:
        return (
            "with swap_on_epoch=True the weights in the network would not be those that train when a round begins or "
            "is undone. Pass swap_on_epoch=False."
        )
    if probes and type(getattr(other, "save_freq", "epoch")) is int:
        return (
            f"with save_freq={other.save_freq} it would save the network in the middle of the epoch in which layers "
            "that count are inside. Pass save_freq='epoch', or give FirePruningCallback data=... to measure on."
        )
    return None
