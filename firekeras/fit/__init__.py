"""Pruning inside `model.fit`: the callback, and what it takes to change a model that is being trained."""
