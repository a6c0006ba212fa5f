"""Repeatable runs: the same seed gives the same round, in this process or in one that resumes the run."""

from __future__ import annotations

import keras
import numpy as np

from firekeras.channels.walk import leaf_layers
from firekeras.keras_models.internals import seed_generators


def seed_round(seed: int, number: int):
    """Seeds everything that is drawn at random in a round."""
    keras.utils.set_random_seed((seed + number) % 2**32)


def reseed(model: keras.Model, seed: int, number: int):
    """Sets the random layers of a model, such as `Dropout`, to a state that depends only on the seed and the round.

    Keras does not save that state with a model, so a loaded model would draw other numbers.
    """
    generators = [generator for _, layer in leaf_layers(model) for generator in seed_generators(layer)]
    for place, generator in enumerate(generators):
        state = np.random.SeedSequence([seed, number, place]).generate_state(1, "uint32")[0]
        generator.state.assign(np.array([state >> 1, 0], str(generator.state.dtype)))
