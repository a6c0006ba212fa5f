"""Ctrl-C and errors that end a `fit` early: the model is put in order before they go on."""

from __future__ import annotations

import contextlib
import signal
import threading

import keras

from firekeras.quiet import without_retracing_warnings

HOOKS = (
    *("on_epoch_begin", "on_epoch_end", "on_train_end"),
    *("on_train_batch_begin", "on_train_batch_end"),
    *("on_test_begin", "on_test_end", "on_test_batch_begin", "on_test_batch_end"),
)


class FitGuard:
    """Wraps everything that `fit` calls: all callbacks, and the steps that are passed to `around`.

    Ctrl-C is noted, and raised as `KeyboardInterrupt` before the next of these calls, so no step
    is interrupted halfway; a second Ctrl-C goes to Python at once. If the program has a handler for Ctrl-C of its
    own, or `fit` does not run in the main thread, signals are left alone.

    Args:
        callbacks: The `CallbackList` of `fit`.
        leave: A function that puts the model in order, of the error and of the arguments of the call that
            raised it. It is called once, before the error goes on.
    """

    def __init__(self, callbacks, leave):
        self._callbacks, self._leave = callbacks, leave
        self._listening = self._wished = False
        self.over = False
        self._quiet = contextlib.ExitStack()
        for hook in HOOKS:
            setattr(callbacks, hook, self.around(getattr(callbacks, hook)))

    def around(self, call) -> Guarded:
        """Returns the call, guarded for as long as `fit` lasts."""
        return Guarded(call, self)

    def before_call(self):
        """Raises a Ctrl-C that came since the last call; begins to listen for one at the first call."""
        self.raise_wished()
        if not self._listening:
            self._listening = True
            self._quiet.enter_context(without_retracing_warnings())  # each cut brings a new step to compile
            if threading.current_thread() is threading.main_thread():
                self._take_over_signal()

    def raise_wished(self):
        """Raises `KeyboardInterrupt` if Ctrl-C came."""
        if self._wished:
            raise KeyboardInterrupt

    def leave(self, error, arguments=()):
        """Puts the model in order, unless that has been done."""
        if not self.over:
            self.stop()
            self._leave(error, arguments)

    def stop(self):
        """Stops guarding, since `fit` is over."""
        self.over = True
        self._quiet.close()
        for hook in HOOKS:
            vars(self._callbacks).pop(hook, None)
        if signal.getsignal(signal.SIGINT) == self._note:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _take_over_signal(self):
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._note)

    def _note(self, number, frame):
        if self._wished or not self._fit_is_among(frame):
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.default_int_handler(number, frame)
        self._wished = True

    def _fit_is_among(self, frame) -> bool:
        """Whether `fit` is still running: whether the list of callbacks is known to a frame or one of its callers."""
        while frame is not None:
            if any(value is self._callbacks for value in frame.f_locals.values()):
                return True
            frame = frame.f_back
        return False


class Guarded:
    """Wraps a function, and puts the model in order before an error leaves it.

    Args:
        call: The function.
        guard: The `FitGuard`.
    """

    def __init__(self, call, guard):
        self.call, self.guard = call, guard

    def __call__(self, *args, **kwargs):
        if self.guard.over:
            return self.call(*args, **kwargs)
        try:
            self.guard.before_call()
            return self.call(*args, **kwargs)
        except _end_of_data():
            raise  # this is how a step ends the epoch
        except BaseException as error:
            self.guard.leave(error, args)
            raise


def _end_of_data():
    if keras.backend.backend() != "tensorflow":
        return StopIteration
    import tensorflow as tf

    return StopIteration, tf.errors.OutOfRangeError
