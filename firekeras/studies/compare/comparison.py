"""All methods, all seeds, all targets, one after the other: the same conditions for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from firekeras.channels import channel_graph
from firekeras.channels.costs import count_costs
from firekeras.data.checks import check_training_data, checked_data, num_samples
from firekeras.plan.planning import COSTS
from firekeras.rounds.learning_rate import run_out
from firekeras.rounds.run import check_prunable
from firekeras.studies.compare.contest import CONTROLS, Contest, Scratch, Unpruned, factories
from firekeras.studies.compare.folder import ComparisonFolder
from firekeras.studies.compare.results import Comparison, Outcome
from firekeras.studies.compare.settings import ComparisonSettings

METHODS = ("fire", "fire_paper", "l1", "random", "scratch", "unpruned")


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

    Each run is one of `compress`, by the same engine: it begins with the given network, arrives at the target in
    a few cuts, and has `epochs` epochs of training in all, with one curve of learning rates over all of them. No
    metric on validation data undoes a cut. Nothing is measured before BatchNormalization's statistics are, the
    baseline included. All choose among the same filters, those that FIRE can rank. The test data are read once per
    run, at its end. Whatever comes out is kept, also if it speaks against FIRE.

    Three controls: `"random"` removes filters at random, in the same rounds as FIRE; `"scratch"` is the
    network that the first of the methods came to, with fresh weights, and `"unpruned"` the given network with all
    its filters, both trained for as many epochs along the same curve.

    Args:
        model: A trained, compiled model. It is not changed.
        train_data, validation_data, test_data: As `fit` and `evaluate` take them.
        methods: Names of methods and criteria, `"scratch"` and `"unpruned"`; or, by their names in the
            results, functions of the seed that make a method, `Scratch` and `Unpruned` objects. Defaults to `"fire"`,
            `"fire_paper"` (FIRE alone, over all layers together), `"l1"` (Li et al., within layers; the criterion
            over all layers is `"l1_global"`), `"random"` and both controls.
        target: What is left in the end: `{"macs": 0.5}`, or of `"conv_macs"` or `"params"`; with
            several shares, `{"macs": (0.7, 0.5)}`, each is compared by itself. Defaults to half the MACs.
        seeds: How many runs each method has, or which seeds. Defaults to 3.
        epochs: Of training, per run. Defaults to 20.
        folder: A new folder for a line of JSON and the network of each run; or that of a comparison
            that was broken off, which then goes on: what is done is not done again. The run in progress
            is lost when the process is killed. Defaults to none.
        on_result: A function that is given each run as it ends, with all so far. Defaults to none.
        **settings: `learning_rate`, where it begins (defaults to that of the model as compiled, of a schedule its
            first); `all_filters`, whether methods may remove filters that have no FIRE too, which leaves FIRE
            less to choose from (defaults to False); and what `compress` takes with a target, such as
            `epochs_per_round`, `schedule`, `layer_caps`, `balance`, `monitor`, `batch_size`.

    Returns:
        A `Comparison`. Runs that stopped short of the target are marked, and their notes say why.

    Raises:
        ValueError: If a method does not exist, the target cannot be reached, or the folder holds a comparison
            under other conditions: before any training.

    Example:
    >>> comparison = firekeras.compare(model, train, validation, test, methods=("l1",), seeds=1, epochs=1)
    >>> [(summary.method, summary.mean) for summary in comparison.summaries()]
    [('l1', ...)]
    """
    check_prunable(model, channel_graph(model), settings.get("layer_caps") or {})
    data = {"train_data": train_data, "validation_data": validation_data, "test_data": test_data}
    check_training_data(model, data)
    entries: dict[str, Any] = dict(methods) if isinstance(methods, Mapping) else factories(methods)
    controls: dict[str, Any] = {
        label: one for label, one in entries.items() if isinstance(one, tuple(CONTROLS.values()))
    }
    pruning = {label: make for label, make in entries.items() if label not in controls}
    common = ComparisonSettings.of(model, {"macs": 0.5} if target is None else target, seeds, epochs, **settings)
    _check_prunes(pruning)
    contest = Contest(model, train_data, validation_data, test_data, common)
    contest.check(pruning.values())
    said = terms(common, next(iter(pruning)), controls, run_out(model.optimizer))
    runs = _Runs(contest, next(iter(pruning)), said, folder, on_result)
    for seed in common.seeds:
        _run_all(runs, pruning, controls, seed)
    return runs.comparison


def _run_all(runs, pruning, controls, seed):
    """All runs of a seed."""
    for share in runs.contest.settings.shares:
        for label, make in pruning.items():
            runs.prune(label, make, share, seed)
        for label, control in controls.items():
            if isinstance(control, Scratch):
                runs.train_from_scratch(label, control, share, seed)
    for label, control in controls.items():
        if isinstance(control, Unpruned):
            runs.train_on(label, seed)


def _check_prunes(pruning):
    if not pruning:
        raise ValueError(
            "Expected at least one method that prunes: 'scratch' takes the shape of its network from the first of them."
        )


def terms(settings: ComparisonSettings, first: str, controls: Mapping[str, Scratch | Unpruned], remark) -> list[str]:
    """What is the same for all, and what the controls are, in words.

    Args:
        settings: The settings.
        first: The method whose networks lend their shape to `"scratch"`.
        controls: By what the results call them.
        remark: What else there is to say of the learning rate; None for nothing.
    """
    schedule = settings.run.get("schedule", "cosine")
    curve = f"a {schedule} curve" if isinstance(schedule, str) else "one curve"
    said = [
        f"Every run begins with the same trained network and trains it for {settings.epochs} epochs in all, with "
        f"learning rates from {settings.learning_rate:g} on along {curve} over all of them; the cuts come in the first "
        "part. Everything is measured settled, the baseline too. Test data are read once, at the end of a run.",
        *([remark] if remark else []),
    ]
    if controls and settings.run.get("distill") is not False:
        said.append(
            f"Pruned networks may be distilled, as in compress; {' and '.join(controls)} learn from labels alone."
        )
    return [*said, *(_control(label, control, settings, first) for label, control in controls.items())]


def _control(label, control, settings, first):
    if isinstance(control, Unpruned):
        return f"{label}: the network that all begin with, with all its filters, trained on for as many epochs."
    epochs, rate = control.epochs or settings.epochs, control.learning_rate or settings.learning_rate
    return (
        f"{label}: the network that {first} came to, with fresh weights, trained for {epochs} epochs, from a "
        f"learning rate of {rate:g} on. It has none of the epochs that the baseline was trained for."
    )


class _Runs:
    """What has been run, in memory or in a folder.

    Args:
        contest: The `Contest`.
        first: The method whose networks lend their shape to the controls.
        terms: What is the same for all, in words.
        folder: Where all is kept; None for nowhere.
        on_result: Is given each run as it ends.
    """

    def __init__(self, contest, first, terms, folder, on_result):
        self.contest, self.first, self._tell = contest, first, on_result
        costs = count_costs(contest.model)
        before = {name: getattr(costs, name) for name in COSTS}
        measure, baseline = contest.settings.measure, contest.test(contest.baseline)
        self.comparison = Comparison(contest.monitor, measure, baseline, before, terms)
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
            "baseline_on_validation_data": self.contest.validate(self.contest.baseline),
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

    def train_on(self, label, seed):
        """Runs the control that loses nothing, unless that was done."""
        if not self._done(label, 1.0, seed):
            self._keep(*self.contest.unpruned(label, seed))

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
