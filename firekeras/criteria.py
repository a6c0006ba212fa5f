"""Scores by name. Adding a criterion is registering one function."""

from __future__ import annotations

import numpy as np

from firekeras.names import nearest
from firekeras.profile import FilterScores

_CRITERIA: dict[str, object] = {}


def criterion(name: str):
    """Registers a criterion: a function of a filter's weights that says how dispensable it is.

    The function gets the kernel of one layer, `(*taps, input channels, filters)`, and a NumPy
    random generator; it returns one number per filter, `(filters,)`: higher goes first.

    Example:
    >>> @criterion("largest_weight")
    ... def largest_weight(kernel, rng):
    ...     return -np.abs(kernel).max(axis=tuple(range(kernel.ndim - 1)))
    """

    def register(function):
        _CRITERIA[name] = function
        return function

    return register


def score_filters(model, criterion="l1", data=None, seed=None) -> FilterScores:
    """Scores every filter of a model by a criterion.

    Args:
        model: A built Functional or Sequential model.
        criterion: `"l1"` (Li et al. 2017, section 3.1: small norms go first), `"l2"`, `"random"`,
            or any registered name; `"fire"` measures FIRE on `data`.
        data: For criteria that need it, what `model.fit` takes. Defaults to none.
        seed: For criteria that draw at random. Defaults to none, a new draw each time.

    Returns:
        `FilterScores`.

    Raises:
        ValueError: If the criterion is unknown, or needs data and got none.

    Example:
    >>> scores = firekeras.score_filters(model, criterion="l1")
    """
    if criterion == "fire":
        return _measured(model, data)
    score = _known(criterion)
    from firekeras.channels import filter_kernels
    from firekeras.channels.check import check_weights

    rng = np.random.default_rng(seed)
    kernels = filter_kernels(model)
    check_weights(model)
    norms = {name: l1_norm(kernel) for name, kernel in kernels.items()}
    return FilterScores({name: score(k, rng) for name, k in kernels.items()}, criterion=criterion, l1=norms)


def _known(name):
    if name in _CRITERIA:
        return _CRITERIA[name]
    names = sorted([*_CRITERIA, "fire"])
    raise ValueError(f"Unknown criterion {name!r}. Expected one of {names}. Did you mean {nearest(name, names)!r}?")


def _measured(model, data):
    if data is None:
        raise ValueError("The criterion 'fire' is measured on data: pass data=..., anything that model.fit takes.")
    from firekeras.measure import measure_fire

    return measure_fire(model, data)


def l1_norm(kernel):
    """The l1 norm of each filter of a kernel `(..., filters)`, in float64."""
    return np.abs(kernel).sum(axis=tuple(range(kernel.ndim - 1)), dtype="float64")


@criterion("l1")
def small_l1(kernel, rng):
    """Minus the l1 norm of the filter's weights (Li et al. 2017, section 3.1)."""
    return -l1_norm(kernel)


@criterion("l2")
def small_l2(kernel, rng):
    """Minus the l2 norm of the filter's weights."""
    return -np.sqrt(np.square(kernel).sum(axis=tuple(range(kernel.ndim - 1)), dtype="float64"))


@criterion("random")
def random(kernel, rng):
    """A number at random: the control that every criterion has to beat."""
    return rng.uniform(size=kernel.shape[-1])
