"""Compiles a network like another one, with an optimizer that continues from the other one's state.

Live objects are passed on, not their configs: a loss, a metric, a schedule or an optimizer need not be
registered, nor its config be complete.
"""

from __future__ import annotations

import keras

from firekeras.keras_models.copying import Copier, holds_variables
from firekeras.keras_models.internals import BaseOptimizer

MENDED = (
    "The optimizer is a new one with the same settings: Keras loads optimizers of .h5 files in a state in which they "
    "cannot train."
)


def compile_alike(old, new, cut, built=True):
    """Compiles `new` like `old`: same loss, metrics and settings; the optimizer with its state, cut.

    Args:
        old: A compiled network.
        new: The network to compile.
        cut: The `Cut` that made it.
        built: Whether the new optimizer has slots even if the old one has taken no step, so that they hold nothing.
            Keras makes such slots when it loads a model. Defaults to True.
    """
    optimizer = fresh_optimizer(old.optimizer)
    keras.Model.compile(
        new, **compile_settings(old, optimizer, cut.copier)
    )  # a subclass's own compile may require more
    if is_broken(old):
        return
    if built or has_taken_a_step(old.optimizer):
        copy_optimizer_state(old.optimizer, optimizer, cut.copier, cut.sliced)
    else:
        _copy_exclusions(old.optimizer, optimizer, cut.copier)


def has_taken_a_step(optimizer) -> bool:
    """Whether an optimizer has trained anything; if not, its slots hold nothing yet."""
    steps = getattr(optimizer, "inner_optimizer", optimizer).iterations
    return int(keras.ops.convert_to_numpy(steps)) > 0


def compile_with_fresh_optimizer(old, new, rate=None):
    """Compiles `new` like `old`, with an optimizer that has not taken a step yet.

    Args:
        old: A compiled network.
        new: The network to compile.
        rate: The learning rate, as in `fresh_optimizer`.
    """
    keras.Model.compile(new, **compile_settings(old, fresh_optimizer(old.optimizer, rate)))


def compile_settings(model, optimizer, copier=None) -> dict:
    """Arguments of `compile` for a network that trains like `model`: fresh metrics, and the given optimizer.

    Args:
        model: A compiled network.
        optimizer: The optimizer.
        copier: Copies objects with variables. Defaults to a new one.
    """
    copier = copier or Copier()
    settings = {name: copier(value) for name, value in model._compile_config.config.items() if name != "optimizer"}
    for metric in keras.tree.flatten([settings.get("metrics"), settings.get("weighted_metrics")]):
        if isinstance(metric, keras.Metric):
            metric.reset_state()
    return {**settings, "optimizer": optimizer}


def fresh_optimizer(optimizer, rate=None):
    """An optimizer with the same settings and no state, made without calling its constructor.

    Args:
        optimizer: An optimizer.
        rate: The new learning rate: a number, a schedule or a function. Defaults to the current rate, or
            to the schedule or function that the optimizer follows.
    """
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        scale = (optimizer.initial_scale, optimizer.dynamic_growth_steps)
        return type(optimizer)(fresh_optimizer(optimizer.inner_optimizer, rate), *scale, name=optimizer.name)
    fresh = BaseOptimizer.__new__(type(optimizer))
    keras.Optimizer.__init__(fresh, **_settings(optimizer, rate))
    for name, value in vars(optimizer).items():
        if name not in vars(fresh) and not holds_variables(value):
            setattr(fresh, name, value)
    return fresh


def is_broken(model) -> bool:
    """Whether a model's optimizer was built for no weights at all, so its first step fails.

    Keras 3 loads such optimizers from `.h5` files: they count as built, but know none of the weights.
    """
    optimizer = getattr(model, "optimizer", None)
    known = getattr(optimizer, "_trainable_variables", None)
    return bool(model.compiled and getattr(optimizer, "built", False) and known == [] and model.trainable_variables)


def fresh_if_broken(model) -> str | None:
    """Gives a model a new optimizer if its own cannot train; returns a note, or None if there was no need."""
    if not is_broken(model):
        return None
    model.optimizer = fresh_optimizer(model.optimizer)
    model.optimizer.build(model.trainable_variables)
    return MENDED


def followed_by(optimizer):
    """The schedule or function that an optimizer's learning rate follows; None if it is a number."""
    rate = getattr(optimizer, "inner_optimizer", optimizer)._learning_rate
    return rate if callable(rate) and not isinstance(rate, keras.Variable) else None


def _settings(optimizer, rate):
    """The arguments for the constructor of Keras's base class."""
    rate = followed_by(optimizer) if rate is None else rate
    stand_in = object.__new__(type(optimizer))
    vars(stand_in).update(vars(optimizer), **({} if rate is None else {"_learning_rate": 0.5}))
    config = BaseOptimizer.get_config(stand_in)
    return config if rate is None else {**config, "learning_rate": rate}


def copy_optimizer_state(old, new, copier, cut=lambda variable, value: value):
    """Builds an optimizer and copies another one's state into it.

    Args:
        old: An optimizer.
        new: Its copy without state, from `fresh_optimizer`.
        copier: Its memo maps each weight to its counterpart.
        cut: A function of a weight and an array of its shape that returns the new array. Defaults to no change.
    """
    _copy_exclusions(old, new, copier)
    if not old.built:
        return
    weights = old._trainable_variables  # as at build time: some may be frozen by now
    owners = _build_recording_owners(new, [copier.memo[id(weight)] for weight in weights])
    _carry_over(old, new, copier)
    weight_of = {id(copier.memo[id(weight)]): weight for weight in weights}
    pairs = _paired_state(old, new)
    _copy_order(old, new, pairs)
    for before, after in pairs:
        value = keras.ops.convert_to_numpy(before)
        owner = weight_of.get(owners.get(id(after)))
        if owner is not None and value.shape == tuple(owner.shape):
            value = cut(owner, value)
        if value.shape == tuple(after.shape):
            after.assign(value)


def _carry_over(old, new, copier):
    """Copies variables that the old optimizer had before it was built."""
    for name, value in vars(old).items():
        if name not in vars(new):
            setattr(new, name, copier(value))


def _paired_state(old, new):
    """Pairs of variables: by attribute where there is one, else by order."""
    pairs = list(_pairs(old, new))
    known = {id(variable) for pair in pairs for variable in pair}
    rest = ([v for v in optimizer.variables if id(v) not in known] for optimizer in (old, new))
    rates = [id(getattr(optimizer, "_learning_rate", None)) for optimizer in (old, new)]
    return pairs + [pair for pair in zip(*rest, strict=False) if id(pair[0]) not in rates and id(pair[1]) not in rates]


def _copy_order(old, new, pairs):
    """Files and saved states rely on the order of an optimizer's variables."""
    place = {id(variable): k for k, variable in enumerate(old.variables)}
    places = {id(after): place[id(before)] for before, after in pairs if id(before) in place}
    for optimizer in (new, getattr(new, "inner_optimizer", new)):
        ordered = sorted(optimizer._variables, key=lambda variable: places.get(id(variable), len(places)))
        if any(a is not b for a, b in zip(ordered, optimizer._variables, strict=True)):
            is_variable, _ = optimizer._tracker.config["variables"]
            vars(optimizer)["_variables"] = ordered  # TensorFlow would wrap it, if it saw it
            optimizer._tracker.config["variables"] = (is_variable, ordered)


def _pairs(old, new):
    if isinstance(old, keras.Variable) and isinstance(new, keras.Variable):
        yield old, new
    elif isinstance(old, BaseOptimizer):
        own = [name for name in vars(old) if name not in ("_variables", "_trainable_variables") and name in vars(new)]
        yield from _pairs([vars(old)[name] for name in own], [vars(new)[name] for name in own])
    elif isinstance(old, (list, tuple)) and isinstance(new, (list, tuple)):
        for before, after in zip(old, new, strict=False):
            yield from _pairs(before, after)


def _copy_exclusions(old, new, copier):
    """Keras identifies weights without decay by their keys, and caches its answers by key."""
    if hasattr(old, "_exclude_from_weight_decay"):
        keys = {old._var_key(variable): new._var_key(twin) for variable, twin in copier.variables()}
        new._exclude_from_weight_decay = {keys[key] for key in old._exclude_from_weight_decay if key in keys}
    if hasattr(old, "_exclude_from_weight_decay_cache"):
        new._exclude_from_weight_decay_cache = {}


def _build_recording_owners(optimizer, variables):
    """Builds an optimizer; returns for each slot variable (by id) the weight (by id) that it belongs to."""
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
