"""Any criterion as a method: it ranks the filters again in each round."""

from __future__ import annotations

from typing import Any

import keras

from firekeras.arguments import typed
from firekeras.data.samples import draw_samples
from firekeras.plan.planning import PruningPlan
from firekeras.refusals import check_share, checked_whole
from firekeras.rounds.method import Method, register, with_defaults
from firekeras.rounds.run import Run
from firekeras.scores.criteria import CRITERIA, get_criterion, score_filters

A_FEW = 32  # samples, enough to see whether a criterion can score a network


class ByScore(Method):
    """Removes the filters that a criterion scores highest, within each layer or over all layers together.

    Args:
        criterion: A name that `firekeras.score_filters` knows, such as `"l2"` or `"random"`.
        samples: How many training samples to measure on in each round, at least 1, if the criterion needs data:
            drawn at random from arrays, the first ones of data in batches. Defaults to 2,000.
        balance: Overrides the run's `balance`, from 0 to 1: 0 ranks the filters of all layers together. Defaults to
            None: the run's own, which ranks within layers.
        seed: Seeds the choice of samples, and criteria that draw at random. Defaults to 0.

    Raises:
        ValueError: If there is no such criterion, or a number is out of range.

    Example:
    >>> method = firekeras.methods.ByScore("l2")  # for firekeras.compress(..., method=method)
    >>> method.description()
    {'class': 'ByScore', 'criterion': 'l2', ...}
    """

    @typed
    def __init__(self, criterion: str, *, samples: int = 2000, balance: float | None = None, seed: int = 0):
        get_criterion(criterion)
        check_balance(balance)
        self.criterion, self.balance, self.seed = criterion, balance, seed
        self.samples = checked_whole("samples", samples, 1)

    def plan(self, model: keras.Model, run: Run) -> PruningPlan:
        """The plan for the next round."""
        return run.plan(model, self._scores(model, run.train_data, self.samples, self.seed + len(run.records)))

    def check(self, model: keras.Model, train_data: Any) -> None:
        """Raises `ValueError` if a quick check shows that the criterion cannot score this network."""
        self._scores(model, train_data, A_FEW, self.seed)

    def _scores(self, model, train_data, samples, seed):
        measured = CRITERIA[self.criterion].needs == "data"
        data = draw_samples(train_data, samples, seed) if measured else None
        return score_filters(model, self.criterion, data=data, seed=seed)


def check_balance(balance):
    """Raises `ValueError` unless a method's own balance is none, or from 0 to 1."""
    if balance is not None:
        check_share("balance", balance)


@register("l1_global")
@with_defaults(ByScore, "l1", balance=0)
def l1_over_all_layers(**options: Any) -> ByScore:
    """The criterion `"l1"`, over all layers together.

    Args:
        **options: As `ByScore` takes them, except `criterion`; `balance` defaults to 0.
    """
    return ByScore("l1", **options)
