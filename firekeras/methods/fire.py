"""FIREPruning (Fang et al., ACML 2020): rank all filters by how often their ReLU is silent."""

from __future__ import annotations

from firekeras.detector import FireDetector
from firekeras.measure import measure_fire
from firekeras.plan import PruningPlan, plan_pruning

MODES = ("learned", "measured")
WEAK = 0.5  # a detector whose cross-validated rank correlation is below this is pointed out


class FirePruning:
    """Removes the filters of highest FIRE, over all layers together.

    Args:
        mode: `"learned"` measures FIRE in the first round, trains a detector on it, and predicts
            it from the weights after that (section 3.3); `"measured"` measures in every round
            (the general framework, section 3.2). Defaults to `"learned"`.
        pruning_ratio: Share of the remaining prunable filters that go in a round. Defaults to 0.05.
        regressor: The detector's regressor, by name or as an object. Defaults to `"random_forest"`.
        features: What the detector predicts from: `"bn"`, weights and BatchNormalization, or
            `"paper"`, the weights alone. Defaults to `"bn"`.
        fraction: Share of the training data that FIRE is measured on. Defaults to 0.2 (section 4.1).
        round_to, min_keep: As in `plan_pruning`.
        seed: For the choice of samples, and the regressor.

    Attributes:
        profile: The `FireProfile` that was measured last.
        detector: The `FireDetector`, once there is one. Where it is weak on the network at hand,
            each plan's notes say so.

    Example:
    >>> result = firekeras.compress(model, train, validation, method=FirePruning(mode="measured"))
    """

    def __init__(
        self,
        mode="learned",
        *,
        pruning_ratio=0.05,
        regressor="random_forest",
        features="bn",
        fraction=0.2,
        round_to=1,
        min_keep=0.1,
        seed=0,
    ):
        if mode not in MODES:
            raise ValueError(f"mode is one of {MODES}. Received: {mode!r}.")
        self.mode, self.pruning_ratio, self.fraction, self.seed = mode, pruning_ratio, fraction, seed
        self.limits = {"round_to": round_to, "min_keep": min_keep}
        self._untrained = FireDetector(regressor, features=features, seed=seed)
        self.profile = None
        self.detector = None

    def plan(self, model, data, *, layer_caps, original_widths) -> PruningPlan:
        """The plan for the next round."""
        return self.plan_from(model, self.scores(model, data), layer_caps=layer_caps, original_widths=original_widths)

    def plan_from(self, model_or_graph, scores, *, layer_caps, original_widths) -> PruningPlan:
        """The plan for the next round, from scores that are there already."""
        plan = plan_pruning(
            model_or_graph,
            scores,
            pruning_ratio=self.pruning_ratio,
            layer_caps=layer_caps,
            original_widths=original_widths,
            **self.limits,
        )
        plan.notes.extend(self._notes())
        return plan

    def scores(self, model, data):
        """FIRE of the model's filters: measured in the first round, or always; else predicted."""
        if self.detector is not None:
            return self.detector.predict(model)
        self.profile = measure_fire(model, data, fraction=self.fraction, seed=self.seed)
        if self.mode == "learned":
            self.learn(self.profile)
        return self.profile

    def learn(self, profile):
        """Trains the detector, so that no later round needs data."""
        self.profile = profile
        self.detector = self._untrained.fit(None, profile)

    def _notes(self):
        spearman = 1.0 if self.detector is None else self.detector.quality["spearman"]
        if spearman >= WEAK:
            return []
        return [
            f"On this network the detector ranks filters weakly (Spearman {spearman:.2f} when cross-validated, below "
            f"{WEAK}): from the second round on, FirePruning(mode='measured') is safer."
        ]
