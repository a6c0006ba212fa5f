"""All methods, all seeds, all targets, one after the other: the same conditions for each."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping

from firekeras.channels import channel_graph
from firekeras.compare.contest import Contest, Scratch, factories
from firekeras.compare.folder import ComparisonFolder
from firekeras.compare.results import Comparison, Outcome
from firekeras.compare.settings import ComparisonSettings
from firekeras.costs import count_costs
from firekeras.data import check_training_data, checked_data, num_samples
from firekeras.plan.planning import COSTS
from firekeras.rounds.engine import check_prunable

METHODS = ("fire", "l1", "random", "scratch")
AT_ONCE = ("l1", "scratch")  # these do not go in rounds


def compare(
    model,
    train_data,
    validation_data,
    test_data,
    *,
    methods: Iterable[str] | Mapping[str, Callable] = METHODS,
    target: Mapping | None = None,
    seeds: int | Iterable[int] = 3,
    epochs: int = 20,
    folder=None,
    on_result: Callable[[Outcome, Comparison], None] | None = None,
    **settings,
) -> Comparison:
    """Compares methods: the same network, data, target and epochs of training for each.

    Each run begins with the given network, brings it down to the target, and has `epochs` epochs of
    training in all, those between cuts included. Their learning rates fall along one cosine, which no
    cut interrupts. No accuracy on validation data undoes a cut. All choose among the same filters,
    those that FIRE can rank. The test data are read once per run, at its end. Whatever comes out is
    kept, also where it speaks against FIRE.

    Two controls: `"random"` removes filters at random, in the same rounds as FIRE; `"scratch"` is the
    network that the first of the methods came to, with fresh weights, trained for as many epochs.

    Args:
        model: A trained, compiled model. It is not changed.
        train_data, validation_data, test_data: As `fit` and `evaluate` take them.
        methods: Names of methods and criteria, and `"scratch"`; or, by what the results shall call
            them, functions of the seed that make a method, and `Scratch` objects. Defaults to
            `"fire"`, `"l1"`, `"random"` and `"scratch"`.
        target: What is left in the end: `{"macs": 0.5}`, or of `"conv_macs"` or `"params"`; with
            several shares, `{"macs": (0.7, 0.5)}`, each is compared by itself. Defaults to half the MACs.
        seeds: How many runs each method has, or which seeds. Defaults to 3.
        epochs: Of training, per run. Defaults to 20.
        folder: A new folder for a line of JSON and the network of each run; or that of a comparison
            that was broken off, which then goes on: what is done is not done again. The run in progress
            is lost when the process is killed. Defaults to none.
        on_result: A function that is told of each run as it ends, with all so far. Defaults to none.
        **settings: `learning_rate` of the first epoch (defaults to that of the model as compiled);
            `all_filters`, whether methods may remove filters that have no FIRE too, which leaves FIRE
            less to choose from (defaults to False); and what `compress` takes, such as
            `pruning_ratio` (defaults to 0.1 here), `epochs_per_round`, `layer_caps`, `batch_size`.

    Returns:
        A `Comparison`.

    Raises:
        ValueError: If a method does not exist, the target cannot be reached, the epochs will not last,
            or the folder holds a comparison under other conditions: before any training.

    Example:
    >>> found = compare(model, train, validation, test, methods=("fire", "l1"), target={"macs": 0.5}, epochs=40)
    >>> [(one.method, one.mean, one.deviation) for one in found.summaries()]
    """
    check_prunable(model, channel_graph(model), settings.get("layer_caps", {}))
    data = {"train_data": train_data, "validation_data": validation_data, "test_data": test_data}
    check_training_data(model, data)
    entries = dict(methods) if isinstance(methods, Mapping) else factories(methods)
    pruning = {label: make for label, make in entries.items() if not isinstance(make, Scratch)}
    controls = {label: control for label, control in entries.items() if isinstance(control, Scratch)}
    common = ComparisonSettings.of(model, {"macs": 0.5} if target is None else target, seeds, epochs, **settings)
    _check(pruning, common, model)
    contest = Contest(model, train_data, validation_data, test_data, common)
    contest.check(pruning.values())
    runs = _Runs(contest, next(iter(pruning)), terms(common, next(iter(pruning)), controls), folder, on_result)
    for seed, share in itertools.product(common.seeds, common.shares):
        for label, make in pruning.items():
            runs.prune(label, make, share, seed)
        for label, control in controls.items():
            runs.train_from_scratch(label, control, share, seed)
    return runs.comparison


def _check(pruning, settings, model):
    if not pruning:
        raise ValueError(
            "Expected at least one method that prunes: 'scratch' takes the shape of its network from the first of them."
        )
    if not pruning.keys() <= set(AT_ONCE):
        settings.check_epochs(model)


def terms(settings: ComparisonSettings, first: str, controls: Mapping[str, Scratch]) -> list[str]:
    """What is the same for all, and what the controls are, in words."""
    said = [
        f"Every run begins with the same trained network and trains it for {settings.epochs} epochs in all, with "
        f"learning rates from {settings.learning_rate:g} down along one cosine. Test data are read once, at its end.",
    ]
    for label, control in controls.items():
        epochs, rate = control.epochs or settings.epochs, control.learning_rate or settings.learning_rate
        said.append(
            f"{label}: the network that {first} came to, with fresh weights, trained for {epochs} epochs, from a "
            f"learning rate of {rate:g} on. It has none of the epochs that the baseline was trained for."
        )
    return said


class _Runs:
    """What has been run, in memory or in a folder.

    Args:
        contest: The `Contest`.
        first: The method whose networks lend their shape to the controls.
        terms: What is the same for all, in words.
        folder: Where all is kept; None for nowhere.
        on_result: Is told of each run as it ends.
    """

    def __init__(self, contest, first, terms, folder, on_result):
        self.contest, self.first, self._tell = contest, first, on_result
        costs = count_costs(contest.model)
        before = {name: getattr(costs, name) for name in COSTS}
        names, baseline = (contest.settings.monitor, contest.settings.measure), contest.test(contest.model)
        self.comparison = Comparison(*names, baseline, before, terms)
        self._shape: tuple = (None, None)
        self.folder = ComparisonFolder(folder, self._description()) if folder is not None else None
        if self.folder:
            self.comparison.outcomes += self.folder.outcomes()

    def _description(self):
        found, settings = self.comparison, self.contest.settings.to_dict()
        return {
            "model": self.contest.model.name,
            "monitor": found.monitor,
            "baseline": found.baseline,
            "baseline_on_validation_data": self.contest.validate(self.contest.model),
            "training_samples": num_samples(checked_data(self.contest.model, self.contest.train_data)),
            "costs": found.before,
            "scratch_has_the_shape_of": self.first,
            **settings,
        }

    def prune(self, label, make, share, seed):
        """Runs a method, unless that was done."""
        if not self._done(label, share, seed):
            self._keep(*self.contest.prune(label, make, share, seed))

    def train_from_scratch(self, label, control, share, seed):
        """Runs a control, unless that was done."""
        if not self._done(label, share, seed):
            key, network = self._shape
            if self.folder and key != (self.first, share, seed):  # it was run before the comparison was broken off
                network = self.folder.network(self.first, share, seed)
            self._keep(*self.contest.scratch(label, control, network, share, seed))

    def _done(self, *key):
        return any(one.key == key for one in self.comparison.outcomes)

    def _keep(self, network, outcome):
        if outcome.method == self.first:
            self._shape = outcome.key, network
        if self.folder:
            self.folder.add(outcome, network)
        self.comparison.outcomes.append(outcome)
        if self._tell:
            self._tell(outcome, self.comparison)
