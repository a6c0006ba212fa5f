"""Any criterion as a method: all filters ranked together by it, anew in each round."""

from __future__ import annotations

from firekeras.criteria import CRITERIA, score_filters
from firekeras.plan.planning import PruningPlan


class ByScore:
    """Removes the filters that a criterion scores highest, over all layers together.

    Args:
        criterion: A name that `firekeras.score_filters` knows, such as `"l2"` or `"random"`; criteria
            that need data are given the training data.
        seed: For criteria that draw at random. Defaults to 0.

    Example:
    >>> result = firekeras.compress(model, train, validation, method=ByScore("l2"))
    """

    def __init__(self, criterion: str, *, seed: int = 0):
        self.criterion, self.seed = criterion, seed

    def plan(self, model, run) -> PruningPlan:
        """The plan for the next round."""
        seed = self.seed + len(run.records)
        return run.plan(model, score_filters(model, self.criterion, data=run.train_data, seed=seed))


def criterion_names() -> list[str]:
    """The criteria that there are."""
    return sorted(CRITERIA)
