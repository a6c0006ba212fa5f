"""When is it enough data: once it is settled which filters are about to go.

Samples are the independent unit: the positions of one image are correlated, so that each filter has
one rate per image, in [0, 1], and FIRE is their mean. How far that mean may be from the one over all
images is bounded by the empirical Bernstein-Serfling inequality (Bardenet and Maillard 2015, theorem
4.3), for drawing without replacement; by the union bound it holds for all filters at once, and at all
the moments at which one looks.
"""

from __future__ import annotations

import math

import keras
import numpy as np

CONFIDENCE = 0.95  # that a filter taken wrongly is no more than SLACK below one that was left
SLACK = 0.02  # FIRE: filters closer than this are as good as tied, and may change places
FIRST_LOOK = 4  # batches
LOOK_AGAIN = 1.4  # times as many batches later
KAPPA = 7 / 3 + 3 / math.sqrt(2)


def radius(deviation, samples, population, failure):
    """How far a mean over some samples may be from the mean over all of them.

    Args:
        deviation: Standard deviation of the samples, of values in [0, 1].
        samples: How many were drawn, without replacement.
        population: How many there are; `math.inf` where nobody knows.
        failure: Probability with which the bound may fail.

    Returns:
        The bound, in units of the values; 0 once all were drawn.
    """
    if samples >= population:
        return np.zeros_like(deviation)
    left = (
        1 - (samples - 1) / population if samples <= population / 2 else (1 - samples / population) * (1 + 1 / samples)
    )
    log = math.log(5 / failure)
    return deviation * math.sqrt(2 * left * log / samples) + KAPPA * log / samples


def settled(mean, deviation, samples, population, cut, look) -> bool:
    """Whether it is certain enough which filters are the `cut` with the highest means.

    Args:
        mean: FIRE so far of all filters that can be ranked, `(filters,)`.
        deviation: Standard deviation of each over samples, `(filters,)`.
        samples: How many samples were seen.
        population: How many there are; `math.inf` where nobody knows.
        cut: Share of the filters that are about to go, 0 to 1.
        look: The how manieth look this is, from 1.
    """
    failure = (1 - CONFIDENCE) / (look * (look + 1)) / max(1, mean.size)
    bound = radius(deviation, samples, population, failure)
    count = min(max(1, round(cut * mean.size)), mean.size - 1)
    order = np.argsort(-mean, kind="stable")
    goes, stays = order[:count], order[count:]
    return bool((mean + bound)[stays].max(initial=0) - (mean - bound)[goes].min(initial=1) <= SLACK)


class StopWhenSettled(keras.callbacks.Callback):
    """Ends a measurement once the filters that are about to go are settled.

    Args:
        rates: A function that gives (mean, deviation, samples) of the filters that can be ranked.
        population: How many samples there are; `math.inf` where nobody knows.
        cut: Share of the filters that are about to go.
    """

    def __init__(self, rates, population, cut):
        super().__init__()
        self.rates, self.population, self.cut = rates, population, cut
        self.look, self.next_look = 0, FIRST_LOOK

    def on_test_batch_end(self, batch, logs=None):
        if batch + 1 < self.next_look:
            return
        self.look, self.next_look = self.look + 1, math.ceil(LOOK_AGAIN * (batch + 1))
        model = self.model  # asking for it brings the counters up to date under JAX
        mean, deviation, samples = self.rates()
        if settled(mean, deviation, samples, self.population, self.cut, self.look):
            model.stop_evaluating = True
