"""Runs all methods, seeds and targets under the same conditions, one after another or several at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras

from firekeras.arguments import short, typed
from firekeras.channels import channel_graph
from firekeras.channels.costs import count_costs
from firekeras.data.checks import check_training_data, checked_data, num_samples
from firekeras.quiet import without_retracing_warnings
from firekeras.rounds import fingerprints
from firekeras.rounds.learning_rate import run_out
from firekeras.rounds.run import check_prunable
from firekeras.studies.compare.contest import Contest, Trial
from firekeras.studies.compare.entries import CONTROLS, Scratch, Unpruned, factories
from firekeras.studies.compare.folder import ComparisonFolder, check_folder
from firekeras.studies.compare.results import Comparison, Outcome
from firekeras.studies.compare.settings import ComparisonSettings
from firekeras.studies.parallel import each_done, workers

METHODS = ("fire", "fire_paper", "l1", "random", "scratch", "unpruned")


@typed
@without_retracing_warnings()
def compare(
    model: keras.Model,
    train_data: Any,
    validation_data: Any,
    test_data: Any,
    *,
    methods: str | Iterable | Mapping[str, Any] = METHODS,
    target: Mapping[str, Any] | None = None,
    seeds: int | Iterable[int] = 3,
    epochs: int = 20,
    tolerance: float = 0.01,
    n_jobs: int | None = None,
    folder: str | Path | None = None,
    on_result: Callable[[Outcome, Comparison], None] | None = None,
    **settings: Any,
) -> Comparison:
    """Compares methods: the same network, data, target and epochs of training for each.

    Each run uses the engine of `compress`: it begins with the given network, reaches the target in
    a few cuts, and trains for `epochs` epochs in all, with one curve of learning rates over all of them. No cut is
    undone because of a metric on validation data. Every network is settled before it is measured, including the
    baseline. All methods choose among the same filters: those of convolutions that FIRE can rank. Rows that stop short
    of the target are marked, and come after all that reach it, whatever their accuracy. The time that a method spends
    on choosing filters, beside its epochs, is a column. The test data are read once per run, at its end. Every result
    is kept, even if it speaks against FIRE.

    There are three controls: `"random"` removes filters at random, in the same rounds as FIRE; `"scratch"` is the
    final network of the first method with fresh weights, and `"unpruned"` the given network with all
    its filters, both trained for as many epochs along the same curve.

    Args:
        model: A trained, compiled model. It is not changed.
        train_data, validation_data, test_data: As `fit` and `evaluate` take them.
        methods: Names of methods and criteria, `"scratch"` and `"unpruned"`; `"fire:paper"` is the method `"fire"` as
            published, which here means its own part and its recovery: target, epochs and learning rates are those of
            all. Or a dict from names for the results to functions of the seed that make a method, such as
            `firekeras.studies.compare.ByName`, or `Scratch` and `Unpruned` objects. Defaults to `"fire"`,
            `"fire_paper"` (FIRE alone, over all layers together), `"l1"` (Li et al., within layers; the criterion
            over all layers is `"l1_global"`), `"random"` and the other two controls.
        target: `{measure: share}`: the share, above 0 and up to 1, of `"macs"`, `"conv_macs"`, `"params"`, ... that is
            left in the end. With several shares, `{"macs": (0.7, 0.5)}`, each is a comparison of its own. Defaults to
            None: half the MACs.
        seeds: How many runs each method has, or a list of seeds. Defaults to 3.
        epochs: Epochs of training per run, at least 1. Defaults to 20.
        tolerance: What methods aim at that watch a tolerance on validation data (`"play_and_prune"`), as in `compress`;
            with infinity such a method's controller is off, and its rows say so. It undoes no cut. Defaults to 0.01.
        n_jobs: How many runs go on at once, each in a process of its own, through joblib: -1 for one per core. Results
            are written as they end, in any order. On a cluster, `joblib.parallel_config("dask")` around the call does
            the same. Data must be arrays then. Defaults to None: one after another.
        folder: A new folder for the network of each run and a line of JSON about it; or the folder of a comparison
            that was interrupted, which then continues without repeating finished runs. If the process is killed, the
            runs in progress are lost. Defaults to None.
        on_result: A function that is called after each run with its `Outcome` and the `Comparison` so far. Defaults
            to None.
        **settings: `learning_rate`, the rate to begin with (defaults to that of the compiled model, or the first one
            of a schedule inside its optimizer); `all_filters`, whether methods may also remove filters that have no
            FIRE, which leaves FIRE fewer to choose from (defaults to False); and what `compress` takes with a target,
            such as `epochs_per_round`, `schedule`, `layer_caps`, `balance`, `monitor`, `batch_size`.

    Returns:
        A `Comparison`. Runs that stopped short of the target are marked, and their notes say why.

    Raises:
        ValueError: Before any training, if a method does not exist, the target cannot be reached, or the folder
            holds a comparison under other conditions.

    Example:
    >>> comparison = firekeras.compare(model, train, validation, test, methods=("l1",), seeds=1, epochs=1)
    >>> [(summary.method, summary.mean) for summary in comparison.summaries()]
    [('l1', ...)]
    """
    check_prunable(model, channel_graph(model), settings.get("layer_caps") or {})
    data = {"train_data": train_data, "validation_data": validation_data, "test_data": test_data}
    check_training_data(model, data)
    at_once = workers(n_jobs) > 1
    if folder is not None:
        check_folder(folder)
    entries: dict[str, Any] = dict(methods) if isinstance(methods, Mapping) else factories(methods)
    controls: dict[str, Any] = {
        label: entry for label, entry in entries.items() if isinstance(entry, tuple(CONTROLS.values()))
    }
    _check_make(entries, controls)
    pruning = {label: make for label, make in entries.items() if label not in controls}
    target = {"macs": 0.5} if target is None else target
    common = ComparisonSettings.of(model, target, seeds, epochs, tolerance=tolerance, **settings)
    _check_prunes(pruning)
    contest = Contest(model, train_data, validation_data, test_data, common)
    contest.check(pruning.values())
    conditions = [*terms(common, next(iter(pruning)), controls, run_out(model.optimizer)), *_own_terms(pruning)]
    runs = _Runs(contest, next(iter(pruning)), conditions, folder, on_result)
    try:
        for trials in waves(pruning, controls, common, at_once=at_once):
            runs.do(trials, n_jobs)
    finally:
        runs.leave()
    return runs.comparison


def waves(
    pruning: Mapping[str, Any], controls: Mapping[str, Any], settings: ComparisonSettings, at_once: bool
) -> Iterator[list[Trial]]:
    """Yields lists of runs; those of a list need nothing of each other, and may need something of earlier lists.

    Args:
        pruning, controls: Methods and controls by their names in the results.
        settings: The settings.
        at_once: Whether as many as possible go into a list; else the runs of a seed come before those of the next.
    """
    cases = [(share, seed) for seed in settings.seeds for share in settings.shares]
    scratch = {label: control for label, control in controls.items() if isinstance(control, Scratch)}
    unpruned = {label: control for label, control in controls.items() if isinstance(control, Unpruned)}
    if at_once:
        yield [*_trials(pruning, cases), *_trials(unpruned, [(1.0, seed) for seed in settings.seeds])]
        yield _trials(scratch, cases)
        return
    for share, seed in cases:
        yield _trials(pruning, [(share, seed)])
        yield _trials(scratch, [(share, seed)])
        if share == settings.shares[-1]:
            yield _trials(unpruned, [(1.0, seed)])


def _trials(entries, cases):
    return [Trial(label, entry, share, seed) for share, seed in cases for label, entry in entries.items()]


def _own_terms(pruning):
    """What applies to single methods."""
    own = {label: getattr(make, "term", "") for label, make in pruning.items()}
    return [f"{label}: {term}" for label, term in own.items() if term]


def _check_make(entries, controls):
    for label, entry in entries.items():
        if label not in controls and not callable(entry):
            raise ValueError(
                f"methods is a dict from names to functions of the seed, such as ByName('fire'), or to Scratch() and "
                f"Unpruned(). Received for {label!r}: {short(entry)}."
            )


def _check_prunes(pruning):
    if not pruning:
        raise ValueError(
            "Expected at least one method that prunes: 'scratch' takes the shape of its network from the first method."
        )


def terms(
    settings: ComparisonSettings, first: str, controls: Mapping[str, Scratch | Unpruned], remark: str | None
) -> list[str]:
    """Sentences on what all runs share, and on the controls.

    Args:
        settings: The settings.
        first: The method whose networks lend their shape to `"scratch"`.
        controls: The controls, by their names in the results.
        remark: A further sentence on the learning rate, or None.
    """
    schedule = settings.run.get("schedule", "cosine")
    curve = f"a {schedule} curve" if isinstance(schedule, str) else "one curve"
    sentences = [
        f"Every run begins with the same trained network and trains it for {settings.epochs} epochs in all, with "
        f"learning rates from {settings.learning_rate:g} along {curve} over all of them; the cuts come in the first "
        "part. Every network is settled before it is measured, including the baseline. Test data are read once, at "
        "the end of a run. Rows short of the target come last, whatever their accuracy.",
        *([remark] if remark else []),
    ]
    if controls and settings.run.get("distill") is not False:
        sentences.append(
            f"Pruned networks may be distilled, as in compress; {' and '.join(controls)} learn from labels alone."
        )
    return [*sentences, *(_control(label, control, settings, first) for label, control in controls.items())]


def _control(label, control, settings, first):
    if isinstance(control, Unpruned):
        return f"{label}: the network that all runs begin with, with all its filters, trained for as many more epochs."
    epochs, rate = control.epochs or settings.epochs, control.learning_rate or settings.learning_rate
    return (
        f"{label}: the final network of {first} with fresh weights, trained for {epochs} epochs from a "
        f"learning rate of {rate:g}. It has none of the epochs that the baseline was trained for."
    )


class _Runs:
    """The runs so far, in memory or in a folder.

    Args:
        contest: The `Contest`.
        first: The method whose networks lend their shape to the controls.
        terms: Sentences on what all runs share.
        folder: Where to keep everything; None for memory only.
        on_result: A function that is called after each run, or None.
    """

    def __init__(self, contest, first, terms, folder, on_result):
        self.contest, self.first, self._on_result = contest, first, on_result
        measure, baseline = contest.settings.measure, contest.test(contest.baseline)
        self.comparison = Comparison(contest.monitor, measure, baseline, count_costs(contest.model).totals, terms)
        self._shapes: dict[tuple, keras.Model] = {}
        self.folder = ComparisonFolder(folder, self._description()) if folder is not None else None
        if self.folder:
            self.comparison.outcomes += self.folder.outcomes()
            self.comparison.baseline = self.folder.baseline

    def leave(self):
        """Lets other processes continue the comparison in its folder."""
        if self.folder:
            self.folder.leave()

    def _description(self):
        comparison, contest, settings = self.comparison, self.contest, self.contest.settings.to_dict()
        return {
            "model": contest.model.name,
            "weights": fingerprints.of_learned(contest.model),
            "validation_data": fingerprints.of_data(contest.validation_data),
            "test_data": fingerprints.of_data(contest.test_data),
            "monitor": comparison.monitor,
            "baseline": comparison.baseline,
            "baseline_on_validation_data": contest.validate(contest.baseline),
            "training_samples": num_samples(checked_data(contest.model, contest.train_data)),
            "costs": comparison.before,
            "scratch_has_the_shape_of": self.first,
            **settings,
        }

    def do(self, trials, n_jobs):
        """Does all runs of a list that have not been done."""
        done = {outcome.key for outcome in self.comparison.outcomes}
        left = [self._with_shape(trial) for trial in trials if trial.key not in done]
        for network, outcome in each_done(self.contest.run, left, n_jobs):
            self._keep(network, outcome)

    def _with_shape(self, trial):
        """A run from scratch with the network whose shape it takes; all others as they are."""
        if not isinstance(trial.entry, Scratch):
            return trial
        key = (self.first, trial.share, trial.seed)
        if self.folder and key not in self._shapes:  # it ran before the comparison was interrupted
            self._shapes[key] = self.folder.network(*key)
        return dataclasses.replace(trial, pruned=self._shapes[key])

    def _keep(self, network, outcome):
        if outcome.method == self.first:
            self._shapes[outcome.key] = network
        if self.folder:
            self.folder.add(outcome, network)
        self.comparison.outcomes.append(outcome)
        if self._on_result:
            self._on_result(outcome, self.comparison)
