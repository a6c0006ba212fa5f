"""How well predicted FIRE agrees with measured FIRE: in value, in rank, and at the top."""

from __future__ import annotations

import numpy as np
from scipy.stats import spearmanr

from firekeras.refusals import check_one_of, check_share


def detector_metrics(true, predicted) -> dict[str, float]:
    """All metrics of a detector, in both readings of those in the paper.

    Args:
        true: Measured FIRE, shape `(filters,)`.
        predicted: Predicted FIRE, shape `(filters,)`.

    Returns:
        `mae` (mean absolute error); `ndcg` (top 10 %), `ndcg_full` (all filters) and `ndcg_binary`
        (top 10 %, binary gain); `precision_P_T`, the share of the predicted top P % that lies in
        the true top T %; `spearman` (rank correlation, NaN if one side is constant).

    Raises:
        ValueError: If the two are not finite 1-D arrays of the same length.

    Example:
    >>> from firekeras.scores.detector.metrics import detector_metrics
    >>> detector_metrics([0.2, 0.9, 0.5], [0.3, 0.8, 0.5])["spearman"]
    1.0

    Source: FIREPruning, section 4.2 and Table 2. The paper leaves open what NDCG's gain and cutoff
    are and which two sets precision compares, so compare these numbers with each other only.
    """
    true, predicted = _pair(true, predicted)
    return {
        "mae": float(np.abs(true - predicted).mean()),
        "ndcg": ndcg(true, predicted, k=0.1),
        "ndcg_full": ndcg(true, predicted, k=1.0),
        "ndcg_binary": ndcg(true, predicted, k=0.1, gain="binary"),
        "precision_10_10": precision_at(true, predicted, 0.1, 0.1),
        "precision_10_40": precision_at(true, predicted, 0.1, 0.4),
        "precision_40_40": precision_at(true, predicted, 0.4, 0.4),
        "spearman": _spearman(true, predicted),
    }


def precision_at(true, predicted, k_predicted: float, k_true: float) -> float:
    """Share of the predicted top that lies in the true top.

    |top(predicted, k_predicted) ∩ top(true, k_true)| / |top(predicted, k_predicted)|, where
    top(v, k) are the k * n largest of n values: rounded, at least one. Of values that tie at its edge each counts in
    part, so the precision is what random order among them gives on average: a constant prediction is worth chance.

    Args:
        true: Measured values, shape `(n,)`.
        predicted: Predicted values, shape `(n,)`.
        k_predicted: Size of the predicted top, a share in (0, 1].
        k_true: Size of the true top, a share in (0, 1].

    Raises:
        ValueError: If the values are not finite 1-D arrays of the same length, or a share is out
            of range.

    Example:
    >>> from firekeras.scores.detector.metrics import precision_at
    >>> precision_at([0.9, 0.8, 0.1, 0.2], [0.7, 0.1, 0.6, 0.2], 0.5, 0.5)
    0.5

    Source: FIREPruning, Table 2. "Prec.@40%" may mean (0.4, 0.4) or (0.1, 0.4).
    """
    true, predicted = _pair(true, predicted)
    chosen = _top(predicted, k_predicted)
    return float(chosen @ _top(true, k_true) / chosen.sum())


def ndcg(true, predicted, k: float = 0.1, gain: str = "linear") -> float:
    """Normalised discounted cumulative gain of the predicted order.

    DCG(order) = Σ gain(order[i]) / log2(i + 1) for i = 1 ... k * n (rounded, at least one);
    NDCG = DCG(predicted order) / DCG(true order). Orders are descending; predictions that tie share the mean of their
    gains, as in random order. It is 1 if no order gains anything.

    Args:
        true: Measured values, at least 0, shape `(n,)`.
        predicted: Predicted values, shape `(n,)`.
        k: How much of the order counts, a share in (0, 1].
        gain: `"linear"`, the true value, or `"binary"`, 1 in the true top k and 0 elsewhere.

    Raises:
        ValueError: If the values are not finite 1-D arrays of the same length, or `k` or `gain` is
            not one of those listed.

    Example:
    >>> from firekeras.scores.detector.metrics import ndcg
    >>> ndcg([1.0, 0.0], [0.1, 0.2], k=1.0)  # 1 / log2(3)
    0.6309297535714575

    Source: FIREPruning, Table 2, which leaves gain, cutoff and logarithm open.
    """
    # Not scikit-learn's ndcg_score: that is 0 where no order gains anything, and refuses a single filter.
    true, predicted = _pair(true, predicted)
    gains, count = _gains(true, k, gain), _count(k, len(true))
    discount = 1 / np.log2(np.arange(2, count + 2))
    best = _in_order(gains, true)[:count] @ discount
    return float(_in_order(gains, predicted)[:count] @ discount / best) if best else 1.0


def _gains(true, k, gain):
    check_one_of("gain", gain, ("linear", "binary"))
    return true if gain == "linear" else _top(true, k)


def _in_order(gains, values):
    """The gains in descending order of the values; those of equal values are averaged."""
    _, group, counts = np.unique(-values, return_inverse=True, return_counts=True)
    return np.repeat(np.bincount(group, gains) / counts, counts)


def _top(values, share):
    """How much of each value lies in the top: 1 or 0, and a part of each value that ties at its edge."""
    count = _count(share, len(values))
    edge = np.sort(values)[-count]
    above, tied = values > edge, values == edge
    return above + tied * (count - above.sum()) / tied.sum()


def _count(share, of):
    check_share("k", share, "a share such as 0.1, for the top 10%", above=0)
    return max(1, round(share * of))


def _pair(true, predicted):
    pair = np.asarray(true, "float64"), np.asarray(predicted, "float64")
    shapes = [values.shape for values in pair]
    finite = all(np.isfinite(values).all() for values in pair)
    if shapes[0] != shapes[1] or pair[0].ndim != 1 or not pair[0].size or not finite:
        raise ValueError(
            "True and predicted values must be finite 1-D arrays of the same length. Received: "
            f"shapes {shapes[0]} and {shapes[1]}{'' if finite else ', not all finite'}. "
            "Leave unscored filters (NaN) out of both."
        )
    return pair


def _spearman(true, predicted):
    if np.ptp(true) == 0 or np.ptp(predicted) == 0:
        return float("nan")
    return float(spearmanr(true, predicted).statistic)
