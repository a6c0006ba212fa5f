"""The FIRE detector: predicts FIRE from statistics of a filter's weights, and its BatchNormalization."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from firekeras.arguments import checked_type, short, typed
from firekeras.refusals import cause, checked_whole
from firekeras.scores.detector import detector_file
from firekeras.scores.detector.features import FEATURES, LAYER_FEATURE, extract_features, renumbered
from firekeras.scores.detector.metrics import detector_metrics
from firekeras.scores.detector.regressors import (
    ClosedForm,
    check_regressor,
    clipped_prediction,
    get_regressor,
    light_regressor,
    predicted_left_out,
    scikit_learn,
)
from firekeras.scores.profile import L1_FEATURE, FilterScores, FireProfile

if TYPE_CHECKING:
    import keras

QUALITY_FILTERS, QUALITY_FOLDS = 2000, 3  # estimating the quality takes about a second
NOT_NORMALISED = "no BatchNormalization lies between its filters and a ReLU of their own, so there is no closed form"


class FireDetector:
    """Predicts the FIRE of filters from their weights and their BatchNormalization, without data.

    It is trained once, on the FIRE measured in the first round; later rounds rank filters by its
    predictions. The paper predicts from 14 statistics of the weights alone. In networks with
    BatchNormalization that is the weaker predictor, since BatchNormalization rescales every filter's
    output and determines its distribution (see `firekeras.scores.detector.features.gaussian_fire`).

    Args:
        regressor: `"random_forest"`, `"gradient_boosting"`, `"svr"`, `"mlp"`, `"linear"`, a name
            added with `register_regressor`, or an object with `fit(X, y)` and `predict(X)`,
            which is cloned. `"gaussian"` is FIRE in closed form, Phi(-beta / |gamma|): it needs no
            `fit`, and predicts only filters with a BatchNormalization before their ReLU.
            Defaults to `"random_forest"`.
        features: `"bn"`, the 14 statistics and the BatchNormalization, or `"paper"`, the 14 of the
            paper's Table 1. Defaults to `"bn"`.
        seed: Seed of the regressor and of the folds of `cross_validate`, an int in [0, 2**32).
            Defaults to 0.

    Raises:
        ValueError: If the regressor or the features are unknown, or the seed is out of range.

    Example:
    >>> detector = firekeras.FireDetector().fit(model, profile)
    >>> detector.predict(model)["conv1"].shape
    (8,)

    Source: FIREPruning (Fang et al. 2020), sections 3.3 and 4.2; the paper states no
    hyperparameters, these are firekeras's own, as are `"gaussian"` and the features `"bn"`.
    """

    @typed
    def __init__(self, regressor: Any = "random_forest", *, features: str = "bn", seed: int = 0):
        hint = " A detector is refitted when it is loaded, and only a fixed seed gives the same predictions again."
        self.seed = checked_whole("seed", seed, 0, below=2**32, hint=hint)
        _check_settings(regressor, features)
        check_regressor(regressor)  # a wrong name fails here, not in `fit`
        self.regressor, self.features = regressor, features
        self.layer_indices: dict[str, int] = {}
        self.unscored: dict[str, str] = {}
        self._x, self._y = np.empty((0, len(FEATURES[features]))), np.empty(0)
        self._fitted = ClosedForm() if regressor == "gaussian" or isinstance(regressor, ClosedForm) else None

    def fit(self, model: keras.Model | None, profile: FireProfile) -> FireDetector:
        """Trains on all filters that can be ranked: those with FIRE whose coupled filters have FIRE too.

        Args:
            model: The model that the profile was measured on, to check that the two match, or `None`.
                The features are those of the profile.
            profile: The measured FIRE.

        Returns:
            The detector itself.

        Raises:
            ValueError: If layers of the profile are missing from the model or have another width,
                or if fewer than two filters have FIRE.
        """
        checked_type("profile", profile, FireProfile)
        if model is not None:
            from firekeras.channels import channel_graph

            _check_widths(channel_graph(model).widths, profile)
        self._x, self._y, _ = self._scored_filters(profile.features, profile)
        self.layer_indices = {n: int(x[0, LAYER_FEATURE]) for n, x in profile.features.items()}
        self.unscored = _unscored_layers(profile)
        return self._refit()

    def predict(self, model: keras.Model) -> FilterScores:
        """Predicts the FIRE of every filter of a model.

        Layers that had no FIRE in training stay NaN, with the same reason; layers that training did not
        see are predicted. The closed form leaves filters NaN that have no BatchNormalization before
        their ReLU. Layers keep the indices of the model trained on; a model that shares no layer name
        with it is numbered from 0.

        Args:
            model: The model trained on, pruned since, or another one.

        Returns:
            `FilterScores` with criterion `"fire_predicted"`, each score in [0, 1].

        Raises:
            ValueError: If the detector is not fitted, or weights of the model are not finite.
        """
        self._require_fitted()
        return self.predict_from(extract_features(model))

    @typed
    def predict_from(self, features: Mapping[str, np.ndarray]) -> FilterScores:
        """Predicts FIRE from features that are known already, as `predict` does from a model.

        Args:
            features: As `firekeras.scores.detector.features.extract_features` returns them.

        Returns:
            As `predict`.

        Raises:
            ValueError: If the detector is not fitted, or features are not finite.

        Example:
        >>> detector = firekeras.FireDetector().fit(model, profile)
        >>> detector.predict_from(profile.features)["conv1"].shape
        (8,)
        """
        self._require_fitted()
        _check_rows(features)
        features = self._numbered(features)
        predicted = {name: self._predict_layer(name, x) for name, x in features.items()}
        unpredicted = [name for name, fire in predicted.items() if np.isnan(fire).any()]
        return FilterScores(
            predicted,
            criterion="fire_predicted",
            l1={name: x[:, L1_FEATURE] for name, x in features.items()},
            reasons={name: self.unscored.get(name, NOT_NORMALISED) for name in unpredicted},
        )

    def evaluate(self, model: keras.Model | None, profile: FireProfile) -> dict[str, float]:
        """Compares predictions with measured FIRE.

        Args:
            model: The model that the profile was measured on, or `None` to predict from the
                features in the profile.
            profile: The measured FIRE. Only filters with FIRE that the detector predicts count.

        Returns:
            The metrics of `firekeras.scores.detector.metrics.detector_metrics`, by name.

        Raises:
            ValueError: If the detector is not fitted, if model and profile do not match, or if fewer
                than two filters have FIRE.

        Example:
        >>> detector = firekeras.FireDetector().fit(model, profile)
        >>> 0 <= detector.evaluate(model, profile)["mae"] <= 1
        True
        """
        self._require_fitted()
        checked_type("profile", profile, FireProfile)
        features = profile.features if model is None else self._numbered(extract_features(model))
        _check_widths({name: len(x) for name, x in features.items()}, profile)
        x, fire, _ = self._scored_filters(features, profile)
        return self._compared(fire, clipped_prediction(self._fitted, x))

    @typed
    def cross_validate(self, profile: FireProfile, by: str = "filter", folds: int = 5) -> dict[str, float]:
        """Metrics on filters that were left out of training; the detector itself is not changed.

        Predictions of all folds are pooled, then compared once. Random folds over filters show the
        detector other filters of the same layer, with its index; leaving out whole layers does not,
        and so is the harder test.

        Args:
            profile: The measured FIRE.
            by: `"filter"`, shuffled folds over all filters, or `"layer"`, one layer left out at a
                time. Defaults to `"filter"`.
            folds: The number of folds of `by="filter"`, an int in [2, number of filters]. Defaults to 5.

        Returns:
            The metrics of `firekeras.scores.detector.metrics.detector_metrics`, by name.

        Raises:
            ValueError: If `by` or `folds` is out of range, or there are fewer than two layers to
                leave out.

        Example:
        >>> metrics = firekeras.FireDetector("linear").cross_validate(profile, folds=3)
        >>> -1 <= metrics["spearman"] <= 1
        True
        """
        _, fire, predicted = self._left_out(profile, by, folds)
        return self._compared(fire, predicted)

    @typed
    def predict_left_out(
        self, profile: FireProfile, by: str = "filter", folds: int = 5, on_fold: Callable[[], object] = lambda: None
    ) -> FilterScores:
        """Predicts each filter of a profile by a regressor trained on the others; the detector stays as it is.

        Args:
            profile, by, folds: As in `cross_validate`.
            on_fold: Called without arguments after each fold. Defaults to nothing.

        Returns:
            `FilterScores` with criterion `"fire_predicted"`, NaN for filters without a FIRE, which no fold predicts.

        Raises:
            ValueError: As `cross_validate`.

        Example:
        >>> predicted = firekeras.FireDetector().predict_left_out(profile)
        """
        layers, _, predicted = self._left_out(profile, by, folds, on_fold)
        scores = {name: np.full(len(fire), np.nan) for name, fire in profile.items()}
        for name in dict.fromkeys(layers):
            scores[name][profile.rankable()[name]] = predicted[layers == name]
        return FilterScores(scores, criterion="fire_predicted", l1=profile.l1, reasons=profile.reasons)

    def _left_out(self, profile, by, folds, on_fold=lambda: None):
        """Layer, FIRE and prediction of each filter with a FIRE."""
        x, fire, layers = self._scored_filters(profile.features, profile)
        splits = self._splits(by, folds, layers)
        predicted = predicted_left_out(lambda: get_regressor(self.regressor, self.seed), x, fire, splits, on_fold)
        return layers, fire, predicted

    @cached_property
    def quality(self) -> dict[str, float]:
        """How well filters of the network trained on are predicted when they are left out of training.

        The metrics are those of `detector_metrics`, cross-validated in three folds over at most 2,000
        of the filters trained on, with a quarter of a forest's trees: a lower bound that takes about a
        second, computed on first access. `"spearman"` says most about a ranking.

        Raises:
            ValueError: If the detector is not fitted, or predicts none of the filters.
        """
        if not len(self._y):
            raise ValueError(_NOT_FITTED)
        chosen = np.random.default_rng(self.seed).permutation(len(self._y))[:QUALITY_FILTERS]
        x, fire = self._x[chosen], self._y[chosen]
        splits = self._splits("filter", min(QUALITY_FOLDS, len(fire)), fire)
        light = predicted_left_out(lambda: light_regressor(self.regressor, self.seed), x, fire, splits)
        return self._compared(fire, light)

    @typed
    def save(self, path: str | os.PathLike) -> None:
        """Writes the detector to an HDF5 file, as its training table, whole or not at all.

        Args:
            path: The file.

        Raises:
            ValueError: If the detector is not fitted, its regressor has no name to store, or the
                folder does not exist.

        Example:
        >>> detector = firekeras.FireDetector("linear").fit(model, profile)
        >>> detector.save("detector.h5")
        >>> firekeras.FireDetector.load("detector.h5")
        <FireDetector 'linear': trained on 20 filters>
        """
        self._require_fitted()
        if not isinstance(self.regressor, str):
            raise ValueError(
                "A detector is stored as its training table and refitted on load, so its regressor "
                f"needs a name. Received: the object {self.regressor!r}. Register it by name with "
                "firekeras.scores.detector.regressors.register_regressor(name) and pass that name to FireDetector."
            )
        detector_file.save(path, self._settings(), self._table())

    @classmethod
    @typed
    def load(cls, path: str | os.PathLike) -> FireDetector:
        """Reads a detector that `save` wrote, and refits it.

        Args:
            path: The file.

        Returns:
            The fitted detector.

        Raises:
            ValueError: If there is no such file, it is not a detector, of another version, or damaged,
                or if its regressor is not registered.
        """
        settings, table = detector_file.load(path)
        try:
            return cls._fitted_to(settings, table)
        except ValueError as error:
            raise ValueError(f"The detector in {path} cannot be fitted again: {cause(error, 400)}") from error

    @classmethod
    def _fitted_to(cls, settings, table):
        detector = cls(settings["regressor"], features=settings["features"], seed=settings["seed"])
        detector._x, detector._y = table["X"], table["y"]
        names, reasons = table["layers"], table["reasons"]
        detector.layer_indices = dict(zip(names, table["indices"].tolist(), strict=True))
        detector.unscored = {n: why for n, why in zip(names, reasons, strict=True) if why}
        return detector._refit()

    def __repr__(self):
        state = f"trained on {len(self._y)} filters" if len(self._y) else "not fitted"
        return f"<FireDetector {self.regressor!r}: {state}>"

    def _refit(self):
        self.__dict__.pop("quality", None)
        regressor = get_regressor(self.regressor, self.seed)
        regressor.fit(self._x, self._y)
        self._fitted = regressor
        return self

    def _require_fitted(self):
        if self._fitted is None:
            raise ValueError(_NOT_FITTED)

    def _numbered(self, features):
        """Features with the layer indices of the network trained on, if it shares layers with this one."""
        return renumbered(features, self.layer_indices) if features.keys() & self.layer_indices.keys() else features

    def _predict_layer(self, name, x):
        if name in self.unscored:
            return np.full(len(x), np.nan)
        return clipped_prediction(self._fitted, self._columns(name, x, len(x)))

    def _splits(self, by, folds, layers):
        groups = len(set(layers))
        if by == "layer" and groups >= 2:
            return scikit_learn().LeaveOneGroupOut().split(layers, groups=layers)
        if by == "filter" and 2 <= folds <= len(layers):
            return scikit_learn().KFold(folds, shuffle=True, random_state=self.seed).split(layers)
        raise ValueError(
            f"Cannot cross-validate by={by!r} with folds={folds!r} on {len(layers)} scored filters "
            f"of {groups} layers. Use by='filter' with folds in [2, {len(layers)}], or by='layer' "
            "on a profile with at least two scored layers."
        )

    def _scored_filters(
        self, features: Mapping[str, np.ndarray], profile: FireProfile
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Features, FIRE and layer name of every filter with a FIRE: what a detector learns from."""
        scored = {name: ranked for name, ranked in profile.rankable().items() if ranked.any()}
        counts = [int(mask.sum()) for mask in scored.values()]
        if sum(counts) < 2:
            raise ValueError(
                "A detector needs at least 2 filters with a FIRE. Received: a profile with "
                f"{sum(counts)}. Measure a model whose convolutions are followed by ReLUs; "
                "profile.reasons says why filters have no FIRE."
            )
        x = [self._columns(name, features.get(name), len(mask))[mask] for name, mask in scored.items()]
        fire = [profile[name][mask] for name, mask in scored.items()]
        return np.concatenate(x), np.concatenate(fire), np.repeat(list(scored), counts)

    def _columns(self, name, x, filters):
        """The features of a layer that this detector predicts from, checked."""
        count = len(FEATURES[self.features])
        if x is None or x.ndim != 2 or len(x) != filters or x.shape[1] < count:
            raise ValueError(
                f"Layer {name!r} needs features of shape {(filters, count)} for features={self.features!r}. "
                f"Received: {'none' if x is None else x.shape}. Compute them with "
                "firekeras.scores.detector.features.extract_features(model)."
            )
        if not np.isfinite(x).all():
            raise ValueError(
                f"Layer {name!r} has weights that are not finite (NaN or infinite), so its FIRE cannot "
                "be predicted. Go back to a model whose training did not diverge."
            )
        return x[:, :count]

    def _compared(self, fire, predicted):
        known = np.isfinite(predicted)
        if not known.any():
            raise ValueError(
                f"The regressor {self.regressor!r} predicts none of the {len(fire)} filters with a FIRE: "
                f"{NOT_NORMALISED}. Use one that learns, such as FireDetector('random_forest')."
            )
        return detector_metrics(fire[known], predicted[known])

    def _settings(self):
        return {"regressor": self.regressor, "features": self.features, "seed": self.seed}

    def _table(self):
        names = list(self.layer_indices)
        return {
            "X": self._x,
            "y": self._y,
            "layers": names,
            "indices": np.array(list(self.layer_indices.values()), "int64"),
            "reasons": [self.unscored.get(name, "") for name in names],
        }


_NOT_FITTED = (
    "This FireDetector is not fitted: it has no FIRE to predict from. Call "
    "fit(model, profile) first, or read a fitted one with FireDetector.load(path)."
)


def _check_settings(regressor, features):
    if features not in FEATURES:
        raise ValueError(
            f"Unknown features {features!r}. Expected 'bn', the weights and the BatchNormalization, or 'paper', the "
            "weights alone."
        )
    if isinstance(regressor, str) and regressor == "gaussian" and features != "bn":
        raise ValueError(
            f"The regressor 'gaussian' is computed from the BatchNormalization. Received: features={features!r}. Leave "
            "features at 'bn', or pass a regressor that learns."
        )


def _check_widths(widths, profile):
    for name, fire in profile.items():
        if widths.get(name) != len(fire):
            received = f"{widths[name]} filters" if name in widths else "no such layer"
            raise ValueError(
                f"The model does not fit the profile: for layer {name!r} the profile holds "
                f"{len(fire)} filters, the model has {received}. Pass the model that the profile "
                "was measured on, or measure this one with firekeras.measure_fire(model, data)."
            )


def _unscored_layers(profile):
    unknown = "FIRE was not measured for this layer"
    unscored = [name for name, fire in profile.items() if not np.isfinite(fire).any()]
    return {name: profile.reasons.get(name) or unknown for name in unscored}


def _check_rows(features):
    for name, x in features.items():
        if x.ndim != 2 or x.shape[1] <= LAYER_FEATURE:
            raise ValueError(f"Features must be a row per filter. Received for layer {name!r}: {short(x)}.")
