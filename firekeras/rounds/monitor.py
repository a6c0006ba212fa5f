"""The metric to watch: which one, which way is better, and how far it may fall. Imports no Keras."""

from __future__ import annotations

import math
from collections.abc import Iterable

from firekeras.refusals import check_number, check_share, suggestion

LOWER_IS_BETTER = ("loss", "error", "mae", "mse", "crossentropy", "divergence", "poisson", "hinge", "rmse", "mape")
SCORES = ("acc", "iou", "io_u", "dice", "auc", "f1", "r2")  # parts of names, in order of preference
KEEPS_ALL = 0.5  # the tolerance of an accuracy from which hardly any network is too bad
ROUNDING = 1e-6  # relative error of float32 sums over a few thousand samples


def lower_is_better(monitor: str) -> bool:
    """Whether lower values of this metric are better, judging by its name."""
    return any(word in monitor.lower() for word in LOWER_IS_BETTER)


def is_accuracy(monitor: str) -> bool:
    """Whether a metric is an accuracy of some kind, judging by its name."""
    return "acc" in monitor.lower() and not lower_is_better(monitor)


def chosen_monitor(monitor: str | None, names: Iterable[str], outputs: int = 1) -> str:
    """The name of the metric to watch, without `"val_"`.

    Args:
        monitor: As the user gave it, with or without `"val_"`. None picks the accuracy of a network with one
            output, else another score (IoU, AUC, ...), else the loss; with several outputs the loss, which
            covers them all.
        names: The metrics that the network has.
        outputs: How many outputs the network has. Defaults to 1.

    Raises:
        ValueError: If there is no such metric; the message lists those that exist.

    Example:
    >>> from firekeras.rounds.monitor import chosen_monitor
    >>> chosen_monitor(None, ["loss", "sparse_categorical_accuracy"])
    'sparse_categorical_accuracy'
    """
    names = [name.removeprefix("val_") for name in names]
    if monitor is None:
        return _default(names) if outputs == 1 else "loss"
    plain = monitor if monitor in names else monitor.removeprefix("val_")
    if plain not in names:
        hint = suggestion(plain, names)
        raise ValueError(
            f"The model has no metric {monitor!r} to watch; it has {sorted(set(names))}.{hint} Compile it with "
            "metrics=['accuracy'], or give monitor=... one of these."
        )
    return plain


def _default(names):
    scores = [name for word in SCORES for name in names if word in name.lower() and not lower_is_better(name)]
    return next((name for name in scores if name in ("accuracy", "acc")), scores[0] if scores else "loss")


def check_tolerance(tolerance: float, monitor: str):
    """Raises `ValueError` unless a metric may fall by so much; infinity keeps everything."""
    meaning = "how far the metric may fall, in absolute points (0.01 is one point), or a share if lower is better"
    check_number("tolerance", tolerance, meaning, least=0, most=math.inf)
    if is_accuracy(monitor) and 1 < tolerance < math.inf:
        hint = " With 1 every round is kept."
        check_share("tolerance", tolerance, f"a share of 1 as {monitor!r} is (0.01 is one point)", hint=hint)


def keeps_all(tolerance: float, monitor: str) -> str | None:
    """A sentence if a tolerance, unless it is infinity, is so large that it keeps whatever comes; else None.

    Example:
    >>> from firekeras.rounds.monitor import keeps_all
    >>> keeps_all(1, "accuracy")
    'tolerance=1 keeps every round: it is in units of the metric, 0.01 is one point of accuracy.'
    """
    if not is_accuracy(monitor) or not KEEPS_ALL <= tolerance < math.inf:
        return None
    kept = rounds_kept(tolerance)
    return f"tolerance={tolerance:g} keeps {kept}: it is in units of the metric, 0.01 is one point of {monitor}."


def tolerance_in_words(tolerance: float, monitor: str) -> str:
    """A tolerance for people; one that keeps whatever comes also in points: `"1 (100 points)"`."""
    points = f" ({100 * tolerance:g} points)" if keeps_all(tolerance, monitor) else ""
    return f"{tolerance:g}{points}"


def verdict(result) -> str:
    """Whether a run ended within its tolerance: `"outside the tolerance of 0.01"`.

    Args:
        result: A `CompressionResult` or a `RunReport`.
    """
    side = "within" if result.within_tolerance else "outside"
    return f"{side} the tolerance of {tolerance_in_words(result.tolerance, result.monitor)}"


def rounds_kept(tolerance: float) -> str:
    """Which rounds such a tolerance keeps."""
    return "every round" if tolerance >= 1 else "almost every round"


def uncertainty(accuracy: float, samples: int) -> float:
    """By how much an accuracy on so many samples may be off by chance: two standard errors, about 95%.

    Two hits and two misses are added first (Agresti and Coull 1998), or 100% on ten samples would be certain. For two
    networks on the same samples this is an upper bound: most of their errors are shared.

    Example:
    >>> from firekeras.rounds.monitor import uncertainty
    >>> round(uncertainty(0.9, 500), 3)
    0.027
    """
    share = (accuracy * samples + 2) / (samples + 4)
    return 2 * math.sqrt(share * (1 - share) / (samples + 4))


def worst_accepted(baseline: float, tolerance: float, monitor: str) -> float:
    """The worst metric that is still accepted.

    If higher is better, `tolerance` is in absolute points; if lower is better, it is a share of the baseline.
    """
    if lower_is_better(monitor):
        return baseline + tolerance * abs(baseline) if math.isfinite(tolerance) else math.inf
    return baseline - tolerance


def within_tolerance(value: float, baseline: float, tolerance: float, monitor: str) -> bool:
    """Whether a metric is at most `tolerance` worse than the baseline; NaN never is."""
    if math.isnan(value):
        return False
    worst = worst_accepted(baseline, tolerance, monitor)
    slack = ROUNDING * max(abs(baseline), ROUNDING)
    return value <= worst + slack if lower_is_better(monitor) else value >= worst - slack


def better(value: float, other: float, monitor: str) -> bool:
    """Whether a value of a metric is better than another; NaN is worse than anything."""
    if math.isnan(value) or math.isnan(other):
        return not math.isnan(value)
    return value < other if lower_is_better(monitor) else value > other


def lost(value: float, baseline: float, monitor: str) -> float:
    """How much worse a metric is than the baseline: in points, or as a share of it if lower is better."""
    if value == baseline:
        return 0.0
    if lower_is_better(monitor):
        return (value - baseline) / abs(baseline) if baseline else math.copysign(math.inf, value - baseline)
    return baseline - value
