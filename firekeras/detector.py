"""The FIRE detector: predicts FIRE from 14 statistics of a filter's weights."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Callable, Mapping

import h5py
import numpy as np
from scipy.stats import rankdata
from sklearn.base import clone
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold, LeaveOneGroupOut
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from firekeras import features as filter_statistics
from firekeras.atomic import whole_file
from firekeras.features import FEATURE_NAMES, LAYER_FEATURE
from firekeras.profile import L1_FEATURE, FilterScores, FireProfile

FILE_FORMAT = "firekeras.detector"
FILE_VERSION = 1

REGRESSORS: dict[str, Callable] = {}


def register_regressor(name: str):
    """Makes a regressor known by name, so that detectors with it can be saved.

    The decorated function takes a seed and returns a new regressor, anything with scikit-learn's
    `fit(X, y)` and `predict(X)`. A name that is registered already is replaced.

    Args:
        name: The name to use in `FireDetector(regressor=name)`.

    Example:
    >>> @register_regressor("ridge")
    ... def ridge(seed):
    ...     return sklearn.linear_model.Ridge(random_state=seed)
    >>> detector = FireDetector("ridge")
    """

    def register(make):
        REGRESSORS[name] = make
        return make

    return register


@register_regressor("random_forest")
def _random_forest(seed):
    return RandomForestRegressor(n_estimators=200, min_samples_leaf=2, max_features=1.0, random_state=seed)


@register_regressor("gradient_boosting")
def _gradient_boosting(seed):
    return GradientBoostingRegressor(n_estimators=300, max_depth=3, learning_rate=0.05, random_state=seed)


@register_regressor("svr")
def _svr(seed):
    return make_pipeline(StandardScaler(), SVR(kernel="rbf", C=1.0, epsilon=0.02))


@register_regressor("mlp")
def _mlp(seed):
    # Twenty epochs of patience: with few filters an epoch is a single step of Adam.
    network = _EarlyStoppedMLP(hidden_layer_sizes=(64, 32), max_iter=1000, n_iter_no_change=20, random_state=seed)
    return make_pipeline(StandardScaler(), network)


@register_regressor("linear")
def _linear(seed):
    return make_pipeline(StandardScaler(), LinearRegression())


class _EarlyStoppedMLP(MLPRegressor):
    def fit(self, X, y):  # noqa: N803 (scikit-learn's own name)
        # The tenth that early stopping holds out needs two filters for its R²; with fewer filters
        # training stops on its own loss.
        self.early_stopping = len(y) >= 20
        with warnings.catch_warnings():
            # Reaching `max_iter` is the second stopping rule here, not a failure.
            warnings.simplefilter("ignore", ConvergenceWarning)
            return super().fit(X, y)


def get_regressor(identifier, seed: int = 0):
    """A new, unfitted regressor from a name or from an object to copy.

    Args:
        identifier: A name in `REGRESSORS`, or an object with `fit(X, y)` and `predict(X)`, which is
            cloned.
        seed: Seed of a regressor made by name.

    Raises:
        ValueError: If the name is not registered, or the object cannot fit and predict.

    Example:
    >>> get_regressor("random_forest").n_estimators
    200
    """
    if isinstance(identifier, str):
        return _make_by_name(identifier, seed)
    if isinstance(identifier, type) or not all(hasattr(identifier, m) for m in ("fit", "predict")):
        raise ValueError(
            "A regressor must be a name or an object with fit(X, y) and predict(X); received "
            f"{identifier!r}. Pass one of {_known_names()}, or an instance such as SVR()."
        )
    return clone(identifier, safe=False)


def _make_by_name(name, seed):
    if name not in REGRESSORS:
        near = difflib.get_close_matches(name.lower(), REGRESSORS, n=1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise ValueError(
            f"Unknown regressor {name!r}. {hint}Expected one of {_known_names()}; "
            "add others with firekeras.detector.register_regressor(name)."
        )
    return REGRESSORS[name](seed)


def _known_names():
    return ", ".join(map(repr, REGRESSORS))


class FireDetector:
    """Predicts the FIRE of filters from 14 statistics of their weights, without data.

    It is trained once, on the FIRE measured in the first round; later rounds rank filters by its
    predictions.

    Args:
        regressor: `"random_forest"`, `"gradient_boosting"`, `"svr"`, `"mlp"`, `"linear"`, a name
            added with `register_regressor`, or an object with `fit(X, y)` and `predict(X)`,
            which is cloned.
        seed: Seed of the regressor and of the folds of `cross_validate`, an int in [0, 2**32).

    Raises:
        ValueError: If the regressor is unknown, or the seed out of range.

    Example:
    >>> conv = keras.layers.Conv2D(8, 3, activation="relu", name="conv1")
    >>> model = keras.Sequential([keras.Input((16, 16, 3)), conv])
    >>> profile = firekeras.measure_fire(model, np.random.normal(size=(32, 16, 16, 3)))
    >>> detector = FireDetector().fit(model, profile)
    >>> detector.predict(model)["conv1"].shape
    (8,)

    Source: FIREPruning (Fang et al. 2020), sections 3.3 and 4.2; the paper states no
    hyperparameters, these are firekeras's own.
    """

    def __init__(self, regressor="random_forest", *, seed: int = 0):
        if not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
            raise ValueError(
                f"seed must be an int in [0, 2**32); received {seed!r}. A detector is refitted "
                "when it is loaded, and only a fixed seed gives the same predictions again."
            )
        get_regressor(regressor, seed)  # a wrong name fails here, not in `fit`
        self.regressor = regressor
        self.seed = int(seed)
        self.layer_indices: dict[str, int] = {}
        self.unscored: dict[str, str] = {}
        self._fitted = None

    def fit(self, model, profile: FireProfile) -> FireDetector:
        """Trains on all filters with a FIRE whose coupled filters have one too, so that they can be ranked.

        Args:
            model: The model that the profile was measured on, to check that the two fit together,
                or `None`. The features are those of the profile.
            profile: The measured FIRE.

        Returns:
            The detector itself.

        Raises:
            ValueError: If layers of the profile are missing from the model or have another width,
                or if fewer than two filters have a FIRE.
        """
        if model is not None:
            _check_widths(_widths(model), profile)
        self._x, self._y, _ = _scored_filters(profile.features, profile)
        self.layer_indices = {n: int(x[0, LAYER_FEATURE]) for n, x in profile.features.items()}
        self.unscored = _unscored_layers(profile)
        return self._refit()

    def predict(self, model) -> FilterScores:
        """Predicts the FIRE of every filter of a model.

        Layers that had no FIRE in training stay NaN, with the reason given there; layers that
        training did not see are predicted. Layers keep the indices of the model trained on; a model
        that shares no layer name with it is numbered by itself.

        Args:
            model: A `keras.Model`: the one trained on, pruned since, or another.

        Returns:
            `FilterScores` with criterion `"fire_predicted"`, each score in [0, 1].

        Raises:
            ValueError: If the detector is not fitted, or weights of the model are not finite.
        """
        self._require_fitted()
        features = self._extract(model)
        return FilterScores(
            {name: self._predict_layer(name, x) for name, x in features.items()},
            criterion="fire_predicted",
            l1={name: x[:, L1_FEATURE] for name, x in features.items()},
            reasons={name: why for name, why in self.unscored.items() if name in features},
        )

    def evaluate(self, model, profile: FireProfile) -> dict[str, float]:
        """Compares predictions with measured FIRE; see `detector_metrics` for the numbers.

        Args:
            model: The model that the profile was measured on, or `None` to predict from the
                features that the profile holds.
            profile: The measured FIRE. Only filters with a FIRE count.

        Raises:
            ValueError: If the detector is not fitted, if model and profile do not fit together, or
                if fewer than two filters have a FIRE.
        """
        self._require_fitted()
        features = profile.features if model is None else self._extract(model)
        _check_widths({name: len(x) for name, x in features.items()}, profile)
        x, fire, _ = _scored_filters(features, profile)
        return detector_metrics(fire, _predict(self._fitted, x))

    def cross_validate(self, profile: FireProfile, by="filter", folds=5) -> dict[str, float]:
        """Metrics on filters that were left out of training; the detector itself stays as it is.

        Predictions of all folds are pooled, then compared once. Random folds over filters show the
        detector other filters of the same layer, and its index with them; leaving out whole layers
        does not, and so is the harder test.

        Args:
            profile: The measured FIRE.
            by: `"filter"`, shuffled folds over all filters, or `"layer"`, one layer left out at a
                time.
            folds: How many folds `by="filter"` makes, an int in [2, number of filters].

        Raises:
            ValueError: If `by` or `folds` is out of range, or there are fewer than two layers to
                leave out.
        """
        x, fire, layers = _scored_filters(profile.features, profile)
        predicted = np.empty_like(fire)
        for train, test in self._splits(by, folds, layers):
            regressor = get_regressor(self.regressor, self.seed)
            regressor.fit(x[train], fire[train])
            predicted[test] = _predict(regressor, x[test])
        return detector_metrics(fire, predicted)

    def save(self, path):
        """Writes the detector as its training table (HDF5): whole, or not at all.

        Raises:
            ValueError: If the detector is not fitted, its regressor has no name to store, or the
                folder does not exist.
        """
        self._require_fitted()
        if not isinstance(self.regressor, str):
            raise ValueError(
                "A detector is stored as its training table and refitted on load, so its regressor "
                f"needs a name; received the object {self.regressor!r}. Register it by name with "
                "firekeras.detector.register_regressor(name) and pass that name to FireDetector."
            )
        with whole_file(path) as temporary:
            self._write(temporary)

    @classmethod
    def load(cls, path) -> FireDetector:
        """Reads what `save` wrote, and refits.

        Raises:
            ValueError: If the file is not a detector, of a newer version, or damaged, or if its
                regressor is not registered.
        """
        attributes, table = _read(path)
        detector = cls(attributes["regressor"], seed=int(attributes["seed"]))
        detector._x, detector._y = table["X"], table["y"]
        names, reasons = ([text.decode() for text in table[key]] for key in ("layers", "reasons"))
        detector.layer_indices = dict(zip(names, table["indices"].tolist(), strict=True))
        detector.unscored = {n: why for n, why in zip(names, reasons, strict=True) if why}
        return detector._refit()

    def __repr__(self):
        state = f"trained on {len(self._y)} filters" if self._fitted is not None else "not fitted"
        return f"<FireDetector {self.regressor!r}: {state}>"

    def _refit(self):
        regressor = get_regressor(self.regressor, self.seed)
        regressor.fit(self._x, self._y)
        self._fitted = regressor
        return self

    def _require_fitted(self):
        if self._fitted is None:
            raise ValueError(
                "This FireDetector is not fitted: it has no FIRE to predict from. Call "
                "fit(model, profile) first, or read a fitted one with FireDetector.load(path)."
            )

    def _extract(self, model):
        features = filter_statistics.extract_features(model, self.layer_indices)
        if features.keys() & self.layer_indices.keys():
            return features
        return filter_statistics.extract_features(model)

    def _predict_layer(self, name, x):
        if name in self.unscored:
            return np.full(len(x), np.nan)
        return _predict(self._fitted, _checked(name, x, len(x)))

    def _splits(self, by, folds, layers):
        groups = len(set(layers))
        if by == "layer" and groups >= 2:
            return LeaveOneGroupOut().split(layers, groups=layers)
        if by == "filter" and 2 <= folds <= len(layers):
            return KFold(folds, shuffle=True, random_state=self.seed).split(layers)
        raise ValueError(
            f"Cannot cross-validate by={by!r} with folds={folds!r} on {len(layers)} scored filters "
            f"of {groups} layers. Use by='filter' with folds in [2, {len(layers)}], or by='layer' "
            "on a profile with at least two scored layers."
        )

    def _write(self, path):
        names = list(self.layer_indices)
        with h5py.File(path, "w") as file:
            file.attrs.update(format=FILE_FORMAT, version=FILE_VERSION)
            file.attrs.update(regressor=self.regressor, seed=self.seed)
            file["X"], file["y"] = self._x, self._y
            file["layers"] = np.array(names, h5py.string_dtype())
            file["indices"] = np.array(list(self.layer_indices.values()), "int64")
            file["reasons"] = np.array([self.unscored.get(n, "") for n in names], h5py.string_dtype())


def detector_metrics(true, predicted) -> dict[str, float]:
    """All that is reported about a detector, in both readings of the paper's metrics.

    Args:
        true: Measured FIRE, shape `(filters,)`.
        predicted: Predicted FIRE, shape `(filters,)`.

    Returns:
        `mae` (mean absolute error); `ndcg` (top 10 %), `ndcg_full` (all filters) and `ndcg_binary`
        (top 10 %, binary gain); `precision_P_T`, the share of the predicted top P % that lies in
        the true top T %; `spearman` (rank correlation, NaN where one side is constant).

    Raises:
        ValueError: If the two are not finite 1-D arrays of the same length.

    Example:
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
    top(v, k) are the k * n largest of n values: rounded, at least one, ties by position.

    Args:
        true: Measured values, shape `(n,)`.
        predicted: Predicted values, shape `(n,)`.
        k_predicted: Size of the predicted top, a share in (0, 1].
        k_true: Size of the true top, a share in (0, 1].

    Raises:
        ValueError: If the values are not finite 1-D arrays of the same length, or a share is out
            of range.

    Example:
    >>> precision_at([0.9, 0.8, 0.1, 0.2], [0.7, 0.1, 0.6, 0.2], 0.5, 0.5)
    0.5

    Source: FIREPruning, Table 2. "Prec.@40%" may mean (0.4, 0.4) or (0.1, 0.4).
    """
    true, predicted = _pair(true, predicted)
    chosen = _top(predicted, k_predicted)
    return float(np.isin(chosen, _top(true, k_true)).mean())


def ndcg(true, predicted, k: float = 0.1, gain: str = "linear") -> float:
    """Normalised discounted cumulative gain of the predicted order.

    DCG(order) = Σ gain(order[i]) / log2(i + 1) for i = 1 ... k * n (rounded, at least one);
    NDCG = DCG(predicted order) / DCG(true order). Orders are descending, ties by position. It is 1
    where no order gains anything.

    Args:
        true: Measured values, at least 0, shape `(n,)`.
        predicted: Predicted values, shape `(n,)`.
        k: How much of the order counts, a share in (0, 1].
        gain: `"linear"`, the true value, or `"binary"`, 1 in the true top k and 0 elsewhere.

    Raises:
        ValueError: If the values are not finite 1-D arrays of the same length, or `k` or `gain` is
            not one of those listed.

    Example:
    >>> ndcg([1.0, 0.0], [0.1, 0.2], k=1.0)  # 1 / log2(3)
    0.6309297535714575

    Source: FIREPruning, Table 2, which leaves gain, cutoff and logarithm open.
    """
    true, predicted = _pair(true, predicted)
    ideal, order = _top(true, k), _top(predicted, k)
    gains = _gains(true, ideal, gain)
    discount = 1 / np.log2(np.arange(2, len(order) + 2))
    best = gains[ideal] @ discount
    return float(gains[order] @ discount / best) if best else 1.0


def _gains(true, ideal, gain):
    if gain == "linear":
        return true
    if gain == "binary":
        return np.isin(np.arange(len(true)), ideal).astype("float64")
    raise ValueError(f"gain must be 'linear' or 'binary'; received {gain!r}.")


def _top(values, share):
    if not 0 < share <= 1:
        raise ValueError(f"k must be a share in (0, 1], e.g. 0.1 for the top 10 %; received {share!r}.")
    return np.argsort(-values, kind="stable")[: max(1, round(share * len(values)))]


def _pair(true, predicted):
    pair = np.asarray(true, "float64"), np.asarray(predicted, "float64")
    shapes = [values.shape for values in pair]
    finite = all(np.isfinite(values).all() for values in pair)
    if shapes[0] != shapes[1] or pair[0].ndim != 1 or not pair[0].size or not finite:
        raise ValueError(
            "True and predicted values must be finite 1-D arrays of the same length; received "
            f"shapes {shapes[0]} and {shapes[1]}{'' if finite else ', not all finite'}. "
            "Leave unscored filters (NaN) out of both."
        )
    return pair


def _spearman(true, predicted):
    if np.ptp(true) == 0 or np.ptp(predicted) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(true), rankdata(predicted))[0, 1])


def _predict(regressor, x):
    return np.clip(regressor.predict(x), 0.0, 1.0).reshape(len(x))


def _widths(model):
    from firekeras.channels import filter_kernels

    return {name: kernel.shape[-1] for name, kernel in filter_kernels(model).items()}


def _check_widths(widths, profile):
    for name, fire in profile.items():
        if widths.get(name) != len(fire):
            received = f"{widths[name]} filters" if name in widths else "no such layer"
            raise ValueError(
                f"The model does not fit the profile: for layer {name!r} the profile holds "
                f"{len(fire)} filters, the model has {received}. Pass the model that the profile "
                "was measured on, or measure this one with firekeras.measure_fire(model, data)."
            )


def _scored_filters(features: Mapping[str, np.ndarray], profile: FireProfile):
    """Features, FIRE and layer name of every filter with a FIRE: what a detector learns from."""
    scored = {name: ranked for name, ranked in profile.rankable().items() if ranked.any()}
    counts = [int(mask.sum()) for mask in scored.values()]
    if sum(counts) < 2:
        raise ValueError(
            "A detector needs at least 2 filters with a FIRE; received a profile with "
            f"{sum(counts)}. Measure a model whose convolutions are followed by ReLUs; "
            "profile.reasons says why filters have no FIRE."
        )
    x = [_checked(name, features.get(name), len(mask))[mask] for name, mask in scored.items()]
    fire = [profile[name][mask] for name, mask in scored.items()]
    return np.concatenate(x), np.concatenate(fire), np.repeat(list(scored), counts)


def _checked(name, x, filters):
    expected = (filters, len(FEATURE_NAMES))
    if x is None or x.shape != expected:
        raise ValueError(
            f"Layer {name!r} needs features of shape {expected}, received "
            f"{'none' if x is None else x.shape}. Compute them with "
            "firekeras.features.extract_features(model)."
        )
    if not np.isfinite(x).all():
        raise ValueError(
            f"Layer {name!r} has weights that are not finite (NaN or infinite), so its FIRE cannot "
            "be predicted. Go back to a model whose training did not diverge."
        )
    return x


def _unscored_layers(profile):
    unknown = "FIRE was not measured for this layer"
    unscored = [name for name, fire in profile.items() if not np.isfinite(fire).any()]
    return {name: profile.reasons.get(name) or unknown for name in unscored}


def _read(path):
    try:
        with h5py.File(path, "r") as file:
            attributes = dict(file.attrs)
            _check_header(path, attributes)
            table = {key: file[key][()] for key in ("X", "y", "layers", "indices", "reasons")}
    except FileNotFoundError:
        raise
    except (OSError, KeyError, RuntimeError) as error:
        raise ValueError(
            f"{str(path)!r} cannot be read as a FIRE detector: it is truncated, damaged or not "
            f"HDF5 ({error}). Fit a detector again and write it with FireDetector.save(path)."
        ) from error
    _check_table(path, attributes, table)
    return attributes, table


def _check_header(path, attributes):
    received, version = attributes.get("format"), attributes.get("version", 0)
    if received != FILE_FORMAT:
        raise ValueError(
            f"{str(path)!r} is not a FIRE detector: expected format {FILE_FORMAT!r}, received "
            f"{received!r}. Pass a file that FireDetector.save wrote; measured FIRE (.fire.h5) is "
            "read with FireProfile.load."
        )
    if version != FILE_VERSION:
        raise ValueError(
            f"{str(path)!r} is a FIRE detector of version {version}; this firekeras reads version "
            f"{FILE_VERSION}. Update firekeras, or fit the detector again."
        )


def _check_table(path, attributes, table):
    rows, layers = np.size(table["y"]), np.size(table["layers"])
    shapes = {"X": (rows, len(FEATURE_NAMES)), "y": (rows,)}
    shapes |= dict.fromkeys(("layers", "indices", "reasons"), (layers,))
    wrong = [key for key, shape in shapes.items() if np.shape(table[key]) != shape]
    wrong += [key for key in ("regressor", "seed") if key not in attributes]
    if wrong:
        raise ValueError(
            f"{str(path)!r} is a damaged FIRE detector: {', '.join(wrong)} missing or of the wrong "
            "shape. Fit a detector again and write it with FireDetector.save(path)."
        )
