"""The network: a model, checked and traced once; cut by `surgery`, masked, or run layer by layer and watched."""

from firekeras.network.network import Network

__all__ = ["Network"]
