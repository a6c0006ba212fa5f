"""The network: a model, checked and traced once; it can be cut (`surgery`), masked, or run layer by layer."""

from firekeras.network.network import Network

__all__ = ["Network"]
