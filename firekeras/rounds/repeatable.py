"""Runs that can be repeated: the same seed gives the same round, in this process or in one that goes on with it."""

from __future__ import annotations

import keras
import numpy as np

from firekeras.channels.walk import leaf_layers
from firekeras.keras_models.internals import seed_generators


def seed_round(seed: int, number: int):
    """Seeds all that is drawn in a round."""
    keras.utils.set_random_seed((seed + number) % 2**32)


def reseed(model, seed: int, number: int):
    """Sets the random layers of a model, such as `Dropout`, to a state that depends on seed and round alone.

    Keras does not save that state with a model, so that a loaded one would go on differently.
    """
    generators = [one for _, layer in leaf_layers(model) for one in seed_generators(layer)]
    for place, generator in enumerate(generators):
        state = np.random.SeedSequence([seed, number, place]).generate_state(1, "uint32")[0]
        generator.state.assign(np.array([state >> 1, 0], str(generator.state.dtype)))
