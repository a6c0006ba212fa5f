"""Several devices: TensorFlow's distribution strategies, and Keras's distributions on JAX."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import TypeVar

import keras
import numpy as np

T = TypeVar("T")


def check_strategy(model):
    """Raises `ValueError` for a model under a strategy that Keras cannot train under."""
    if keras.backend.backend() != "tensorflow" or not isinstance(model, keras.Model):
        return
    import tensorflow as tf

    if isinstance(model.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy):
        raise ValueError(
            f"The model {model.name!r} is built under MultiWorkerMirroredStrategy, under which Keras 3 does not run "
            "fit and evaluate: they fail on values that are spread over the workers. Expected a model built under "
            "tf.distribute.MirroredStrategy, for the devices of one machine, or, for several machines, the JAX backend "
            "(KERAS_BACKEND=jax) with keras.distribution.initialize(...) and keras.distribution.DataParallel."
        )


def scope_of(model):
    """The scope in which new objects are placed on the model's devices."""
    if keras.backend.backend() != "tensorflow":
        return contextlib.nullcontext()  # JAX's distribution applies until it is reset
    return model.distribute_strategy.scope()


@contextlib.contextmanager
def counting_apart():
    """Suspends JAX's distribution while zeros are counted.

    Under it, Keras refuses a last batch that does not divide evenly among the devices. Yields a
    function that places a batch on the devices instead; None without a distribution.
    """
    distribution = of_this_process()
    if distribution is None:
        yield None
        return
    with in_force(None):
        yield functools.partial(place, distribution=distribution)


def place(batch, distribution):
    """The batch split among the devices, or replicated if it does not divide evenly."""
    mesh = distribution.device_mesh
    share = mesh.shape[list(mesh.axis_names).index(distribution.batch_dim_name)]

    def placed(x):
        if not hasattr(x, "shape") or x.shape[0] % share:
            return x
        return keras.distribution.distribute_tensor(x, distribution.get_data_layout(x.shape))

    return keras.tree.map_structure(placed, batch)


def share_of_process(data):
    """This process's share of a data set, split as `fit` would."""
    distribution = keras.distribution.distribution()
    if not several_processes() or not distribution.auto_shard_dataset:
        return data
    if not hasattr(data, "element_spec"):
        raise ValueError(
            "Several processes can split a tf.data.Dataset among them, and nothing else. Received: "
            f"{type(data).__name__}. Pass a tf.data.Dataset, or give each process its own data, under "
            "keras.distribution.DataParallel(auto_shard_dataset=False)."
        )
    share = distribution.distribute_dataset(data)
    _check_each_has_data(share)
    return share


def _check_each_has_data(share):
    """Raises in all processes if one has nothing to count: the others would wait for it forever."""
    from jax.experimental import multihost_utils

    some = multihost_utils.process_allgather(np.array(next(iter(share), None) is not None))
    if not some.all():
        raise ValueError(
            f"There are too few data to split: expected a batch for each of {some.size} processes, received enough "
            f"for {some.sum()}. Make the batches smaller: dataset.rebatch(n)."
        )


def sum_over_processes(variables):
    """Sums each variable over all processes."""
    if not several_processes():
        return
    from jax.experimental import multihost_utils

    gathered = multihost_utils.process_allgather([keras.ops.convert_to_numpy(variable) for variable in variables])
    for variable, values in zip(variables, gathered, strict=True):
        variable.assign(np.sum(values, axis=0, dtype=values.dtype))


def several_processes() -> bool:
    """Whether a distribution over several processes is active."""
    if keras.backend.backend() != "jax" or keras.distribution.distribution() is None:
        return False
    import jax

    return jax.process_count() > 1


def follows() -> bool:
    """Whether this is one of several processes that leave files and reports to the first."""
    if not several_processes():
        return False
    import jax

    return jax.process_index() > 0


def by_the_first(work: Callable[[], T]) -> T | None:
    """Does some work in the first of several processes, or in the only one; returns its result, None in the others.

    Raises:
        ValueError: In the others, if the work fails in the first: they would wait for it forever.
    """
    if not several_processes():
        return work()
    result, error = None, None
    if not follows():
        try:
            with alone():
                result = work()
        except BaseException as problem:
            error = problem
    failed = bool(said_by_the_first(error is not None))
    if error is not None:
        raise error
    if failed:
        raise ValueError("The first of these processes could not go on. Its error says why.")
    return result


def said_by_the_first(value: int) -> int:
    """A whole number as the first of several processes has it; as given, if there is one process."""
    if not several_processes():
        return value
    from jax.experimental import multihost_utils

    return int(multihost_utils.broadcast_one_to_all(np.array(value, "int32")))


def alone():
    """A context in which this process makes, saves and loads models without the others.

    Keras makes variables even to save a model, and under a distribution all processes must make them together.
    """
    return in_force(of_this_process())


def of_this_process():
    """The active distribution, restricted to the devices of this process."""
    distribution = keras.distribution.distribution() if keras.backend.backend() == "jax" else None
    if distribution is None or not several_processes():
        return distribution
    import jax

    own = {f"{device.platform}:{device.id}" for device in jax.local_devices()}
    devices = [name for name in distribution.device_mesh.devices.flatten() if str(name) in own]
    return keras.distribution.DataParallel(devices=devices, auto_shard_dataset=False)


@contextlib.contextmanager
def in_force(distribution):
    """Makes Keras use a distribution within the context, or none if it is None."""
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(distribution)
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)
