"""The network: a `keras.Model`, checked and traced once, that knows what its layers read, and how to cut them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping

import keras
import numpy as np

from firekeras.channels import traced
from firekeras.channels.trace import Trace
from firekeras.channels.walk import leaf_layers
from firekeras.keras_models.compiling import compile_alike
from firekeras.keras_models.devices import scope_of
from firekeras.network.surgery import Cut


@dataclasses.dataclass(frozen=True, eq=False)
class Network(Trace):
    """A model as firekeras sees it; internal functions pass this on instead of the model.

    It is immutable; weights are always the model's current ones.

    Args:
        model: A built Functional or Sequential model.
        graph, and all others: As in `Trace`, for this model.

    Example:
    >>> from firekeras.network import Network
    >>> network = Network.of(model)
    >>> network.kernel("conv1").shape        # (*taps, input channels, filters)
    (3, 3, 1, 8)
    >>> gone = network.graph.units_of({"conv1": [3, 5]})
    >>> network.without(gone).get_layer("conv1").filters
    6
    """

    model: keras.Model

    @classmethod
    def of(cls, model: keras.Model | Network) -> Network:
        """The network of a model; a network is returned unchanged.

        Raises:
            ValueError: If the model is subclassed, not built, or holds something that surgery cannot preserve.
        """
        if isinstance(model, Network):
            return model
        trace = traced(model)
        parts = {field.name: getattr(trace, field.name) for field in dataclasses.fields(trace)}
        return cls(**parts, model=model)

    @functools.cached_property
    def leaves(self) -> dict[str, keras.Layer]:
        """Every layer that is not a nested functional model, by path."""
        return dict(leaf_layers(self.model))

    @functools.cached_property
    def batch_norms(self) -> dict[str, keras.Layer]:
        """The BatchNormalization layers whose channels are known, by path; those inside other layers are left out."""
        return {path: layer for path, layer in self.leaves.items() if self.normalisers.get(path) is layer}

    def kernel(self, layer: str) -> np.ndarray:
        """The weights of a layer's filters, `(*taps, input channels, filters)`."""
        return self.kernels[layer]()

    def filter_kernels(self) -> dict[str, np.ndarray]:
        """The weights of the filters of each layer that has any, in topological order; see `kernel`."""
        return {name: self.kernel(name) for name in self.graph.filter_layers}

    def without(
        self, gone: np.ndarray, behind: Mapping[tuple, keras.Layer] | None = None, built: bool = True
    ) -> keras.Model:
        """Rebuilds the model without some units.

        Args:
            gone: A mask over units, bool `(num_units,)`.
            behind: Layers to insert, by the key of the call whose output they take. Defaults to none.
            built: Whether the optimizer has slots even if it has taken no step yet. Defaults to True.

        Returns:
            A new model, compiled like the old one, with weights and optimizer state cut accordingly.
        """
        cut = Cut(self, gone, behind or {})
        with scope_of(self.model):
            new = cut.network(self.model)
            if self.model.compiled:
                compile_alike(self.model, new, cut, built)
        return new

    def copy(self, compiled: bool = False) -> keras.Model:
        """The same model with variables of its own.

        Args:
            compiled: Whether the copy is compiled too, with the optimizer's state. Defaults to False.
        """
        nothing = np.zeros(self.graph.num_units, bool)
        return self.without(nothing) if compiled else Cut(self, nothing, {}).network(self.model)
