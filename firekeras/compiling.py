"""A network compiled as another one is, and an optimizer that goes on where the other one's was.

Live objects are handed on, not what their configs say of them: a loss, a metric, a schedule or an optimizer
need not be registered, nor its config be complete.
"""

from __future__ import annotations

import keras
from keras.src.optimizers.base_optimizer import BaseOptimizer

from firekeras.copying import Copier, holds_variables


def compile_alike(old, new, cut):
    """Compiles `new` as `old` is: same loss, metrics and settings; the optimizer with its state, cut."""
    optimizer = fresh_optimizer(old.optimizer)
    keras.Model.compile(new, **compile_settings(old, optimizer, cut.copier))  # its class's own may ask for more
    copy_optimizer_state(old, optimizer, cut)


def compile_settings(model, optimizer, copier=None) -> dict:
    """What to compile a network with so that it trains as `model` does: fresh metrics, and this optimizer.

    Args:
        model: A compiled network.
        optimizer: The optimizer.
        copier: Copies what has variables. Defaults to one of its own.
    """
    copier = copier or Copier()
    settings = {name: copier(value) for name, value in model._compile_config.config.items() if name != "optimizer"}
    for metric in keras.tree.flatten([settings.get("metrics"), settings.get("weighted_metrics")]):
        if isinstance(metric, keras.Metric):
            metric.reset_state()
    return {**settings, "optimizer": optimizer}


def fresh_optimizer(optimizer):
    """An optimizer with the same settings and no state, made without its own constructor."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        given = (optimizer.initial_scale, optimizer.dynamic_growth_steps)
        return type(optimizer)(fresh_optimizer(optimizer.inner_optimizer), *given, name=optimizer.name)
    fresh = BaseOptimizer.__new__(type(optimizer))
    keras.Optimizer.__init__(fresh, **_settings(optimizer))
    for name, value in vars(optimizer).items():
        if name not in vars(fresh) and not holds_variables(value):
            setattr(fresh, name, value)
    return fresh


def _settings(optimizer):
    """What Keras's own constructor takes, with the very schedule that is in use."""
    rate = optimizer._learning_rate
    follows = callable(rate) and not isinstance(rate, keras.Variable)
    stand_in = object.__new__(type(optimizer))
    vars(stand_in).update(vars(optimizer), **({"_learning_rate": 0.5} if follows else {}))
    config = BaseOptimizer.get_config(stand_in)
    return {**config, "learning_rate": rate} if follows else config


def copy_optimizer_state(old, optimizer, cut):
    """Builds the new optimizer, and gives it the old one's slots, cut like the weights they belong to."""
    _exclude_alike(old.optimizer, optimizer, cut.copier.memo)
    if not old.optimizer.built:
        return
    weights = old.optimizer._trainable_variables  # those that it was built for: some may be frozen by now
    twins = cut.copier.memo
    owners = _build_recording_owners(optimizer, [twins[id(weight)] for weight in weights])
    _carry_over(old.optimizer, optimizer, cut.copier)
    twin = {id(twins[id(weight)]): weight for weight in weights}
    for before, after in zip(old.optimizer.variables, optimizer.variables, strict=True):
        value = keras.ops.convert_to_numpy(before)
        owner = twin.get(owners.get(id(after)))
        if owner is not None and value.shape == tuple(owner.shape):
            value = cut.sliced(owner, value)
        if value.shape == tuple(after.shape):
            after.assign(value)


def _carry_over(old, new, copier):
    """Variables of its own that the old optimizer was given before it was built."""
    for name, value in vars(old).items():
        if name not in vars(new):
            setattr(new, name, copier(value))


def _exclude_alike(old, new, twins):
    """Which weights do not decay goes by their ids, and what is known of them is remembered by these."""
    if hasattr(old, "_exclude_from_weight_decay"):
        new._exclude_from_weight_decay = {id(twins[k]) for k in old._exclude_from_weight_decay if k in twins}
    if hasattr(old, "_exclude_from_weight_decay_cache"):
        new._exclude_from_weight_decay_cache = {}


def _build_recording_owners(optimizer, variables):
    """Builds an optimizer; returns for each of its variables (by id) the weight (by id) it is a slot of."""
    owners: dict[int, int] = {}
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    create = inner.add_variable_from_reference

    def recording(reference_variable, *args, **kwargs):
        slot = create(reference_variable, *args, **kwargs)
        owners[id(slot)] = id(reference_variable)
        return slot

    inner.add_variable_from_reference = recording
    try:
        optimizer.build(variables)
    finally:
        del inner.add_variable_from_reference
    return owners
