"""FIREPruning (Fang et al., ACML 2020): rank all filters by how often their ReLU is silent."""

from __future__ import annotations

from firekeras.detector import FireDetector
from firekeras.measure import measure_fire
from firekeras.plan import PruningPlan, plan_pruning

MODES = ("learned", "measured")


class FirePruning:
    """Removes the filters of highest FIRE, over all layers together.

    Args:
        mode: `"learned"` measures FIRE in the first round, trains a detector on it, and predicts
            it from the weights after that (section 3.3); `"measured"` measures in every round
            (the general framework, section 3.2). Defaults to `"learned"`.
        pruning_ratio: Share of the remaining prunable filters that go in a round. Defaults to 0.05.
        regressor: The detector's regressor, by name or as an object. Defaults to `"random_forest"`.
        fraction: Share of the training data that FIRE is measured on. Defaults to 0.2 (section 4.1).
        round_to, min_keep: As in `plan_pruning`.
        seed: For the choice of samples, and the regressor.

    Attributes:
        profile: The `FireProfile` that was measured last.
        detector: The `FireDetector`, once there is one.

    Example:
    >>> result = firekeras.compress(model, train, validation, method=FirePruning(mode="measured"))
    """

    def __init__(
        self,
        mode="learned",
        *,
        pruning_ratio=0.05,
        regressor="random_forest",
        fraction=0.2,
        round_to=1,
        min_keep=0.1,
        seed=0,
    ):
        if mode not in MODES:
            raise ValueError(f"mode is one of {MODES}. Received: {mode!r}.")
        self.mode, self.pruning_ratio, self.fraction, self.seed = mode, pruning_ratio, fraction, seed
        self.limits = {"round_to": round_to, "min_keep": min_keep}
        self._untrained = FireDetector(regressor, seed=seed)
        self.profile = None
        self.detector = None

    def plan(self, model, data, *, layer_caps, original_widths) -> PruningPlan:
        """The plan for the next round."""
        return self.plan_from(model, self.scores(model, data), layer_caps=layer_caps, original_widths=original_widths)

    def plan_from(self, model_or_graph, scores, *, layer_caps, original_widths) -> PruningPlan:
        """The plan for the next round, from scores that are there already."""
        return plan_pruning(
            model_or_graph,
            scores,
            pruning_ratio=self.pruning_ratio,
            layer_caps=layer_caps,
            original_widths=original_widths,
            **self.limits,
        )

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
