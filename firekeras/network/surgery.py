"""Surgery: rebuilds the functional graph without the removed channels."""

from __future__ import annotations

import keras
import numpy as np

from firekeras.channels.call import Count, Inner, Kept, dependent_labels, labels_in
from firekeras.channels.opening import unsaved
from firekeras.channels.walk import functional_graph, graph_inside, graph_of, nodes_in_order, walk
from firekeras.keras_models.classes import comes_out_plain, plain_class, result_class
from firekeras.keras_models.copying import Copier, attributes
from firekeras.keras_models.internals import (
    Functional,
    all_layers,
    is_trainable_alone,
    maker,
    set_trainable_alone,
    structures,
)
from firekeras.keras_models.rebuilding import Rebuilt, is_strange

OF_A_GRAPH = {  # attributes that make a functional model run its own layers
    *("_inputs", "_outputs", "_inputs_struct", "_outputs_struct", "_nodes", "_nodes_by_depth"),
    *("_operations", "_operations_by_depth", "output_names", "_layers"),
}
OF_A_FIT = {  # attributes that training leaves behind
    *("history", "optimizer", "_eval_epoch_iterator", "_compiled_trainable_state", "_jax_state", "_jax_state_synced"),
    *("_distribute_reduction_method", "_supports_reduce_retracing", "distribute_reduction_method"),
    *("_compile_config", "jit_compile", "run_eagerly", "stop_training", "_self_unconditional_checkpoint_dependencies"),
}


class Cut:
    """Makes smaller twins of layers, nested models and operations; one of each, however often it is called.

    Whatever loses nothing is copied. Whatever loses something is rebuilt from its config.
    """

    def __init__(self, trace, gone, behind):
        self.trace, self.gone, self.behind = trace, gone, behind
        self.copier = Copier(self._twin)
        self.inserted: dict[int, object] = {}
        self._rebuilt: list[Rebuilt] = []
        self._unsaved: set[int] = set()  # layers that could not be loaded as parts of a plain graph
        self._models: list[tuple] = []

    def network(self, old):
        """The new network, with the values of all its variables."""
        new = self.model(old)
        for layer in self._rebuilt:
            layer.finish(self.sliced)
        for before, after in self._models:
            self._carry_over(before, after)
        return new

    def model(self, old, key=()):
        """A new model of the same structure."""
        graph = graph_of(old)
        if comes_out_plain(old):
            self._unsaved.update(map(id, unsaved(graph)))
        flat = [self._input(old, k, tensor) for k, tensor in enumerate(graph.inputs)]
        inputs = keras.tree.pack_sequence_as(graph.input, flat)
        for tensor, new in zip(graph.inputs, flat, strict=True):
            layer, twin = maker(tensor), maker(new)
            set_trainable_alone(twin, is_trainable_alone(layer))
            self.copier.remember(tensor, new)
            self.copier.remember(layer, twin)
        outputs = walk(old, flat, lambda visit, args, kwargs: self._call(visit.node, args, kwargs, key), nested=False)
        new = self._assembled(old, inputs, flat, outputs)
        new.dtype_policy = old.dtype_policy
        set_trainable_alone(new, is_trainable_alone(old))
        self._models.append((old, new))
        return self.copier.remember(old, new)

    def _input(self, model, number, tensor):
        layer, shape = maker(tensor), list(tensor.shape)
        axis, labels = self.trace.inputs.get((id(model), number), (None, None))
        if labels is not None and shape[axis] is not None:
            shape[axis] = self._keep(labels).size
        return keras.Input(
            batch_shape=shape, dtype=tensor.dtype, sparse=tensor.sparse, name=layer.name, optional=layer.optional
        )

    def _assembled(self, old, inputs, flat, outputs):
        """A model of the old one's class, made by Keras's constructor: a custom one may build anything."""
        structure = keras.tree.pack_sequence_as(graph_of(old).output, outputs)
        if graph_inside(old) is None:
            return _of_composite(old, inputs, structure, self)
        plain = plain_class(old)
        new = plain.__new__(result_class(old))
        if plain is keras.Sequential:
            layers = [layer for before in old.layers for layer in self._with_inserted(before)]
            plain.__init__(new, [maker(flat[0]), *layers], name=old.name)
        else:
            plain.__init__(new, inputs, structure, name=old.name)
        return new

    def _call(self, node, args, kwargs, key):
        key = (*key, id(node))
        changed = self.trace.arguments.get(id(node), {})
        args = [self._resolved(changed.get(position, arg)) for position, arg in enumerate(args)]
        twin = self.operation(node.operation, key)
        if graph_inside(node.operation) is None and graph_inside(twin) is not None:  # it was opened
            args, kwargs = _for_a_graph(args, kwargs)
        _build_again_if_needed(node, twin, args, kwargs)
        outputs = twin(*args, **kwargs)
        for tensor, new in zip(node.outputs, keras.tree.flatten(outputs), strict=True):
            self.copier.remember(tensor, new)
        if key not in self.behind:
            return outputs
        self.inserted[id(node.operation)] = self.behind[key]
        return self.behind[key](outputs)

    def _with_inserted(self, old_layer):
        twin = self.copier(old_layer)
        return [twin, self.inserted[id(old_layer)]] if id(old_layer) in self.inserted else [twin]

    def operation(self, old, key):
        """The new counterpart of a layer, nested model or operation."""
        if id(old) not in self.copier.memo:
            self.copier.remember(old, self._twin(old, key))
        return self.copier.memo[id(old)]

    def _twin(self, old, key=()):
        if functional_graph(old) is not None and self._has_to_be_opened(old, key):
            return self.model(old, key)
        if self._loses(dependent_labels(self.trace, old)):
            return self._without_what_goes(old)
        return self._with_its_graph(old) if isinstance(old, Functional) else self.copier.instance(old)

    def _has_to_be_opened(self, old, key):
        return graph_inside(old) is not None or id(old) in self._unsaved or self._changes_inside(old, key)

    def _loses(self, some_labels):
        return any(self._keep(labels).size < labels.size for labels in some_labels)

    def _changes_inside(self, old, key):
        """Whether anything inside a composite layer loses channels, or gets a layer inserted behind it."""
        if functional_graph(old) is None:
            return self._loses(dependent_labels(self.trace, old))
        inserted = any(place[: len(key)] == key for place in self.behind)
        inputs = (labels for (owner, _), (_, labels) in self.trace.inputs.items() if owner == id(old))
        return inserted or self._loses(inputs) or any(self._changes(node, key) for node in nodes_in_order(old))

    def _changes(self, node, key):
        changed = self.trace.arguments.get(id(node), {}).values()
        labels = (labels for value in changed for labels in labels_in(value))
        return self._loses(labels) or self._changes_inside(node.operation, (*key, id(node)))

    def _without_what_goes(self, old):
        rebuilt = self._rebuilding(old)
        if isinstance(old, keras.Layer):
            self._rebuilt.append(rebuilt)
        return rebuilt.twin

    def _rebuilding(self, old):
        settings = self.trace.settings.get(id(old), {})
        return Rebuilt(old, {name: self._resolved(value) for name, value in settings.items()}, self.copier)

    def _with_its_graph(self, old):
        """A copy of a functional model that does more than run its graph, on a copy of that graph."""
        graph = self.model(Functional(*structures(old), name=old.name))
        twin = self.copier.instance(old)
        vars(twin).update({name: value for name, value in vars(graph).items() if name in OF_A_GRAPH})
        return twin

    def _resolved(self, value):
        """A setting or argument without the removed channels."""
        if isinstance(value, Count):
            return self._keep(value.labels).size
        if isinstance(value, Kept):
            return np.take(value.array, self._keep(value.labels), value.axis)
        if isinstance(value, Inner):
            return self._rebuilding(value.layer).twin
        if isinstance(value, slice):
            return slice(self._resolved(value.start), self._resolved(value.stop), value.step)
        if isinstance(value, dict):
            return {name: self._resolved(part) for name, part in value.items()}
        if isinstance(value, (tuple, list)):
            return type(value)(self._resolved(part) for part in value)
        return value

    def _keep(self, labels):
        return self.trace.keep(self.gone, labels)

    def sliced(self, variable, value):
        """The remaining part of `value`, an array shaped like a variable of the old model."""
        for axis, labels in enumerate(self.trace.weights.get(id(variable), ())):
            if labels is not None:
                keep = self._keep(labels)
                value = value if keep.size == labels.size else np.take(value, keep, axis)
        return value

    def _carry_over(self, old, new):
        """Copies what was set on a model after its construction, if its class is kept."""
        if type(new) is type(old):
            for name, value in attributes(old).items():
                if name not in attributes(new) and name not in OF_A_FIT:
                    setattr(new, name, self.copier(value))


def _for_a_graph(args, kwargs):
    """The arguments of a layer as the model that replaces it takes them."""
    tensors = [x for x in keras.tree.flatten((args, kwargs)) if isinstance(x, keras.KerasTensor)]
    return [tensors if len(tensors) > 1 else tensors[0]], {k: v for k, v in kwargs.items() if k == "training"}


def _of_composite(old, inputs, outputs, cut):
    """The model that replaces a composite layer; its variables keep their order, on which optimizers rely."""
    new = keras.Model(inputs, outputs, name=old.name)
    order = {id(cut.copier.memo.get(id(layer))): k for k, layer in enumerate(all_layers(old, include_self=False))}
    new._layers = sorted(new._layers, key=lambda layer: order.get(id(layer), -1))
    return new


def _build_again_if_needed(node, twin, args, kwargs):
    """Rebuilds a stateless Keras layer for its new input, so that it is saved with that shape."""
    if not isinstance(twin, keras.Layer) or isinstance(twin, keras.Model) or is_strange(twin) or twin.variables:
        return
    tensors = [x for x in keras.tree.flatten((args, kwargs)) if isinstance(x, keras.KerasTensor)]
    if [x.shape for x in tensors] != [x.shape for x in node.input_tensors]:
        twin.built = False
