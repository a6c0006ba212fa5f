"""FIREPruning (Fang et al., ACML 2020): ranks filters by how often their ReLU is silent."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np

from firekeras.arguments import typed
from firekeras.channels import channel_graph
from firekeras.data.checks import check_fraction, knows_its_length
from firekeras.data.samples import draw_samples
from firekeras.methods import papers
from firekeras.methods.by_score import check_balance
from firekeras.methods.drift import DriftGuard
from firekeras.network import Network
from firekeras.plan.planning import PruningPlan
from firekeras.plan.together import together
from firekeras.plan.units import over_units
from firekeras.refusals import check_one_of, listed
from firekeras.rounds.method import Method, Protocol, register, with_defaults
from firekeras.rounds.run import Run
from firekeras.scores.criteria import CRITERIA, get_criterion, l1_norm, score_filters
from firekeras.scores.detector.features import extract_features
from firekeras.scores.detector.fire_detector import FireDetector
from firekeras.scores.detector.regressors import scikit_learn
from firekeras.scores.fire.measuring import check_has_relus, count_zeros, profile_from_counts, with_fire
from firekeras.scores.profile import FilterScores, FireProfile

MODES = ("learned", "measured")
MEASURED = {"contribution": "contribution_measured"}  # for networks that cannot be scored without data
SAMPLES = 2000  # for criteria beside FIRE that need data
WEAK = 0.5  # cross-validated rank correlation below which a note warns about the detector


@register("fire")
class FirePruning(Method):
    """Removes filters of high FIRE, beginning with those that other criteria find dispensable too.

    Source: Fang et al., "FIREPruning", ACML 2020. The criteria beside FIRE, BatchNormalization among the features, the
    ranking within layers and the drift guard are not in the paper.

    Args:
        mode: `"learned"` measures FIRE in the first round, trains a detector on it, and predicts
            FIRE from the weights after that (section 3.3); `"measured"` measures in every round
            (the general framework, section 3.2). Defaults to `"learned"`.
        regressor: The detector's regressor, by name or as an object. Defaults to `"random_forest"`.
        features: What the detector predicts from: `"bn"`, weights and BatchNormalization, or
            `"paper"`, the weights alone. Defaults to `"bn"`.
        fraction: The share of the data to measure FIRE on, above 0 and up to 1, or `"auto"`, as
            `firekeras.measure_fire` takes it. Defaults to 0.2 (section 4.1).
        measure_on: Data to measure FIRE on instead of the training data, as `measure_fire` takes them: for example
            `firekeras.datasets.synthetic_images` (section 3.3.2), scaled like the network's inputs.
            Defaults to None: the training data.
        drift_threshold: The detector is trained again if its rank correlation with FIRE measured on
            `drift_samples` samples falls below this, from -1 to 1. Defaults to 0.8; -1 turns the drift guard off.
        drift_samples: How many samples to check drift on in each round, at least 1. Defaults to 500.
        beside: The names of criteria whose ranks within a layer count as much as the ranks by FIRE
            (`firekeras.plan.together`); they alone rank filters without FIRE, such as those that meet an addition
            before any ReLU. Defaults to `("l1", "contribution")`; `()` ranks by FIRE alone, and filters without it
            stay. If a network has no BatchNormalization, contributions are measured on data; a criterion that
            cannot score the network is left out.
        balance: Overrides the run's `balance`, from 0 to 1: 0 ranks the filters of all layers together, and lets a
            layer lose in one cut all that its limits allow. With `beside=()` that is the paper's ranking,
            `method="fire_paper"`. Defaults to None: the run's own, which ranks within layers.
        dense: Whether units of Dense layers are ranked too, even if no cap names their layer. The paper ranks the
            filters of convolutions alone, and so does `method="fire_paper"`. Defaults to True.
        seed: Seeds the choice of samples, and the regressor. Defaults to 0.

    Attributes:
        profile: The `FireProfile` that was measured last.
        detector: The `FireDetector`, once there is one. If it is weak on the network at hand, the notes of each
            plan that uses its predictions say so.
        details: How well the predictions of the last round agreed with FIRE measured on a sample.

    Raises:
        ValueError: If there is no such mode, regressor, feature set or criterion, or a number is out of range.

    Example:
    >>> method = firekeras.methods.FirePruning(mode="measured")
    >>> result = firekeras.compress(model, train, validation, method=method, epochs=1)
    """

    protocols: Mapping[str, Protocol] = {"paper": papers.FIRE}

    @typed
    def __init__(
        self,
        mode: str = "learned",
        *,
        regressor: Any = "random_forest",
        features: str = "bn",
        fraction: float | str = 0.2,
        measure_on: Any = None,
        drift_threshold: float = 0.8,
        drift_samples: int = 500,
        beside: str | Iterable[str] = ("l1", "contribution"),
        balance: float | None = None,
        dense: bool = True,
        seed: int = 0,
    ):
        check_one_of("mode", mode, MODES)
        check_fraction(fraction)
        beside = (beside,) if isinstance(beside, str) else tuple(beside)
        for name in beside:
            get_criterion(name)
        check_balance(balance)
        self.beside, self.balance, self.dense = beside, balance, dense
        self.mode, self.fraction, self.measure_on, self.seed = mode, fraction, measure_on, seed
        self.drift = DriftGuard(drift_threshold, drift_samples, seed)
        self._untrained = FireDetector(regressor, features=features, seed=seed)
        self.profile: FireProfile | None = None
        self.detector: FireDetector | None = None
        self.details: dict = {}

    def check(self, model: keras.Model, train_data: Any) -> None:
        """Raises `ValueError` if only FIRE ranks and there is none, `ImportError` if the detector cannot learn here."""
        network = Network.of(model)
        if not self.beside or not network.graph.filter_layers:
            check_has_relus(network)
        if self.mode == "learned" and network.relus:
            scikit_learn()

    def remarks(self, model: keras.Model) -> list[str]:
        """A sentence on filters that may go and have no FIRE."""
        network, others = Network.of(model), " and ".join(self.beside)
        if not others:
            return []
        if not network.relus:
            return [f"No filter has a ReLU of its own, so there is no FIRE: {others} rank the filters."]
        names = _without_fire(network)
        return [f"{listed(names)} without FIRE: {others} alone rank these filters."] if names else []

    def plan(self, model: keras.Model, run: Run) -> PruningPlan:
        """The plan for the next round."""
        plan = run.plan(model, self.ranking(model, run.train_data, run.pruning_ratio))
        notes = self.notes()  # in the first round too: a detector that can predict nothing is refused there
        plan.notes.extend(notes if "fire_predicted" in plan.criterion else ())
        return plan

    def ranking(self, model: keras.Model, data: Any, share: float = 0.05) -> FilterScores:
        """The scores that rank the model's filters: their FIRE, combined with the criteria beside it.

        Args:
            model, data, share: As in `scores`.
        """
        found = (self._other(model, name, data) for name in self.beside)
        others = [other for other in found if other is not None]
        if others and not Network.of(model).relus:
            self.details = {}
            return together(others[0], channel_graph(model), others[1:])
        return together(self.scores(model, data, share), channel_graph(model), others)

    def _other(self, model: keras.Model, name: str, data: Any) -> FilterScores | None:
        """Scores by a criterion, else by its measured version; None if neither can score the network."""
        for criterion in (name, MEASURED.get(name)):
            measured = criterion is not None and CRITERIA[criterion].needs == "data"
            if criterion is None or (measured and data is None):
                continue
            samples = draw_samples(data, SAMPLES, self.seed) if measured else None
            with contextlib.suppress(ValueError):
                return score_filters(model, criterion, data=samples, seed=self.seed)
        return None

    def scores(self, model: keras.Model, data: Any, share: float = 0.05) -> FilterScores:
        """FIRE of the model's filters: measured in the first round (or in every round), else predicted.

        Args:
            model: The network as it is now.
            data: The training data; None if there are none, in which case drift cannot be checked.
            share: The share of the filters that are about to go, from 0 to 1. Defaults to 0.05.

        Returns:
            A `FireProfile` if FIRE was measured, else the detector's `FilterScores`.
        """
        self.details = {}
        data = self._data(data)
        network = Network.of(model)
        if self.detector is None:
            return self._measured(network, data, share)
        if self.profile is not None and self._is_of(self.profile, network):
            return self.profile  # it still holds after a first round that was undone
        features = extract_features(network)
        predicted = self.detector.predict_from(features)
        if data is None or not self.drift.watches:
            return predicted
        self.details = self.drift.agreement(network.model, features, predicted, data, share)
        return self._measured(network, data, share, features) if self.details["refitted"] else predicted

    @staticmethod
    def _is_of(profile, network):
        """Whether a profile is of the network as it is now, judging by its widths and the norms of its filters."""
        if profile.graph is None or profile.graph.widths != network.graph.widths:
            return False
        norms = {name: l1_norm(kernel) for name, kernel in network.filter_kernels().items()}
        return all(np.allclose(norms[name], known, rtol=1e-5) for name, known in profile.l1.items() if name in norms)

    def fire_of(self, model: keras.Model, run: Run) -> FireProfile | None:
        """FIRE of the network that a run leaves, measured as that of the first one."""
        network = Network.of(model)
        return self._counted(network, self._data(run.train_data)) if network.relus else None

    def _data(self, train_data):
        return train_data if self.measure_on is None else self.measure_on

    def _counted(self, network, data, share=0.0, features=None):
        fraction = self.fraction if knows_its_length(data) else 1.0  # nobody knows what a share of it would be
        counted = count_zeros(network.model, data, fraction=fraction, seed=self.seed, cut=share or 0.05)
        return profile_from_counts(*counted, features or extract_features(network))

    def _measured(self, network, data, share, features=None):
        profile = self._counted(network, data, share, features)
        if self.mode == "learned":
            self.learn(profile)
        self.profile = profile
        return profile

    def learn(self, profile: FireProfile) -> None:
        """Trains the detector on a profile, so that no later round needs data.

        Args:
            profile: A measured `FireProfile`.
        """
        self.profile = profile
        self.detector = self._untrained.fit(None, profile)

    def restore(self, profile: FireProfile | None, state: dict) -> None:
        """Restores what a run had measured before it was interrupted, and trains the detector on it."""
        self.profile = profile
        if self.mode == "learned" and profile is not None:
            self.learn(profile)

    def notes(self) -> list[str]:
        """Sentences that a user of its predictions should read about the detector."""
        spearman = 1.0 if self.detector is None else self.detector.quality["spearman"]
        if spearman >= WEAK:
            return []
        return [
            f"On this network the detector ranks filters weakly (Spearman {spearman:.2f} when cross-validated, below "
            f"{WEAK}): FirePruning(mode='measured') is safer."
        ]


def _without_fire(network: Network) -> list[str]:
    """The layers of filters that may go and have no FIRE."""
    graph = network.graph
    lack = np.isnan(over_units(graph, with_fire(network)))
    lack[list(graph.locks)] = False
    return [
        name for name in graph.filter_layers if lack[graph.filters(name)].any() and not graph.layers[name].needs_cap
    ]


@register("fire_paper")
@with_defaults(FirePruning, beside=(), balance=0, dense=False)
def fire_over_all_layers(**options: Any) -> FirePruning:
    """FIRE alone, over all convolutions together, as the paper ranks filters.

    Args:
        **options: As `FirePruning` takes them; `beside` defaults to `()`, `balance` to 0 and `dense` to
            False.
    """
    return FirePruning(**options)
