"""What the detector takes from scikit-learn, which is imported with this module: only where a detector is trained."""

from __future__ import annotations

import warnings

from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold, LeaveOneGroupOut, cross_val_predict
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

__all__ = [
    "SVR",
    "EarlyStoppedMLP",
    "GradientBoostingRegressor",
    "KFold",
    "LeaveOneGroupOut",
    "LinearRegression",
    "Made",
    "RandomForestRegressor",
    "clone",
    "cross_val_predict",
    "scaled",
]


def scaled(regressor):
    """A regressor of features with mean 0 and deviation 1."""
    return make_pipeline(StandardScaler(), regressor)


class EarlyStoppedMLP(MLPRegressor):
    """A perceptron that stops early, also with few filters."""

    def fit(self, X, y):  # noqa: N803 (scikit-learn's own name)
        """Trains."""
        # The tenth that early stopping holds out needs two filters for its R²; with fewer filters
        # training stops on its own loss.
        self.early_stopping = len(y) >= 20
        with warnings.catch_warnings():
            # Reaching `max_iter` is the second stopping rule here, not a failure.
            warnings.simplefilter("ignore", ConvergenceWarning)
            return super().fit(X, y)


class Made(BaseEstimator):
    """A regressor that `make` makes at each fit: scikit-learn clones estimators of its own kind only.

    Args:
        make: A function that returns a new regressor.
        predict_with: A function of the regressor and features that returns FIRE.
        on_fold: Called without arguments after each prediction.
    """

    def __init__(self, make, predict_with, on_fold):
        self.make, self.predict_with, self.on_fold = make, predict_with, on_fold

    def fit(self, X, y):  # noqa: N803 (scikit-learn's own name)
        """Trains."""
        self.regressor_ = self.make()
        self.regressor_.fit(X, y)
        return self

    def predict(self, X):  # noqa: N803
        """The FIRE of filters."""
        predicted = self.predict_with(self.regressor_, X)
        self.on_fold()
        return predicted
