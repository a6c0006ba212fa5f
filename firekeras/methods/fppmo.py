"""FPPMO (Li, Li and Chen, WSDM 2021): a probability of going for each filter, learned from how pruned networks do."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from firekeras.channels import channel_graph
from firekeras.channels.graph import ChannelGraph
from firekeras.data.samples import draw_samples, in_batches, shared_out
from firekeras.network.masking import MaskedNetwork
from firekeras.plan.planning import AS_SCORED, COSTS, PruningPlan, plan_pruning
from firekeras.plan.units import over_units
from firekeras.refusals import check_number, check_one_of, check_share, check_whole
from firekeras.rounds.method import Method, register
from firekeras.scores.criteria import score_filters
from firekeras.scores.profile import FilterScores

SEARCHES = ("elite", "random")
ALL = 1 - 1e-9  # as a pruning ratio: as many as the limits let go
BATCH_SIZE = 256
SETTLED = 0.1  # nats: with less entropy per filter all is decided


@dataclasses.dataclass(frozen=True)
class Learning:
    """How probabilities follow what was found.

    Args:
        elite: Share of the candidates that are learned from, above 0, up to 1. Defaults to 0.25.
        rate: How far probabilities move towards the elite's at a time, above 0, up to 1. Defaults to 0.5.
        least: No probability comes nearer to 0 or 1 than this, above 0, below 0.5. Defaults to 0.02.
        temperatures: How much chance there is in the first iteration and in the last, above 0: at 1
            filters are drawn by their probabilities, at 2 the draws are bolder, near 0 the likeliest
            go. Probabilities sharpen by themselves; cooling below 1 decides too early. Defaults to (2, 1).
        shrink: How much of the logits goes on to the next stage, 0 to 1. Defaults to 0.5.

    Raises:
        ValueError: If a number is out of its range.
    """

    elite: float = 0.25
    rate: float = 0.5
    least: float = 0.02
    temperatures: tuple[float, float] = (2.0, 1.0)
    shrink: float = 0.5

    def __post_init__(self):
        check_share("elite", self.elite, above=0)
        check_share("rate", self.rate, above=0)
        check_number("least", self.least, above=0, below=0.5)
        for temperature in self.temperatures:
            check_number("Each of temperatures", temperature, above=0)
        check_share("shrink", self.shrink)


@register("fppmo")
class FPPMO(Method):
    """Draws pruned networks by a probability of each filter, and learns these from the best networks.

    From the paper's abstract: filters have a pruning probability, pruning is guided by sampling from
    these, and they are updated by the performance of the pruned model, which pruning and retraining in
    turns does not feed back. No more of it was accessible: all that follows is designed by us.

    - A candidate is drawn by adding logistic noise to the logits of the probabilities. Those with the
      highest values go, as few as meet the budget, within all limits of the run. So every candidate
      meets it; at temperature 1 it is one Bernoulli draw per filter, but for a shift of all logits.
    - It is judged without training: filters are masked, BatchNormalization is settled, and the
      reward is minus the compiled loss on samples that are the same for all. The validation data,
      which judge rounds, are not looked at.
    - Probabilities move towards how often filters went in the best quarter of the candidates (PBIL:
      Baluja 1994; the cross-entropy method: Rubinstein 1999), and there is less and less chance.
    - They begin at the share that a uniform cut needs, higher for small l1 norms (`prior`).
    - A stage is a round of the run. With a target in MACs or parameters, equal steps lead down to it;
      else a round takes as many MACs as the run's pace wants, or `pruning_ratio` of what is left. After a
      round that was undone steps get half as long. What was learned of the filters that stay goes on to the
      next stage, at half strength.
    - What goes in the end is the best candidate or the likeliest, whichever does better on samples that
      no candidate was judged on.

    Args:
        search: `"elite"`, or `"random"`, the control: the best of as many random networks within the
            same budget. Defaults to `"elite"`.
        stages: In how many rounds to come down to the run's target, from 1 on. Defaults to 3.
        iterations: How often probabilities are updated in a stage, from 1 on. Defaults to 24.
        samples: How many candidates are drawn for each update, from 1 on. Defaults to 16.
        prior: How much higher the probability of the smallest norm in a layer begins than that of the
            largest, 0 to 1. Defaults to 0.5.
        search_data: Labelled data that candidates are judged on, as `fit` takes them; best those that no
            training has seen, since a network that knows its training data by heart does well on
            them without filters that it needs elsewhere. Defaults to the training data.
        search_samples: How many samples candidates are judged on, from 1 on; as many others for
            BatchNormalization, and for the last choice. Fewer if there are not so many. Defaults to 512.
        learning: How probabilities are updated. Defaults to `Learning()`.
        seed: For all that is drawn. Defaults to 0.

    Attributes:
        probabilities: Of each layer's filters in the network of the last plan, `(filters,)`.
        details: Of the last round: how many `evaluations` it took, the highest `reward` among them, and
            the `entropy` that was left, in nats per filter.

    Raises:
        ValueError: If a setting is out of its range.

    Example:
    >>> result = firekeras.compress(model, train, validation, method=FPPMO(stages=3), target={"macs": 0.5})
    """

    def __init__(
        self,
        search="elite",
        *,
        stages=3,
        iterations=24,
        samples=16,
        prior=0.5,
        search_data=None,
        search_samples=512,
        learning=None,
        seed=0,
    ):
        check_one_of("search", search, SEARCHES)
        counts = {"stages": stages, "iterations": iterations, "samples": samples, "search_samples": search_samples}
        for name, value in counts.items():
            check_whole(name, value, 1)
        check_share("prior", prior)
        self.search, self.stages, self.iterations, self.samples = search, stages, iterations, samples
        self.prior, self.search_data, self.search_samples, self.seed = prior, search_data, search_samples, seed
        self.learning = learning or Learning()
        self.details: dict = {}
        self.probabilities: dict[str, np.ndarray] = {}
        self._removed: dict[str, list[int]] = {}

    def check(self, model, train_data):
        """Raises `ValueError` if networks cannot be judged by their loss."""
        Reward(model, train_data, self.search_data, 1, self.seed)

    def plan(self, model, run) -> PruningPlan:
        """The plan for this stage: the best network within its budget that was found."""
        budget = Budget.of(channel_graph(model), run, self.stages)
        if not budget.reachable.removed:
            return budget.reachable
        rng = np.random.default_rng([self.seed, len(run.records)])
        reward = Reward(model, run.train_data, self.search_data, self.search_samples, rng.integers(2**31))
        beliefs = self._beliefs(model, run, budget)
        search = self._learned if self.search == "elite" else self._at_random
        plan = max(search(beliefs, budget, reward, rng), key=lambda plan: reward.on_others(budget.mask(plan)))
        self.details = {"evaluations": reward.evaluations, "reward": reward.best, "entropy": beliefs.entropy}
        self.probabilities = budget.graph.by_layer(beliefs.probabilities)
        self._removed = {name: filters.tolist() for name, filters in plan.removed.items()}
        return plan

    def state(self) -> dict:
        """What the next stage goes on with."""
        return {
            "probabilities": {name: values.tolist() for name, values in self.probabilities.items()},
            "removed": self._removed,
        }

    def restore(self, profile, state):
        """Takes up what a run that was broken off had learned."""
        self.probabilities = {name: np.array(values) for name, values in state.get("probabilities", {}).items()}
        self._removed = state.get("removed", {})

    def _beliefs(self, model, run, budget):
        if not run.records:
            self.probabilities = {}
        elif run.records[-1].accepted:
            self.probabilities = {
                name: np.delete(values, self._removed.get(name, [])) for name, values in self.probabilities.items()
            }
        if not self.probabilities:
            return Beliefs(first_probabilities(model, budget, self.prior), budget.graph, self.learning)
        return Beliefs(over_units(budget.graph, self.probabilities), budget.graph, self.learning).shrunk()

    def _learned(self, beliefs, budget, reward, rng):
        """The best candidate and the likeliest one, after learning from all."""
        best: list[tuple] = []
        hot, cold = self.learning.temperatures
        for temperature in np.geomspace(hot, cold, self.iterations):
            plans = [budget.plan(beliefs.draw(rng, temperature)) for _ in range(self.samples)]
            masks = np.stack([budget.mask(plan) for plan in plans])
            rewards = np.array([reward(mask) for mask in masks])
            best = highest([*best, *zip(rewards, plans, strict=True)], 1)
            beliefs.learn(masks, rewards)
            if beliefs.entropy < SETTLED:
                break
        return [best[0][1], budget.plan(beliefs.logits)]

    def _at_random(self, beliefs, budget, reward, rng):
        """The two best of as many candidates that owe nothing to what was learned."""
        best: list[tuple] = []
        for _ in range(self.iterations * self.samples):
            plan = budget.plan(rng.uniform(size=beliefs.logits.size))
            best = highest([*best, (reward(budget.mask(plan)), plan)], 2)
        return [plan for _, plan in best]


def highest(pairs, count) -> list[tuple]:
    """The pairs (reward, plan) of the highest rewards; of equal ones those that came first."""
    return sorted(pairs, key=lambda pair: -pair[0])[:count]


def first_probabilities(model, budget, prior) -> np.ndarray:
    """What a uniform cut within the budget needs, and more where the l1 norm is small within its layer."""
    norms = score_filters(model, "l1")  # its scores are minus the norms
    place = over_units(budget.graph, {name: _places(-scores) for name, scores in norms.items()})
    gone = budget.mask(budget.plan(-place))
    share = budget.graph.unit_sizes[gone].sum() / budget.reachable.ranked
    return share + prior * (0.5 - place)


def _places(values):
    """The place of each value in ascending order, from 0 to 1."""
    return np.argsort(np.argsort(values, kind="stable")) / max(1, values.size - 1)


class Beliefs:
    """A probability of going for each unit.

    Args:
        probabilities: To begin with, `(num_units,)`.
        graph: The `ChannelGraph`; locked units take no part.
        learning: How they are updated.
    """

    def __init__(self, probabilities, graph, learning):
        self.learning = learning
        self.probabilities = np.clip(probabilities, learning.least, 1 - learning.least)
        self._free = np.setdiff1d(np.arange(graph.num_units), list(graph.locks))

    @property
    def logits(self) -> np.ndarray:
        """The same as logits."""
        return np.log(self.probabilities / (1 - self.probabilities))

    @property
    def entropy(self) -> float:
        """How open things are: nats per unit, 0.69 for an even chance."""
        chances = np.stack([self.probabilities, 1 - self.probabilities])[:, self._free]
        return float(-(chances * np.log(chances)).sum(0).mean())

    def draw(self, rng, temperature) -> np.ndarray:
        """Logits with chance in them: at temperature 1 one is above 0 with its probability."""
        return self.logits + temperature * rng.logistic(size=self.probabilities.size)

    def learn(self, masks, rewards):
        """Moves towards how often units went in the best candidates."""
        elite = np.argsort(-rewards, kind="stable")[: math.ceil(self.learning.elite * rewards.size)]
        moved = self.probabilities + self.learning.rate * (masks[elite].mean(0) - self.probabilities)
        self.probabilities = np.clip(moved, self.learning.least, 1 - self.learning.least)

    def shrunk(self) -> Beliefs:
        """The same, less sure of itself."""
        self.probabilities = 1 / (1 + np.exp(-self.learning.shrink * self.logits))
        return self


@dataclasses.dataclass
class Budget:
    """What a stage may leave of a network.

    Args:
        graph: Its `ChannelGraph`.
        limits: As `plan_pruning` takes them.
        measure: `"macs"`, or what the run's target is in.
        amount: How much of it there may be, at most.
        reachable: The plan that takes all that the limits let go.
    """

    graph: ChannelGraph
    limits: dict
    measure: str
    amount: int
    reachable: PruningPlan

    @classmethod
    def of(cls, graph, run, stages) -> Budget:
        """The budget of the next stage of a run."""
        alike = FilterScores(graph.by_layer(np.zeros(graph.num_units)), criterion="fppmo")
        reachable = plan_pruning(graph, alike, pruning_ratio=ALL, **{**run.limits, **AS_SCORED})
        measure = run.target.measure if run.target and run.target.measure in COSTS else "macs"
        now, least = (getattr(costs, measure) for costs in (reachable.costs_before, reachable.costs_after))
        wanted = _wanted(run, now, measure, stages)
        return cls(graph, run.limits, measure, max(math.floor(wanted), least), reachable)

    def plan(self, scores) -> PruningPlan:
        """The plan that meets the budget with the fewest filters, those of the highest scores, `(num_units,)`."""
        share = (self.amount + 0.5) / getattr(self.reachable.costs_before, self.measure)  # costs are whole numbers
        named = FilterScores(self.graph.by_layer(scores), criterion="fppmo")
        return plan_pruning(self.graph, named, target={self.measure: min(1, share)}, **{**self.limits, **AS_SCORED})

    def mask(self, plan) -> np.ndarray:
        """The units that a plan removes, `(num_units,)`."""
        return self.graph.units_of(plan.removed)


def _wanted(run, now, measure, stages) -> float:
    """How much of a cost a stage leaves."""
    if run.target and run.target.measure in COSTS:
        step = (getattr(run.costs_before, measure) - run.target.goal) / stages
        return max(run.target.goal, now - step * 0.5**run.halvings)
    paced, amount = run.step.goal or (None, 0)
    return amount if paced == measure else now * (1 - run.pruning_ratio)


class Reward:
    """How well a network does without some units, before any training: minus its loss.

    Args:
        model: The network, compiled.
        train_data: For BatchNormalization, and to judge by if there are no `search_data`.
        search_data: To judge by, or None.
        samples: How many to judge by; as many others for the rest.
        seed: For the choice of samples.

    Attributes:
        best: The highest reward so far.
        evaluations: How often it was asked for.
    """

    def __init__(self, model, train_data, search_data, samples, seed):
        if not model.compiled:
            raise ValueError(
                f"FPPMO judges networks by the loss that they are compiled with; {model.name!r} is not compiled. "
                "Compile it as for training: model.compile(optimizer, loss, metrics=['accuracy'])."
            )
        calibration, search, others = self._drawn(train_data, search_data, samples, seed)
        if search[1] is None:
            raise ValueError(
                "FPPMO judges networks by their loss on labels, which the training data lack: pass (x, y)."
            )
        self._masked = MaskedNetwork(model, [x for x, *_ in in_batches(calibration, BATCH_SIZE)])
        self._search, self._others = in_batches(search, BATCH_SIZE), in_batches(others, BATCH_SIZE)
        self._known: dict[bytes, float] = {}
        self.best, self.evaluations = -math.inf, 0

    @staticmethod
    def _drawn(train_data, search_data, samples, seed):
        if search_data is None:
            return shared_out(draw_samples(train_data, 3 * samples, seed), 3)
        return draw_samples(train_data, samples, seed), *shared_out(draw_samples(search_data, 2 * samples, seed), 2)

    def __call__(self, gone) -> float:
        """The reward without the units in a mask `(num_units,)`, on the search samples."""
        self.evaluations += 1
        if gone.tobytes() not in self._known:
            self._known[gone.tobytes()] = self._on(self._search, gone)
        self.best = max(self.best, self._known[gone.tobytes()])
        return self._known[gone.tobytes()]

    def on_others(self, gone) -> float:
        """The same on samples that no search has seen."""
        return self._on(self._others, gone)

    def _on(self, batches, gone):
        self._masked.remove(gone)
        return -self._masked.loss(batches)
