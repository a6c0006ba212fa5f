"""The detector's regressors, by name; a new one needs one registered function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from firekeras.arguments import short
from firekeras.refusals import Registry
from firekeras.scores.detector.features import FEATURES

REGRESSORS = Registry("regressor", "firekeras.scores.detector.regressors.register_regressor")


def scikit_learn():
    """What the detector takes from scikit-learn.

    Raises:
        ImportError: If it is not installed; says how to install it, and what works without it.
    """
    try:
        from firekeras.scores.detector import estimators
    except ImportError as error:
        raise ImportError(
            'The detector needs scikit-learn, which is not installed: pip install "firekeras[detector]". Without it, '
            'FirePruning(mode="measured") measures FIRE in every round, and all other methods work.'
        ) from error
    return estimators


def register_regressor(name: str) -> Callable[[Any], Any]:
    """Registers a regressor by name, so that detectors with it can be saved.

    The decorated function takes a seed and returns a new regressor, any object with scikit-learn's
    `fit(X, y)` and `predict(X)`. A name that is already registered is replaced.

    Args:
        name: The name to use in `FireDetector(regressor=name)`.

    Returns:
        A decorator that registers a function and returns it.

    Example:
    >>> from sklearn.linear_model import Ridge
    >>> from firekeras.scores.detector.regressors import register_regressor
    >>> @register_regressor("ridge")
    ... def ridge(seed):
    ...     return Ridge(random_state=seed)
    >>> detector = firekeras.FireDetector("ridge").fit(model, profile)
    """

    return REGRESSORS.register(name)


@register_regressor("random_forest")
def _random_forest(seed):
    return scikit_learn().RandomForestRegressor(
        n_estimators=200, min_samples_leaf=2, max_features=1.0, random_state=seed
    )


@register_regressor("gradient_boosting")
def _gradient_boosting(seed):
    return scikit_learn().GradientBoostingRegressor(
        n_estimators=300, max_depth=3, learning_rate=0.05, random_state=seed
    )


@register_regressor("svr")
def _svr(seed):
    return scikit_learn().scaled(scikit_learn().SVR(kernel="rbf", C=1.0, epsilon=0.02))


@register_regressor("mlp")
def _mlp(seed):
    # Twenty epochs of patience: with few filters an epoch is a single step of Adam.
    settings = {"hidden_layer_sizes": (64, 32), "max_iter": 1000, "n_iter_no_change": 20, "random_state": seed}
    return scikit_learn().scaled(scikit_learn().EarlyStoppedMLP(**settings))


@register_regressor("linear")
def _linear(seed):
    return scikit_learn().scaled(scikit_learn().LinearRegression())


@register_regressor("gaussian")
def _gaussian(seed):
    return ClosedForm()


class ClosedForm:
    """FIRE in closed form, from the features of the BatchNormalization: nothing to train; NaN without one.

    See `firekeras.scores.detector.features.gaussian_fire`.
    """

    def fit(self, X, y):  # noqa: N803 (scikit-learn's own name)
        """Does nothing."""
        return self

    def predict(self, X):  # noqa: N803
        """The closed form of each filter, `(filters,)`."""
        fire, known = X[:, FEATURES["bn"].index("bn_fire")], X[:, FEATURES["bn"].index("bn")]
        return np.where(known == 1, fire, np.nan)


def light_regressor(identifier, seed: int = 0):
    """As `get_regressor`, but a forest with a quarter of its trees: enough to estimate its quality."""
    regressor = get_regressor(identifier, seed)
    if isinstance(regressor, scikit_learn().RandomForestRegressor):
        regressor.set_params(n_estimators=max(1, regressor.n_estimators // 4))
    return regressor


def get_regressor(identifier, seed: int = 0):
    """A new, unfitted regressor from a name or from an object to copy.

    Args:
        identifier: A name in `REGRESSORS`, or an object with `fit(X, y)` and `predict(X)`, which is
            cloned.
        seed: Seed of a regressor made by name. Defaults to 0.

    Returns:
        The regressor.

    Raises:
        ValueError: If the name is not registered, or the object cannot fit and predict.

    Example:
    >>> from firekeras.scores.detector.regressors import get_regressor
    >>> get_regressor("random_forest").n_estimators
    200
    """
    if isinstance(identifier, str):
        return REGRESSORS.find(identifier)(seed)
    check_regressor(identifier)
    return scikit_learn().clone(identifier, safe=False)


def check_regressor(identifier):
    """Raises `ValueError` unless something is a registered name, or an object that fits and predicts."""
    if isinstance(identifier, str):
        REGRESSORS.find(identifier)
        return
    if isinstance(identifier, type) or not all(hasattr(identifier, m) for m in ("fit", "predict")):
        raise ValueError(
            "A regressor must be a name or an object with fit(X, y) and predict(X). Received: "
            f"{short(identifier)}. Pass one of {_known_names()}, or an instance such as SVR()."
        )


def clipped_prediction(regressor, x) -> np.ndarray:
    """What a regressor predicts, as a FIRE: in [0, 1], or NaN, `(filters,)`."""
    return np.clip(regressor.predict(x), 0.0, 1.0).reshape(len(x))


def predicted_left_out(make, x, fire, splits, on_fold=lambda: None) -> np.ndarray:
    """The FIRE of each filter, as a regressor predicts it that was trained on the other folds, `(filters,)`.

    Args:
        make: A function that gives a new regressor.
        x: Features, `(filters, features)`.
        fire: Measured FIRE, `(filters,)`.
        splits: The folds, as scikit-learn splits: positions to train on, and to predict.
        on_fold: Called without arguments after each fold. Defaults to nothing.
    """
    sklearn = scikit_learn()
    return sklearn.cross_val_predict(sklearn.Made(make, clipped_prediction, on_fold), x, fire, cv=list(splits))


def _known_names():
    return ", ".join(map(repr, REGRESSORS))
