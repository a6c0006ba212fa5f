"""When to stop measuring: once it is certain which filters are the next to go.

Samples are the independent unit: the positions of one image are correlated, so each filter has one
rate per image, in [0, 1], and FIRE is their mean. How far that mean may be from the one over all
images is bounded by the empirical Bernstein-Serfling inequality (Bardenet and Maillard 2015, theorem
4.3), for sampling without replacement; by the union bound it holds for all filters and all checks at
once.
"""

from __future__ import annotations

import math

import keras
import numpy as np

CONFIDENCE = 0.95  # that a wrongly chosen filter is at most SLACK below one that was left
SLACK = 0.02  # in FIRE: filters closer than this count as tied, and may swap
FIRST_LOOK = 4  # batches until the first check
LOOK_AGAIN = 1.4  # times as many batches until the next check
KAPPA = 7 / 3 + 3 / math.sqrt(2)


def radius(deviation, samples, population, failure):
    """How far the mean over some samples may be from the mean over all of them.

    Args:
        deviation: Standard deviation of the samples, of values in [0, 1].
        samples: The number of samples drawn, without replacement.
        population: The number of all samples; `math.inf` if unknown.
        failure: The probability with which the bound may fail.

    Returns:
        The bound, in units of the values; 0 once all samples were drawn.
    """
    if samples >= population:
        return np.zeros_like(deviation)
    left = (
        1 - (samples - 1) / population if samples <= population / 2 else (1 - samples / population) * (1 + 1 / samples)
    )
    log = math.log(5 / failure)
    return deviation * math.sqrt(2 * left * log / samples) + KAPPA * log / samples


def settled(mean, deviation, samples, population, cut, look) -> bool:
    """Whether it is certain enough which filters have the highest means.

    Args:
        mean: FIRE so far of all filters that can be ranked, `(filters,)`.
        deviation: The standard deviation of each over samples, `(filters,)`.
        samples: The number of samples so far.
        population: The number of all samples; `math.inf` if unknown.
        cut: Share of the filters that will be removed, 0 to 1.
        look: The 1-based index of this check.
    """
    failure = (1 - CONFIDENCE) / (look * (look + 1)) / max(1, mean.size)
    bound = radius(deviation, samples, population, failure)
    count = min(max(1, round(cut * mean.size)), mean.size - 1)
    order = np.argsort(-mean, kind="stable")
    goes, stays = order[:count], order[count:]
    return bool((mean + bound)[stays].max(initial=0) - (mean - bound)[goes].min(initial=1) <= SLACK)


class StopWhenSettled(keras.callbacks.Callback):
    """Ends a measurement once it is certain which filters will be removed.

    Args:
        rates: A function that returns (mean, deviation, samples) of the filters that can be ranked.
        population: The number of all samples; `math.inf` if unknown.
        cut: Share of the filters that will be removed.
    """

    def __init__(self, rates, population, cut):
        super().__init__()
        self.rates, self.population, self.cut = rates, population, cut
        self.look, self.next_look = 0, FIRST_LOOK

    def on_test_batch_end(self, batch, logs=None):
        if batch + 1 < self.next_look:
            return
        self.look, self.next_look = self.look + 1, math.ceil(LOOK_AGAIN * (batch + 1))
        model = self.model  # accessing it updates the counters under JAX
        mean, deviation, samples = self.rates()
        if settled(mean, deviation, samples, self.population, self.cut, self.look):
            model.stop_evaluating = True
