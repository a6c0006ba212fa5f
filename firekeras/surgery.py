"""Plan in, smaller model out: the functional graph is built again with the removed channels gone."""

from __future__ import annotations

import keras
import numpy as np

from firekeras.channels import traced
from firekeras.channels.call import Count, Inner, Kept
from firekeras.channels.trace import Trace
from firekeras.channels.walk import functional_graph, leaf_layers, walk
from firekeras.devices import scope_of
from firekeras.optimizers import is_broken
from firekeras.plan.planning import PruningPlan, known_layer


def prune(model, plan: PruningPlan):
    """Removes the filters of a plan, and every slice of every weight that belongs to them.

    The new model has the same layer names, order, dtype policies, trainable flags, regularisers,
    input and output structure; shared layers stay shared, nested models nested. If the model was
    compiled, so is the new one, with the optimizer's state cut along.

    Args:
        model: A built Functional or Sequential model. It is left untouched.
        plan: A `PruningPlan` for this model.

    Returns:
        A new `keras.Model` that needs no firekeras.

    Raises:
        ValueError: If the plan is for another model, or removes what is locked.

    Example:
    >>> smaller = firekeras.prune(model, plan)
    """
    trace = traced(model)
    return rebuild(model, trace, checked_units(trace.graph, plan))


def checked_units(graph, plan) -> np.ndarray:
    """The units that a plan removes, as a mask, after checking that the plan fits the network."""
    if not isinstance(plan, PruningPlan):
        raise ValueError(f"Expected a PruningPlan, as plan_pruning gives it. Received: {type(plan).__name__}.")
    for name, width in plan.widths.items():
        known_layer(name, graph.filter_layers)
        if graph.filters(name).size != width:
            raise ValueError(
                f"The plan is for another model: it expects {width} filters in layer {name!r}, which has "
                f"{graph.filters(name).size}. Plan again for this model."
            )
        _check_filters(name, width, plan.removed.get(name, ()))
    gone = graph.units_of(plan.removed)
    for name, filters in graph.removed_filters(gone).items():
        _check_layer(graph, name, filters, set(np.asarray(plan.removed.get(name, ())).tolist()))
    emptied = graph.emptied(gone)
    if emptied:
        size = graph.axes[emptied.axis].size
        raise ValueError(
            f"The plan removes all {size} channels that {emptied.name} takes of the layers before it; at least one "
            "must stay. Make the plan with plan_pruning, which sees to that."
        )
    return gone


def _check_filters(name, width, filters):
    beyond = [int(k) for k in filters if not 0 <= k < width]
    if beyond:
        raise ValueError(f"The plan removes filters {beyond} of layer {name!r}, which has filters 0 to {width - 1}.")


def _check_layer(graph, name, filters, planned):
    missing = sorted(set(filters.tolist()) - planned)
    if missing:
        raise ValueError(
            f"The plan tears apart filters that only go together: filters {missing} of layer {name!r} would have to "
            f"go too. Make the plan with plan_pruning, or add what graph.coupled({name!r}, {missing[0]}) lists."
        )
    locked = next((graph.lock(name, k) for k in filters if graph.lock(name, k)), None)
    if locked:
        raise ValueError(f"The plan removes filters of layer {name!r} that must stay: {locked}.")
    if filters.size == graph.filters(name).size:
        raise ValueError(f"The plan removes all {filters.size} filters of layer {name!r}; at least one must stay.")


def rebuild(model, trace: Trace, gone, behind=None):
    """Builds a model again without some units.

    Args:
        model: The model.
        trace: Its `Trace`.
        gone: A mask over units.
        behind: Layers to insert, by the key of the call whose output they take. Defaults to none.

    Returns:
        The new model, compiled like the old one, with weights and optimizer state cut.
    """
    cut = Cut(trace, gone, behind or {})
    with scope_of(model):
        new = cut.model(model)
        cut.restore_initializers()
        cut.copy_variables(model, new)
        if model.compiled:
            compile_alike(model, new, cut)
    return new


def copied(model, compiled=False):
    """The same network with variables of its own.

    Args:
        model: The network.
        compiled: Whether the copy is compiled too, with the optimizer's state. Defaults to False.
    """
    trace = traced(model)
    nothing = np.zeros(trace.graph.num_units, bool)
    if compiled:
        return rebuild(model, trace, nothing)
    cut = Cut(trace, nothing, {})
    copy = cut.model(model)
    cut.restore_initializers()
    cut.copy_variables(model, copy)
    return copy


class Cut:
    """Rebuilds layers, nested models and graphs smaller; each layer once, however often it is called."""

    def __init__(self, trace, gone, behind):
        self.trace, self.gone, self.behind = trace, gone, behind
        self.built: dict[int, object] = {}
        self.inserted: dict[int, object] = {}
        self.initializers: list[tuple] = []
        self.twins: dict[int, object] = {}

    def model(self, old, key=()):
        """A new model of the same structure."""
        flat = [self._input(old, k, tensor) for k, tensor in enumerate(old.inputs)]
        inputs = keras.tree.pack_sequence_as(functional_graph(old).input, flat)
        self.built.update({id(t._keras_history.operation): n._keras_history.operation
                           for t, n in zip(old.inputs, flat, strict=True)})  # fmt: skip
        outputs = walk(old, flat, lambda node, args, kwargs: self._call(node, args, kwargs, key))
        new = self._assembled(old, inputs, flat, outputs)
        new.dtype_policy = old.dtype_policy
        _copy_trainable(old, new)
        return new

    def _input(self, model, number, tensor):
        layer, shape = tensor._keras_history.operation, list(tensor.shape)
        axis, labels = self.trace.inputs.get((id(model), number), (None, None))
        if labels is not None and shape[axis] is not None:
            shape[axis] = self._keep(labels).size
        return keras.Input(
            batch_shape=shape, dtype=tensor.dtype, sparse=tensor.sparse, name=layer.name, optional=layer.optional
        )

    def _assembled(self, old, inputs, flat, outputs):
        if isinstance(old, keras.Sequential):
            layers = [layer for one in old.layers for layer in self._with_inserted(one)]
            return type(old)([flat[0]._keras_history.operation, *layers], name=old.name)
        structure = keras.tree.pack_sequence_as(functional_graph(old).output, outputs)
        return type(old)(inputs, structure, name=old.name)

    def _call(self, node, args, kwargs, key):
        key = (*key, id(node))
        changed = self.trace.arguments.get(id(node), {})
        args = [self._resolved(changed.get(position, arg)) for position, arg in enumerate(args)]
        given = self.operation(node.operation, key)(*args, **kwargs)
        if key not in self.behind:
            return given
        self.inserted[id(node.operation)] = self.behind[key]
        return self.behind[key](given)

    def _with_inserted(self, old_layer):
        twin = self.built[id(old_layer)]
        return [twin, self.inserted[id(old_layer)]] if id(old_layer) in self.inserted else [twin]

    def operation(self, old, key):
        """The new counterpart of a layer, nested model or operation."""
        if id(old) not in self.built:
            nested = functional_graph(old) is not None
            self.built[id(old)] = self.model(old, key) if nested else self._leaf(old)
        return self.built[id(old)]

    def _leaf(self, old):
        settings = self.trace.settings.get(id(old), {})
        resized = {name: self._resolved(value) for name, value in settings.items()}
        if isinstance(old, keras.layers.Lambda):  # its function cannot be had from a config safely
            return _same_lambda(old)
        return self._cheaply_built(type(old).from_config(_unbuilt({**old.get_config(), **resized})))

    def _cheaply_built(self, layer):
        """The layer with zeros for a start: random numbers would be overwritten at once."""
        for name, value in list(vars(layer).items()):
            if isinstance(value, keras.initializers.Initializer):
                self.initializers.append((layer, name, value))
                setattr(layer, name, keras.initializers.Zeros())
        return layer

    def restore_initializers(self):
        """Gives built layers their own initialisers back."""
        for layer, name, value in self.initializers:
            setattr(layer, name, value)

    def _resolved(self, value):
        """A setting or argument as it is without what goes."""
        if isinstance(value, Count):
            return self._keep(value.labels).size
        if isinstance(value, Kept):
            return np.take(value.array, self._keep(value.labels), value.axis)
        if isinstance(value, Inner):
            return keras.saving.serialize_keras_object(self._leaf(value.layer))
        if isinstance(value, slice):
            return slice(self._resolved(value.start), self._resolved(value.stop), value.step)
        if isinstance(value, (tuple, list)):
            return type(value)(self._resolved(part) for part in value)
        return value

    def _keep(self, labels):
        return self.trace.keep(self.gone, labels)

    def copy_variables(self, old, new):
        """Gives the new layers the old values, without the slices that go."""
        leaves = dict(leaf_layers(new))
        for path, layer in leaf_layers(old):
            for variable, smaller in zip(layer.variables, leaves[path].variables, strict=True):
                smaller.assign(self.sliced(variable, keras.ops.convert_to_numpy(variable)))
                self.twins[id(variable)] = smaller

    def sliced(self, variable, value):
        """What stays of `value`, an array shaped like a variable of the old model."""
        for axis, labels in enumerate(self.trace.weights.get(id(variable), ())):
            if labels is not None:
                keep = self._keep(labels)
                value = value if keep.size == labels.size else np.take(value, keep, axis)
        return value


def _same_lambda(old):
    known = {"function": old.function, "output_shape": old._output_shape, "mask": old.mask, "arguments": old.arguments}
    return type(old)(**known, name=old.name, dtype=old.dtype_policy, trainable=old.trainable)


def _unbuilt(config):
    """A config without the shapes that layers inside a wrapper were built for."""
    if isinstance(config, dict):
        return {key: _unbuilt(value) for key, value in config.items() if key != "build_config"}
    return config


def _copy_trainable(old, new):
    """Trainable flags: the model's first, since setting it sets those of its layers."""
    if not old.trainable:
        new.trainable = False
    for layer, twin in zip(old.layers, _without_inserted(new, old), strict=True):
        twin.trainable = layer.trainable


def _without_inserted(new, old):
    names = {layer.name for layer in old.layers}
    return [layer for layer in new.layers if layer.name in names]


def compile_alike(old, new, cut: Cut):
    """Compiles `new` as `old` is: same loss, metrics and settings; the optimizer with its state, cut."""
    optimizer = type(old.optimizer).from_config(old.optimizer.get_config())
    new.compile(**compile_settings(old, optimizer))
    copy_optimizer_state(old, optimizer, cut)


def compile_settings(model, optimizer) -> dict:
    """What to compile a network with so that it trains as `model` does: fresh metrics, and this optimizer."""
    settings = dict(model._compile_config.config)
    fresh = {
        kind: keras.tree.map_structure(_fresh_metric, settings.get(kind)) for kind in ("metrics", "weighted_metrics")
    }
    return {**settings, **fresh, "optimizer": optimizer}


def _fresh_metric(metric):
    return type(metric).from_config(metric.get_config()) if isinstance(metric, keras.Metric) else metric


def copy_optimizer_state(old, optimizer, cut: Cut):
    """Builds the new optimizer, and gives it the old one's slots, cut like the weights they belong to."""
    if not old.optimizer.built or is_broken(old):
        return
    weights = old.optimizer._trainable_variables  # those that it was built for: some may be frozen by now
    owners = _build_recording_owners(optimizer, [cut.twins[id(weight)] for weight in weights])
    twin = {id(cut.twins[id(weight)]): weight for weight in weights}
    for before, after in zip(old.optimizer.variables, optimizer.variables, strict=True):
        value = keras.ops.convert_to_numpy(before)
        owner = twin.get(owners.get(id(after)))
        if owner is not None and value.shape == tuple(owner.shape):
            value = cut.sliced(owner, value)
        if value.shape == tuple(after.shape):
            after.assign(value)


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
