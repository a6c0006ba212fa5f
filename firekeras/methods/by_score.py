"""Any criterion as a method: filters are ranked by it, again in each round."""

from __future__ import annotations

from firekeras.data.samples import draw_samples
from firekeras.plan.planning import PruningPlan
from firekeras.refusals import check_share, check_whole
from firekeras.rounds.method import Method, register
from firekeras.scores.criteria import CRITERIA, get_criterion, score_filters

A_FEW = 32  # samples by which one sees whether a criterion has anything to say of a network


class ByScore(Method):
    """Removes the filters that a criterion scores highest: of each layer, or of all layers together.

    Args:
        criterion: A name that `firekeras.score_filters` knows, such as `"l2"` or `"random"`.
        samples: How many of the training data a criterion that needs data is measured on in each round,
            from 1 on: of arrays as many at random, of data in batches the first ones. Defaults to 2,000.
        balance: In place of the run's: 0 ranks the filters of all layers together. Defaults to None: the run's,
            which ranks within layers.
        seed: For the choice of samples, and for criteria that draw at random. Defaults to 0.

    Raises:
        ValueError: If there is no such criterion, or a number is out of its range.

    Example:
    >>> result = firekeras.compress(model, train, validation, method=ByScore("l2"))
    """

    def __init__(self, criterion: str, *, samples: int = 2000, balance: float | None = None, seed: int = 0):
        get_criterion(criterion)
        check_whole("samples", samples, 1)
        check_balance(balance)
        self.criterion, self.samples, self.balance, self.seed = criterion, samples, balance, seed

    def plan(self, model, run) -> PruningPlan:
        """The plan for the next round."""
        return run.plan(model, self._scores(model, run.train_data, self.samples, self.seed + len(run.records)))

    def check(self, model, train_data):
        """Raises `ValueError`, after a quick look, where the criterion has nothing to say of the network."""
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
def l1_over_all_layers(**options) -> ByScore:
    """The criterion "l1", over all layers together."""
    return ByScore("l1", balance=0, **options)
