"""FPPMO (Li, Li and Chen, WSDM 2021): learns a removal probability per filter from how pruned networks perform."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from firekeras.arguments import typed
from firekeras.channels import channel_graph
from firekeras.channels.graph import ChannelGraph
from firekeras.data.checks import check_kind
from firekeras.data.samples import draw_samples, in_batches, shared_out
from firekeras.keras_models.snapshot import Snapshot
from firekeras.methods import papers
from firekeras.methods.penalty import filter_weights
from firekeras.network import Network
from firekeras.network.masking import MaskedNetwork
from firekeras.plan.planning import AS_SCORED, PruningPlan, plan_pruning
from firekeras.plan.units import over_units
from firekeras.refusals import check_number, check_one_of, check_share, checked_whole, unknown
from firekeras.rounds.engine import Rounds
from firekeras.rounds.method import Method, Protocol, register
from firekeras.rounds.repeatable import reseed
from firekeras.rounds.run import Run
from firekeras.rounds.targets import Target
from firekeras.scores.criteria import score_filters
from firekeras.scores.profile import FilterScores, FireProfile

SEARCHES = ("elite", "reinforce", "random")
ALL = 1 - 1e-9  # as a pruning ratio: as many as the limits allow
BATCH_SIZE = 256
SETTLED = 0.1  # nats: with less entropy per filter the search is over


@dataclasses.dataclass(frozen=True)
class Learning:
    """How the probabilities are updated.

    Args:
        elite: The share of the candidates to learn from, above 0 and up to 1. Defaults to 0.25.
        rate: How far probabilities move towards the elite's in each update, or the step of `"reinforce"`, above 0 and
            up to 1. Defaults to 0.5.
        least: No probability gets closer to 0 or 1 than this, above 0 and below 0.5. Defaults to 0.02.
        temperatures: How random the draws are in the first and in the last iteration, above 0: at 1
            filters are drawn by their probabilities, at 2 the draws are bolder, near 0 the likeliest filters
            go. Probabilities sharpen by themselves; cooling below 1 decides too early. Defaults to (2, 1).
        shrink: The factor that the logits are multiplied by at the next stage, from 0 to 1. Defaults to 0.5.

    Raises:
        ValueError: If a number is out of range.

    Example:
    >>> from firekeras.methods.fppmo import Learning
    >>> method = firekeras.methods.FPPMO(learning=Learning(elite=0.1))
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
    """Draws pruned networks by a removal probability per filter, and learns the probabilities from the best of them.

    Source: Li, Li and Chen, WSDM 2021. From its abstract: filters have a pruning probability, sampling from these
    probabilities guides pruning, and the performance of the pruned model updates them, feedback that is missing when
    pruning and retraining alternate. Only the abstract was accessible; everything below is our design.

    - A candidate is drawn by adding logistic noise to the logits of the probabilities. The filters with the
      highest values go, as few as meet the budget, within all limits of the run. So every candidate
      meets the budget; at temperature 1 it is one Bernoulli draw per filter, up to a shift of all logits.
    - Candidates are judged without training: filters are masked, BatchNormalization is settled, and the
      reward is minus the compiled loss, on the same samples for all candidates. The validation data,
      which judge rounds, are not used.
    - Probabilities move towards how often filters went in the best quarter of the candidates (PBIL:
      Baluja 1994; the cross-entropy method: Rubinstein 1999), and the draws get less and less random.
    - They begin at the share that a uniform cut needs, higher for small l1 norms (`prior`).
    - A stage is a round of the run. With targets that are counted, such as MACs, parameters or RAM, equal steps lead
      down to all of them. Without any, or beside one that is timed, a round removes as many MACs as the run's pace
      asks for, or `pruning_ratio` of what is left. After a round that was undone, steps are half as long. What was
      learned about the remaining filters carries over to the next stage, at half strength.
    - In the end either the best candidate or the likeliest one is cut, whichever does better on samples that
      no candidate was judged on.

    Args:
        search: How candidates update the probabilities: `"elite"`, by how often filters went in the best of them;
            `"reinforce"`, each candidate by its reward, along the gradient of the expected reward (Williams 1992);
            or `"random"`, the control: the best of as many random networks within the same budget. Defaults to
            `"elite"`.
        soft: Whether the network trains during the search: in each iteration the weights of the filters that the best
            candidate lacks are set to zero, and train on with all others for an epoch. In the end the likeliest
            filters go, all in one stage. The epochs count, so there are fewer iterations if the run has fewer for
            cutting. Defaults to False.
        stages: The number of rounds in which to reach the run's target, at least 1. Defaults to 3; not used if `soft`.
        iterations: How often probabilities are updated in a stage, at least 1. Defaults to 24.
        samples: How many candidates are drawn for each update, at least 1. Defaults to 16.
        prior: How much higher the initial probability of the smallest norm in a layer is than that of the
            largest, from 0 to 1. Defaults to 0.5.
        search_data: Labelled data to judge candidates on, as `fit` takes them; preferably data that no
            training has seen, since a network that has memorised its training data does well on
            them without filters that it needs elsewhere. Defaults to None: the training data.
        search_samples: How many samples to judge candidates on, at least 1; as many others are used for
            BatchNormalization, and for the final choice. Fewer if there are not as many. Defaults to 512.
        learning: How probabilities are updated: `Learning`, or its arguments as a dict. Defaults to None:
            `Learning()`.
        dense: Whether units of Dense layers go too, even if no cap names their layer. Defaults to False: filters of
            convolutions alone.
        seed: Seeds everything that is drawn at random. Defaults to 0.

    Attributes:
        probabilities: The probabilities of each layer's filters, `(filters,)`, in the network of the last plan.
        details: About the last round: the number of `evaluations`, the highest `reward`, and the remaining
            `entropy`, in nats per filter.

    Raises:
        ValueError: If a setting is out of range.

    Example:
    >>> method = firekeras.methods.FPPMO(stages=3)  # for firekeras.compress(..., method=method)
    >>> method.description()
    {'class': 'FPPMO', 'search': 'elite', ...}
    """

    protocols: Mapping[str, Protocol] = {"paper": papers.FPPMO}

    @typed
    def __init__(
        self,
        search: str = "elite",
        *,
        soft: bool = False,
        stages: int = 3,
        iterations: int = 24,
        samples: int = 16,
        prior: float = 0.5,
        search_data: Any = None,
        search_samples: int = 512,
        learning: Learning | Mapping | None = None,
        dense: bool = False,
        seed: int = 0,
    ):
        check_one_of("search", search, SEARCHES)
        if search_data is not None:
            check_kind(search_data)
        check_share("prior", prior)
        self.search, self.prior, self.search_data = search, prior, search_data
        self.seed = checked_whole("seed", seed, 0)
        _check_soft(soft, search)
        self.soft, self.dense = soft, dense
        self.stages = 1 if soft else checked_whole("stages", stages, 1)
        self.iterations = checked_whole("iterations", iterations, 1)
        self.samples = checked_whole("samples", samples, 1)
        self.search_samples = checked_whole("search_samples", search_samples, 1)
        self.learning = _learning(learning)
        self.details: dict = {}
        self.probabilities: dict[str, np.ndarray] = {}
        self._removed: dict[str, list[int]] = {}

    @property
    def trains(self) -> bool:
        """Whether the network trains during the search."""
        return self.soft

    def unread(self) -> tuple[str, ...]:
        """Where filters go: probabilities decide that."""
        return ("balance", "max_cut", "favour_macs")

    def check(self, model: keras.Model, train_data: Any) -> None:
        """Raises `ValueError` if networks cannot be judged by their loss."""
        Reward(model, train_data, self.search_data, 1, self.seed)

    def prepare(self, model: keras.Model, run: Rounds) -> keras.Model:
        """If the search is soft, a copy of the network that trains during it; else the network."""
        if not self.soft:
            return model
        copy = Network.of(model).copy(compiled=model.compiled)
        reseed(copy, run.settings.seed, len(run.records))
        budget = Budget.of(channel_graph(copy), run, self.stages)
        if budget.reachable.removed:
            self._train(copy, run, budget)
        return copy

    def plan(self, model: keras.Model, run: Run) -> PruningPlan:
        """The plan for this stage: the best network within the budget that the search finds."""
        budget = Budget.of(channel_graph(model), run, self.stages)
        if not budget.reachable.removed:
            return budget.reachable
        plan = self._likeliest(budget) if self.soft else self._found(model, run, budget)
        self._removed = {name: filters.tolist() for name, filters in plan.removed.items()}
        return plan

    def _likeliest(self, budget):
        """The plan by the probabilities that training has left."""
        return budget.plan(Beliefs(over_units(budget.graph, self.probabilities), budget.graph, self.learning).logits)

    def _found(self, model, run, budget):
        """The better plan of the two that the search comes to."""
        rng, reward = self._judge(model, run)
        beliefs = self._beliefs(model, run, budget)
        search = self._at_random if self.search == "random" else self._learned
        plan = max(search(beliefs, budget, reward, rng), key=lambda plan: reward.on_others(budget.mask(plan)))
        self._remember(budget, beliefs, reward)
        return plan

    def _judge(self, model, run):
        """The random generator of this round, and what judges its candidates."""
        rng = np.random.default_rng([self.seed, len(run.records)])
        return rng, Reward(model, run.train_data, self.search_data, self.search_samples, rng.integers(2**31))

    def _remember(self, budget, beliefs, reward):
        self.details = {"evaluations": reward.evaluations, "reward": reward.best, "entropy": beliefs.entropy}
        self.probabilities = budget.graph.by_layer(beliefs.probabilities)

    def _train(self, copy, run, budget):
        """Trains a network, an epoch after each update, without the filters of the best candidate at its beginning."""
        rng, reward = self._judge(copy, run)
        beliefs = self._beliefs(copy, run, budget)
        for temperature in self._temperatures(int(min(self.iterations, max(0, run.epochs_to_cut)))):
            reward.follow(copy)
            (_, best), *_ = self._iteration(beliefs, budget, reward, rng, temperature)
            before = Snapshot(copy)
            silence(Network.of(copy), budget.mask(best))
            if not math.isfinite(run.train_for_method(copy)):
                before.restore()
                break
        self._remember(budget, beliefs, reward)

    def state(self) -> dict:
        """The probabilities and the last cut, for the next stage."""
        return {
            "probabilities": {name: values.tolist() for name, values in self.probabilities.items()},
            "removed": self._removed,
        }

    def restore(self, profile: FireProfile | None, state: dict) -> None:
        """Restores what an interrupted run had learned."""
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
        """The best candidate and the likeliest one, after learning from all candidates."""
        best: list[tuple] = []
        for temperature in self._temperatures(self.iterations):
            best = highest([*best, *self._iteration(beliefs, budget, reward, rng, temperature)], 1)
            if beliefs.entropy < SETTLED:
                break
        return [best[0][1], budget.plan(beliefs.logits)]

    def _temperatures(self, count):
        hot, cold = self.learning.temperatures
        return np.geomspace(hot, cold, count)

    def _iteration(self, beliefs, budget, reward, rng, temperature):
        """Draws candidates and learns from them; returns pairs (reward, plan), the best first."""
        plans = [budget.plan(beliefs.draw(rng, temperature)) for _ in range(self.samples)]
        masks = np.stack([budget.mask(plan) for plan in plans])
        rewards = np.array([reward(mask) for mask in masks])
        learn = beliefs.reinforce if self.search == "reinforce" else beliefs.learn
        learn(masks, rewards)
        return highest(list(zip(rewards, plans, strict=True)), len(plans))

    def _at_random(self, beliefs, budget, reward, rng):
        """The two best of as many candidates that are drawn uniformly."""
        best: list[tuple] = []
        for _ in range(self.iterations * self.samples):
            plan = budget.plan(rng.uniform(size=beliefs.logits.size))
            best = highest([*best, (reward(budget.mask(plan)), plan)], 2)
        return [plan for _, plan in best]


def _learning(given):
    """`Learning`, also from a dict of its settings."""
    if not isinstance(given, Mapping):
        return given or Learning()
    known = [field.name for field in dataclasses.fields(Learning)]
    strange = next((name for name in given if name not in known), None)
    if strange is not None:
        raise unknown("setting of learning", strange, known)
    return Learning(**given)


def _check_soft(soft, search):
    if soft and search == "random":
        raise ValueError('soft=True trains by what the search learns, and search="random" learns nothing.')


def silence(network: Network, gone: np.ndarray) -> None:
    """Sets the weights of filters to zero, in place; all go on training.

    Args:
        network: The network.
        gone: The units of these filters, as a mask `(num_units,)`.
    """
    stays = network.graph.padded(~gone, True)
    for weight, axis in filter_weights(network):
        factor = stays[network.units_along(weight, axis)]
        shape = [-1 if k == axis else 1 for k in range(len(weight.shape))]
        weight.assign(keras.ops.convert_to_numpy(weight) * factor.reshape(shape))


def highest(pairs: Sequence[tuple], count: int) -> list[tuple]:
    """The pairs (reward, plan) of the highest rewards; ties go to the pairs that came first."""
    return sorted(pairs, key=lambda pair: -pair[0])[:count]


def first_probabilities(model: keras.Model, budget: Budget, prior: float) -> np.ndarray:
    """The share that a uniform cut within the budget needs, and more for filters of small l1 norm in their layer."""
    norms = score_filters(model, "l1")  # its scores are minus the norms
    rank = over_units(budget.graph, {name: _ranks(-scores) for name, scores in norms.items()})
    gone = budget.mask(budget.plan(-rank))
    share = budget.graph.unit_sizes[gone].sum() / budget.reachable.ranked
    return share + prior * (0.5 - rank)


def _ranks(values):
    """The rank of each value in ascending order, scaled to [0, 1]."""
    return np.argsort(np.argsort(values, kind="stable")) / max(1, values.size - 1)


class Beliefs:
    """A removal probability for each unit.

    Args:
        probabilities: The initial probabilities, `(num_units,)`.
        graph: The `ChannelGraph`; locked units are ignored.
        learning: How the probabilities are updated.
    """

    def __init__(self, probabilities, graph, learning):
        self.learning = learning
        self.probabilities = np.clip(probabilities, learning.least, 1 - learning.least)
        self._free = np.setdiff1d(np.arange(graph.num_units), list(graph.locks))

    @property
    def logits(self) -> np.ndarray:
        """The logits of the probabilities, `(num_units,)`."""
        return np.log(self.probabilities / (1 - self.probabilities))

    @property
    def entropy(self) -> float:
        """The mean entropy of a unit in nats: 0.69 if all chances are even, 0 if everything is decided."""
        chances = np.stack([self.probabilities, 1 - self.probabilities])[:, self._free]
        return float(-(chances * np.log(chances)).sum(0).mean())

    def draw(self, rng: np.random.Generator, temperature: float) -> np.ndarray:
        """Logits with noise: at temperature 1, each is above 0 with its probability."""
        return self.logits + temperature * rng.logistic(size=self.probabilities.size)

    def learn(self, masks, rewards):
        """Moves the probabilities towards how often units went in the best candidates."""
        elite = np.argsort(-rewards, kind="stable")[: math.ceil(self.learning.elite * rewards.size)]
        moved = self.probabilities + self.learning.rate * (masks[elite].mean(0) - self.probabilities)
        self.probabilities = np.clip(moved, self.learning.least, 1 - self.learning.least)

    def reinforce(self, masks, rewards):
        """Moves the logits along the gradient of the expected reward: candidates count by their standardised reward."""
        finite = np.where(np.isfinite(rewards), rewards, np.min(rewards, initial=0, where=np.isfinite(rewards)))
        advantages = (finite - finite.mean()) / (finite.std() + 1e-12)
        logits = self.logits + self.learning.rate * advantages @ (masks - self.probabilities)
        self.probabilities = np.clip(1 / (1 + np.exp(-logits)), self.learning.least, 1 - self.learning.least)

    def shrunk(self) -> Beliefs:
        """Moves all probabilities towards an even chance; returns these beliefs."""
        self.probabilities = 1 / (1 + np.exp(-self.learning.shrink * self.logits))
        return self


@dataclasses.dataclass
class Budget:
    """How much a stage may leave of a network.

    Args:
        graph: The `ChannelGraph` of the network.
        limits: As `plan_pruning` takes them.
        amounts: The most that may be left of each cost: of those that the run's target counts; of `"macs"` if it counts
            none, or also times the network.
        reachable: The plan that takes everything that the limits allow.
    """

    graph: ChannelGraph
    limits: dict
    amounts: Mapping[str, float]
    reachable: PruningPlan

    @classmethod
    def of(cls, graph: ChannelGraph, run: Run, stages: int) -> Budget:
        """The budget of the next stage of a run."""
        equal = FilterScores(graph.by_layer(np.zeros(graph.num_units)), criterion="fppmo")
        reachable = plan_pruning(graph, equal, pruning_ratio=ALL, **{**run.limits, **AS_SCORED})
        return cls(graph, run.limits, {m: _left(reachable, run, m, stages) for m in _counted(run.target)}, reachable)

    def plan(self, scores: np.ndarray) -> PruningPlan:
        """The plan that meets the budget with the fewest filters, those of the highest scores, `(num_units,)`."""
        by_layer = FilterScores(self.graph.by_layer(scores), criterion="fppmo")
        target = {measure: self._share(measure) for measure in self.amounts}
        return plan_pruning(self.graph, by_layer, target=target, **{**self.limits, **AS_SCORED})

    def _share(self, measure):
        """An amount as a share; of whole numbers half of one may be left besides."""
        before, amount = getattr(self.reachable.costs_before, measure), self.amounts[measure]
        slack = 0.5 if isinstance(before, int) else 1e-9 * before
        return min(1.0, (amount + slack) / before) if before else 1.0

    def mask(self, plan: PruningPlan) -> np.ndarray:
        """The units that a plan removes, `(num_units,)`."""
        return self.graph.units_of(plan.removed)


def _counted(target: Target | None) -> list[str]:
    """The costs that a stage goes by: timing a network needs it cut, so MACs stand for times."""
    if target is None:
        return ["macs"]
    counted = [measure for measure in target.goals if measure not in target.timed]
    return counted if counted and not target.timed else list(dict.fromkeys([*counted, "macs"]))


def _left(reachable: PruningPlan, run: Run, measure: str, stages: int) -> float:
    """What a stage leaves of a cost, no less than can be reached."""
    now, least = (getattr(costs, measure) for costs in (reachable.costs_before, reachable.costs_after))
    wanted = _wanted(run, now, measure, stages)
    return max(math.floor(wanted) if isinstance(now, int) else wanted, least)


def _wanted(run: Run, now: float, measure: str, stages: int) -> float:
    """The amount of a cost that a stage leaves."""
    if run.target and measure in run.target.goals:
        step = (getattr(run.costs_before, measure) - run.target.goals[measure]) / stages
        return max(run.target.goals[measure], now - step * 0.5**run.halvings)
    return (run.step.goal or {}).get(measure, now * (1 - run.pruning_ratio))


class Reward:
    """How well a network does without some units, before any training: minus its loss.

    Args:
        model: The network, compiled.
        train_data: Data for BatchNormalization, and to judge on if there are no `search_data`.
        search_data: Data to judge on, or None.
        samples: How many samples to judge on; as many others are used for BatchNormalization and the final choice.
        seed: Seeds the choice of samples.

    Attributes:
        best: The highest reward so far.
        evaluations: The number of calls so far.

    Raises:
        ValueError: If the network is not compiled, or the data have no labels.
    """

    def __init__(self, model, train_data, search_data, samples, seed):
        if not model.compiled:
            raise ValueError(
                f"FPPMO judges networks by their compiled loss; {model.name!r} is not compiled. "
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

    def __call__(self, gone: np.ndarray) -> float:
        """The reward without the units in a mask `(num_units,)`, on the search samples."""
        self.evaluations += 1
        if gone.tobytes() not in self._known:
            self._known[gone.tobytes()] = self._on(self._search, gone)
        self.best = max(self.best, self._known[gone.tobytes()])
        return self._known[gone.tobytes()]

    def follow(self, model: keras.Model) -> None:
        """Judges the model as it is now, after training."""
        self._masked.follow(model)
        self._known.clear()

    def on_others(self, gone: np.ndarray) -> float:
        """The reward on samples that the search has not used."""
        return self._on(self._others, gone)

    def _on(self, batches, gone):
        self._masked.remove(gone)
        return -self._masked.loss(batches)
