"""FIREPruning (Fang et al., ACML 2020): rank filters by how often their ReLU is silent."""

from __future__ import annotations

import contextlib

import numpy as np

from firekeras.channels import channel_graph, filter_kernels
from firekeras.data.checks import check_fraction
from firekeras.data.samples import draw_samples
from firekeras.methods.by_score import check_balance
from firekeras.methods.drift import DriftGuard
from firekeras.network.network import Network
from firekeras.plan.planning import PruningPlan
from firekeras.plan.together import together
from firekeras.refusals import check_one_of
from firekeras.rounds.method import Method, register
from firekeras.scores.criteria import CRITERIA, get_criterion, l1_norm, score_filters
from firekeras.scores.detector.fire_detector import FireDetector
from firekeras.scores.fire.measuring import check_has_relus, measure_fire
from firekeras.scores.profile import FilterScores

MODES = ("learned", "measured")
MEASURED = {"contribution": "contribution_measured"}  # for networks that say nothing of it without data
SAMPLES = 2000  # for criteria beside FIRE that are measured
WEAK = 0.5  # a detector whose cross-validated rank correlation is below this is pointed out


@register("fire")
class FirePruning(Method):
    """Removes filters of high FIRE: those that other criteria find dispensable too go first.

    Args:
        mode: `"learned"` measures FIRE in the first round, trains a detector on it, and predicts
            it from the weights after that (section 3.3); `"measured"` measures in every round
            (the general framework, section 3.2). Defaults to `"learned"`.
        regressor: The detector's regressor, by name or as an object. Defaults to `"random_forest"`.
        features: What the detector predicts from: `"bn"`, weights and BatchNormalization, or
            `"paper"`, the weights alone. Defaults to `"bn"`.
        fraction: Share of the data that FIRE is measured on, above 0, up to 1, or `"auto"`, as
            `firekeras.measure_fire` takes it. Defaults to 0.2 (section 4.1).
        measure_on: Data to measure FIRE on instead of the training data, as `measure_fire` takes them:
            `firekeras.datasets.synthetic_images` (section 3.3.2), say, scaled as the network's inputs are.
            Defaults to the training data.
        drift_threshold: The detector is trained anew where its rank correlation with FIRE measured on
            `drift_samples` samples falls below this, -1 to 1. Defaults to 0.8; -1 never does, nor measures.
        drift_samples: How many samples each round is checked on. Defaults to 500.
        beside: Criteria whose places within a layer count as much as those by FIRE (`firekeras.plan.together`), by
            name. Defaults to `("l1", "contribution")`; `()` ranks by FIRE alone. Of a network without
            BatchNormalization contributions are measured, on data; one that has nothing to say is left out.
        balance: In place of the run's: 0 ranks the filters of all layers together, and lets one layer lose all that
            its limits allow at once. With `beside=()` that is the paper's ranking, `method="fire_paper"`.
            Defaults to None: the run's, which ranks within layers.
        seed: For the choice of samples, and the regressor.

    Attributes:
        profile: The `FireProfile` that was measured last.
        detector: The `FireDetector`, once there is one. Where it is weak on the network at hand,
            each plan's notes say so.
        details: Of the last round: how well predictions agreed with FIRE measured on a sample.

    Example:
    >>> result = firekeras.compress(model, train, validation, method=FirePruning(mode="measured"))
    """

    def __init__(
        self,
        mode="learned",
        *,
        regressor="random_forest",
        features="bn",
        fraction=0.2,
        measure_on=None,
        drift_threshold=0.8,
        drift_samples=500,
        beside=("l1", "contribution"),
        balance=None,
        seed=0,
    ):
        check_one_of("mode", mode, MODES)
        check_fraction(fraction)
        beside = (beside,) if isinstance(beside, str) else tuple(beside)
        for name in beside:
            get_criterion(name)
        check_balance(balance)
        self.beside, self.balance = beside, balance
        self.mode, self.fraction, self.measure_on, self.seed = mode, fraction, measure_on, seed
        self.drift = DriftGuard(drift_threshold, drift_samples, seed)
        self._untrained = FireDetector(regressor, features=features, seed=seed)
        self.profile = None
        self.detector = None
        self.details: dict = {}

    def check(self, model, train_data):
        """Raises `ValueError` where no filter has a ReLU of its own."""
        check_has_relus(Network.of(model))

    def plan(self, model, run) -> PruningPlan:
        """The plan for the next round."""
        plan = run.plan(model, self.ranking(model, run.train_data, run.pruning_ratio))
        plan.notes.extend(self.notes())
        return plan

    def ranking(self, model, data, share=0.05) -> FilterScores:
        """What the model's filters are ranked by: their FIRE, as in `scores`, and what stands beside it."""
        scores = self.scores(model, data, share)
        others = (self._other(model, name, data) for name in self.beside)
        return together(scores, channel_graph(model), [one for one in others if one is not None])

    def _other(self, model, name, data) -> FilterScores | None:
        """Scores by a criterion, else by the one that measures the same; None if both know nothing of the network."""
        for one in (name, MEASURED.get(name)):
            measured = one is not None and CRITERIA[one].needs == "data"
            if one is None or (measured and data is None):
                continue
            samples = draw_samples(data, SAMPLES, self.seed) if measured else None
            with contextlib.suppress(ValueError):
                return score_filters(model, one, data=samples, seed=self.seed)
        return None

    def scores(self, model, data, share=0.05) -> FilterScores:
        """FIRE of the model's filters: measured in the first round, or always; else predicted.

        Args:
            model: The network as it is now.
            data: The training data; None where there are none, so that drift cannot be seen.
            share: Share of the filters that are about to go. Defaults to 0.05.
        """
        self.details = {}
        data = data if self.measure_on is None else self.measure_on
        if self.detector is None:
            return self._measured(model, data, share)
        if self.profile is not None and self._is_of(self.profile, model):
            return self.profile  # an undone first round takes nothing from what was measured
        predicted = self.detector.predict(model)
        if data is None or not self.drift.watches:
            return predicted
        self.details = self.drift.agreement(model, predicted, data, share)
        return self._measured(model, data, share) if self.details["refitted"] else predicted

    @staticmethod
    def _is_of(profile, model):
        """Whether a profile is that of a network as it is now: by its widths, and the norms of its filters."""
        if profile.graph is None or profile.graph.widths != channel_graph(model).widths:
            return False
        norms = {name: l1_norm(kernel) for name, kernel in filter_kernels(model).items()}
        return all(np.allclose(norms[name], known, rtol=1e-5) for name, known in profile.l1.items() if name in norms)

    def _measured(self, model, data, share):
        profile = measure_fire(model, data, fraction=self.fraction, seed=self.seed, cut=share or 0.05)
        if self.mode == "learned":
            self.learn(profile)
        self.profile = profile
        return profile

    def learn(self, profile):
        """Trains the detector, so that no later round needs data."""
        self.profile = profile
        self.detector = self._untrained.fit(None, profile)

    def restore(self, profile, state):
        """Takes up what a run had measured before it was broken off."""
        self.profile = profile
        if self.mode == "learned" and profile is not None:
            self.learn(profile)

    def notes(self) -> list[str]:
        """What a user should know of the detector, in words."""
        spearman = 1.0 if self.detector is None else self.detector.quality["spearman"]
        if spearman >= WEAK:
            return []
        return [
            f"On this network the detector ranks filters weakly (Spearman {spearman:.2f} when cross-validated, below "
            f"{WEAK}): from the second round on, FirePruning(mode='measured') is safer."
        ]


@register("fire_paper")
def fire_over_all_layers(**options) -> FirePruning:
    """FIRE alone, over all layers together, as the paper ranks."""
    return FirePruning(beside=(), balance=0, **options)
