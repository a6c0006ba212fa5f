"""Copies of live Keras objects, with their own variables and exactly the same state.

A config holds only what its author thought of. A copy of the object itself keeps everything: tables and
vocabularies, the results of `finalize_state`, attributes set after construction, functions that are not
registered.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import random
import types
import weakref

import keras
import numpy as np

from firekeras.keras_models.internals import BaseOptimizer, Tracker

STATEFUL = (keras.Variable, keras.Operation, keras.Metric, keras.random.SeedGenerator, BaseOptimizer)
FRESH = {  # attributes of a layer that belong to its past calls, not to the layer
    "_inbound_nodes": list,
    "_outbound_nodes": list,
    "_losses": list,
    "_loss_ids": set,
    "_losses_override": list,
}
COMPILED_STEPS = ("train_function", "test_function", "predict_function")
FUNCTIONS = (types.FunctionType, types.MethodType, functools.partial)
GENERATORS = (np.random.Generator, np.random.RandomState, random.Random)
FOREIGN = {"tensorflow", "jax", "jaxlib", "torch", "numpy", "builtins"}  # internals of these packages are not searched


class Copier:
    """Copies objects, each once, so shared parts stay shared.

    Objects without variables, such as activation functions or initializers, are not copied.

    Args:
        operation: A function that makes the counterpart of a layer or operation. Defaults to a plain copy.

    Attributes:
        memo: The counterpart of each object, by the object's id.
    """

    def __init__(self, operation=None):
        self.memo: dict[int, object] = {}
        self._alive: list = []  # an id identifies an object only while that is alive
        self._own: set[int] = set()
        self._operation = operation or self.instance

    def __call__(self, value):
        """The copy of a value, or the value itself if nothing in it has to be copied."""
        if id(value) in self.memo:
            return self.memo[id(value)]
        return self._copy(value)

    def remember(self, value, twin):
        """Registers `twin` as the counterpart of `value`."""
        self._alive.append(value)
        self.memo[id(value)] = twin
        return twin

    def variables(self):
        """Yields each copied variable with its counterpart."""
        known = (value for value in self._alive if isinstance(value, keras.Variable))
        return ((value, self.memo[id(value)]) for value in known)

    def _copy(self, value):
        if isinstance(value, keras.Variable):
            return self.remember(value, variable_like(value, keras.ops.convert_to_numpy(value)))
        if isinstance(value, keras.Operation):
            return self.remember(value, self._operation(value))
        if isinstance(value, (*STATEFUL, Tracker)):
            return self.instance(value)
        if isinstance(value, (list, tuple, dict, set, frozenset)):
            return self._container(value)
        if isinstance(value, (np.ndarray, *GENERATORS)) or _is_foreign_state(value):
            return self.remember(value, _foreign_copy(value))
        return self._other(value) if self._is_ours(value) else value

    def instance(self, value):
        """A copy of an object with all its attributes, made without calling its constructor."""
        self._own.update(id(found) for found in _held(value))
        twin = self.remember(value, object.__new__(type(value)))
        attributes = {name: self._attribute(name, part) for name, part in vars(value).items()}
        vars(twin).update(attributes)
        _settle(value, twin)
        return twin

    def _attribute(self, name, value):
        if name in FRESH:
            return FRESH[name]()
        if name in COMPILED_STEPS:
            return None
        if name == "_modules":  # torch keeps sublayers here
            return {key: self(layer) for key, layer in value.items() if key != "_torch_params"}
        return self(value)

    def _container(self, value):
        if isinstance(value, (tuple, frozenset)):
            return self._frozen(value)
        tracked = hasattr(value, "tracker")
        twin = self.remember(value, type(value)() if tracked else copy.copy(value))
        twin.clear()
        if isinstance(value, dict):
            twin.update({self(key): self(part) for key, part in value.items()})
        elif isinstance(value, list):
            twin.extend([self(part) for part in value])
        else:
            twin.update({self(part) for part in value})
        if tracked:  # only now: the copied parts are already tracked
            vars(twin)["tracker"] = self(value.tracker)
        return twin

    def _frozen(self, value):
        parts = [self(part) for part in value]
        if all(old is new for old, new in zip(value, parts, strict=True)):
            return value
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)

    def _is_ours(self, value):
        """Whether a function or plain object refers to something that is being copied."""
        return any(id(found) in self._own or id(found) in self.memo for found in _held(value, closures=True))

    def _other(self, value):
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if isinstance(value, types.MethodType):
            return types.MethodType(self(value.__func__), self(value.__self__))
        if isinstance(value, functools.partial):
            return functools.partial(self(value.func), *map(self, value.args), **dict(self(value.keywords)))
        if isinstance(value, weakref.ref):
            return weakref.ref(self(value()))
        return self.instance(value)

    def _function(self, value):
        """The function with the contents of its closure replaced."""
        cells = tuple(types.CellType() for _ in value.__closure__ or ())
        twin = types.FunctionType(value.__code__, value.__globals__, value.__name__, value.__defaults__, cells)
        self.remember(value, twin)
        for cell, original in zip(cells, value.__closure__ or (), strict=True):
            with contextlib.suppress(ValueError):  # an empty cell
                cell.cell_contents = self._captured(original.cell_contents)
        twin.__defaults__, twin.__kwdefaults__ = map(self._captured, (value.__defaults__, value.__kwdefaults__))
        vars(twin).update({name: self._captured(part) for name, part in vars(value).items()})
        twin.__qualname__, twin.__doc__ = value.__qualname__, value.__doc__
        return twin

    def _captured(self, value):
        return self(value) if self._is_ours(value) else value


def attributes(value) -> dict:
    """An object's attributes by name, including the sublayers that torch stores separately."""
    return {**vars(value), **vars(value).get("_modules", {})}


def holds_variables(value) -> bool:
    """Whether a value is, or holds, an object with variables."""
    return next(_held(value), None) is not None


def variable_like(old, value):
    """A variable with the name, path and settings of another one, and a new value."""
    settings = {"trainable": old.trainable, "autocast": old._autocast, "name": old.name}
    spread = {"aggregation": old.aggregation, "synchronization": old.synchronization}
    with contextlib.ExitStack() as scopes:
        for scope in old.path.split("/")[:-1]:  # layouts over devices are looked up by path
            scopes.enter_context(keras.name_scope(scope))
        new = keras.Variable(value, dtype=old.dtype, **settings, **spread)
    same_settings(old, new)
    return new


def same_settings(old, new):
    """Copies path, flags, regularizer, constraint and all other attributes from one variable to another."""
    new._path = old._path
    if new.trainable != old.trainable:
        new.trainable = old.trainable
    for name in ("_regularizer", "_constraint", "_overwrite_with_gradient"):
        vars(new)[name] = vars(old)[name]
    vars(new).update({name: value for name, value in vars(old).items() if name not in vars(new)})


def _held(value, closures=False):
    """Yields the objects with variables that a value holds.

    Args:
        value: Any object.
        closures: Whether to look into functions, but not into objects with variables. Defaults to False.
    """
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, STATEFUL):
            yield value
        if not isinstance(value, keras.Variable) and not (closures and isinstance(value, STATEFUL)):
            waiting += _parts(value, closures)


def _parts(value, closures):
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    if isinstance(value, FUNCTIONS):
        return _captured_by(value) if closures else []
    if isinstance(value, weakref.ref):
        return [value()]
    if isinstance(value, (type, types.ModuleType, keras.KerasTensor)) or _is_foreign(value):
        return []
    return [part for name, part in getattr(value, "__dict__", {}).items() if name not in FRESH]


def _captured_by(function):
    if isinstance(function, types.MethodType):
        return [function.__func__, function.__self__]
    if isinstance(function, functools.partial):
        return [function.func, function.args, function.keywords]
    cells = []
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):
            cells.append(cell.cell_contents)
    return [*cells, function.__defaults__, function.__kwdefaults__, *vars(function).values()]


def _is_foreign(value):
    return type(value).__module__.split(".")[0] in FOREIGN


def _is_foreign_state(value):
    """Whether a value is a native TensorFlow or PyTorch variable, tensor or module, whose state may change."""
    if keras.backend.backend() == "torch":
        import torch

        return isinstance(value, (torch.Tensor, torch.nn.Module))
    return _is_foreign(value) and type(value).__name__ == "ResourceVariable"


def _foreign_copy(value):
    if hasattr(value, "requires_grad") and not value.is_leaf:
        return value.detach().clone()
    return copy.deepcopy(value)


def _settle(old, new):
    """Repairs what refers to objects by id, and what the backend stores besides the attributes."""
    if isinstance(new, Tracker):
        new.stored_ids = {name: {id(part) for part in store} for name, (_, store) in new.config.items()}
    if hasattr(new, "_trainable_variables_indices"):
        new._trainable_variables_indices = {new._var_key(v): k for k, v in enumerate(new._trainable_variables)}
    if "_torch_params" in vars(old).get("_modules", ()):
        _track_in_torch(new)


def _track_in_torch(layer):
    if type(layer).__name__ == "TorchModuleWrapper":
        for variable, parameter in zip(layer.variables, layer.module.parameters(), strict=True):
            variable._value = parameter
    layer._track_variables()
