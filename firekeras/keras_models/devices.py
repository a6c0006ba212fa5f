"""Several devices: TensorFlow's distribution strategies, and Keras's distributions on JAX."""

from __future__ import annotations

import contextlib
import functools

import keras
import numpy as np


def check_strategy(model):
    """Raises `ValueError` for a model that Keras cannot train where it was built."""
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
    """The scope in which what is created lies on the devices that the model lies on."""
    if keras.backend.backend() != "tensorflow":
        return contextlib.nullcontext()  # JAX's distribution is in force until it is taken back
    return model.distribute_strategy.scope()


@contextlib.contextmanager
def counting_apart():
    """Takes JAX's distribution out of force while zeros are counted.

    Under it Keras refuses a last batch that does not divide evenly among the devices. Yields the
    function that brings a batch to the devices instead; None where there is no distribution.
    """
    distribution = of_this_process()
    if distribution is None:
        yield None
        return
    with in_force(None):
        yield functools.partial(place, distribution=distribution)


def place(batch, distribution):
    """The batch shared out among the devices; whole to each of them where it does not divide evenly."""
    mesh = distribution.device_mesh
    share = mesh.shape[list(mesh.axis_names).index(distribution.batch_dim_name)]

    def placed(x):
        if not hasattr(x, "shape") or x.shape[0] % share:
            return x
        return keras.distribution.distribute_tensor(x, distribution.get_data_layout(x.shape))

    return keras.tree.map_structure(placed, batch)


def share_of_process(data):
    """What of a data set falls to this process, as `fit` would share it out."""
    distribution = keras.distribution.distribution()
    if not several_processes() or not distribution.auto_shard_dataset:
        return data
    if not hasattr(data, "element_spec"):
        raise ValueError(
            "Several processes share out a tf.data.Dataset among them, and nothing else. Received: "
            f"{type(data).__name__}. Pass a tf.data.Dataset, or give each process data of its own, under "
            "keras.distribution.DataParallel(auto_shard_dataset=False)."
        )
    share = distribution.distribute_dataset(data)
    _check_each_has_data(share)
    return share


def _check_each_has_data(share):
    """Raises in all processes where one has nothing to count: the others would wait for it forever."""
    from jax.experimental import multihost_utils

    some = multihost_utils.process_allgather(np.array(next(iter(share), None) is not None))
    if not some.all():
        raise ValueError(
            f"The data are too few to share out: expected a batch for each of {some.size} processes, received enough "
            f"for {some.sum()}. Make the batches smaller: dataset.rebatch(n)."
        )


def sum_over_processes(variables):
    """Gives each variable the sum of what the processes hold in it."""
    if not several_processes():
        return
    from jax.experimental import multihost_utils

    gathered = multihost_utils.process_allgather([keras.ops.convert_to_numpy(one) for one in variables])
    for variable, values in zip(variables, gathered, strict=True):
        variable.assign(np.sum(values, axis=0, dtype=values.dtype))


def several_processes() -> bool:
    """Whether a distribution over several processes is in force."""
    if keras.backend.backend() != "jax" or keras.distribution.distribution() is None:
        return False
    import jax

    return jax.process_count() > 1


def of_this_process():
    """The distribution in force, kept to the devices of this process."""
    distribution = keras.distribution.distribution() if keras.backend.backend() == "jax" else None
    if distribution is None or not several_processes():
        return distribution
    import jax

    own = {f"{device.platform}:{device.id}" for device in jax.local_devices()}
    devices = [name for name in distribution.device_mesh.devices.flatten() if str(name) in own]
    return keras.distribution.DataParallel(devices=devices, auto_shard_dataset=False)


@contextlib.contextmanager
def in_force(distribution):
    """Has Keras distribute by `distribution`, or not at all where it is None."""
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(distribution)
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)
