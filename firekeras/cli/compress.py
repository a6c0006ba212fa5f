"""`firekeras compress`: prunes and fine-tunes in rounds; begins a run, or continues one."""

from __future__ import annotations

import contextlib
import math
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import typer

from firekeras.cli import checks
from firekeras.cli.caps import check_caps, parsed_caps
from firekeras.cli.compress_options import (
    Backtracks,
    Distill,
    Epochs,
    EpochsPerRound,
    Events,
    LearningRate,
    MaxRounds,
    MethodName,
    MethodOptions,
    Mode,
    Monitor,
    ProtocolName,
    Ratio,
    Resume,
    RunDir,
    Schedule,
    TensorBoard,
    ValidationShare,
)
from firekeras.cli.console import chosen_options, import_keras, say, write_warning
from firekeras.cli.files import check_output, load_data, load_model
from firekeras.cli.method_options import parsed_options
from firekeras.cli.options import (
    Balance,
    BatchSize,
    Caps,
    DataOrNone,
    FavourMacs,
    LatencyTableFile,
    Limit,
    MaxCut,
    Mean,
    MinKeep,
    ModelFileOrNone,
    Output,
    RoundTo,
    Scale,
    Seed,
    SkipUnreadable,
    Std,
    Tolerance,
)
from firekeras.cli.program import NothingDoneError
from firekeras.cli.targets import COSTS, LATENCIES, with_targets
from firekeras.cli.words import in_options
from firekeras.cli.words import option as as_option
from firekeras.refusals import check_one_of, shortened
from firekeras.rounds.schema import ON_REQUEST
from firekeras.terminal import Terminal, activity, write_line

TARGETS = (*COSTS, *LATENCIES)
MAY_CHANGE = (*TARGETS, "tolerance", "epochs", "learning_rate", "schedule", "distill", "max_rounds")  # on --resume
AT_WILL = ("output", "tensorboard")
NO_LIMIT = "none"
MOST_DIGITS = 18
NAMED = {"pruning_ratio": "ratio"}  # settings whose options have another name


@with_targets(*TARGETS)
def compress(
    context: typer.Context,
    model: ModelFileOrNone = None,
    data: DataOrNone = None,
    tolerance: Tolerance = 0.01,
    epochs: Epochs = "20",
    learning_rate: LearningRate = None,
    schedule: Schedule = "cosine",
    distill: Distill = None,
    method: MethodName = "fire",
    option: MethodOptions = None,
    protocol: ProtocolName = None,
    mode: Mode = None,
    ratio: Ratio = None,
    epochs_per_round: EpochsPerRound = None,
    max_rounds: MaxRounds = 100,
    backtracks: Backtracks = 3,
    cap: Caps = None,
    round_to: RoundTo = 1,
    min_keep: MinKeep = 0.1,
    max_cut: MaxCut = 0.5,
    balance: Balance = 1.0,
    favour_macs: FavourMacs = 0.0,
    latency_table: LatencyTableFile = None,
    batch_size: BatchSize = 64,
    validation_share: ValidationShare = 0.1,
    monitor: Monitor = None,
    limit: Limit = None,
    scale: Scale = None,
    mean: Mean = None,
    std: Std = None,
    skip_unreadable: SkipUnreadable = False,
    output: Output = Path("pruned.keras"),
    seed: Seed = 0,
    run_dir: RunDir = None,
    resume: Resume = None,
    tensorboard: TensorBoard = None,
    events: Events = False,
    **targets: Any,
):
    """Prunes a trained model in rounds and fine-tunes it: down to a target, or as far as a tolerance allows.

    Needs a model that outputs class scores, or one score for two classes, and labelled images. With a target, such
    as --conv-macs 0.5, the network reaches it within the epochs: a few cuts in the first part, then training.
    Without one, rounds of cutting and training go on while the metric on held-out images stays within the
    tolerance; a round that falls below it is undone, and tried again with half the ratio. The test images are read
    once, at the end; they decide nothing.

    Example: firekeras compress model.keras --data cifar10.npz --conv-macs 0.5 --epochs 30 --run-dir runs/a

    Example: firekeras compress model.keras --data photos/ --tolerance 0.005

    Example: firekeras compress model.keras --data photos/ --ram 256kB --flash 512kB

    Example: firekeras compress model.keras --data photos/ --latency 2ms --latency-table board.json

    Example: firekeras compress vgg.keras --data cifar10.npz --method fire --protocol paper

    Example: firekeras compress --resume runs/a --conv-macs 0.3
    """
    taken = {name: value for name, value in locals().items() if name not in ("context", "resume", "events", "targets")}
    options = {**taken, **checks.parsed_targets(targets)}
    changes = _changes(context) if resume else []
    if resume:
        options = _options_of(resume, options, changes)
    elif protocol is not None:
        options = _as_published(options, chosen_options(context))
    if not resume or "tolerance" in changes:
        options["tolerance"] = _tolerance(options)
    _check(options, resuming=bool(resume))
    with _shown(events, options) as listener:
        _run(options, resume, listener)


def _as_published(options, chosen):
    """The options, with what the protocol sets for those that are not given."""
    checks.check_method(options["method"])
    import_keras()
    from firekeras import methods

    fixed = methods.protocol_of(options["method"], options["protocol"]).settings
    known = {NAMED.get(name, name): value for name, value in fixed.items()}
    added = {name: value for name, value in known.items() if name in options and name not in chosen}
    if checks.chosen_target(options, TARGETS):
        added.pop("ratio", None)
    if "epochs" in added:
        added["epochs"] = NO_LIMIT if added["epochs"] is None else str(added["epochs"])
    return {**options, **added}


def _changes(context) -> list[str]:
    """The options beside --resume; refuses those that the run has already decided."""
    chosen = [name for name in chosen_options(context) if name not in ("resume", "events")]
    others = [as_option(name) for name in chosen if name not in (*MAY_CHANGE, *AT_WILL)]
    if others:
        raise ValueError(
            f"--resume continues with the settings of the run: {', '.join(others)} cannot change them. A finished run "
            f"can be continued with another {', '.join(map(as_option, MAY_CHANGE))}."
        )
    return chosen


def _options_of(folder, options, changes):
    """The options that began a run, with later changes and new ones; its model is the one that it began with."""
    from firekeras.cli.resumed_options import check_place, options_in
    from firekeras.rounds.ownership import check_free
    from firekeras.rounds.run_directory import SETTINGS, RunDirectory

    run = RunDirectory.open(folder)
    source = options_in(run.settings.get("source") or {}, compress, Path(folder) / SETTINGS)
    if not source:
        raise ValueError(f"The run in {folder} was begun in Python, so only Python knows its data: continue it there.")
    check_place(source, Path(folder), changes)
    check_free(Path(folder))
    merged = {**options, **source, **_continued_with(run.changed())}
    if set(changes) & set(TARGETS):
        merged.update(dict.fromkeys(TARGETS))
    if merged["tolerance"] is None:  # JSON has no infinity
        merged["tolerance"] = math.inf
    merged.update({name: options[name] for name in changes})
    paths = {"model": Path(folder) / "round-000.keras", "output": Path(merged["output"]), "run_dir": Path(folder)}
    return {**merged, **paths}


def _continued_with(changed):
    """The settings that a run was continued with, as options."""
    options = {name: value for name, value in changed.items() if name != "target"}
    return {**options, **dict.fromkeys(TARGETS), **(changed["target"] or {})} if "target" in changed else options


def _tolerance(options):
    """The tolerance; asks about one of a point or more, unless it is a share of a loss."""
    from firekeras.rounds.monitor import lower_is_better

    if options["monitor"] and lower_is_better(options["monitor"]):
        return options["tolerance"]
    return checks.check_tolerance(options["tolerance"])


def _check(options, *, resuming):
    """Raises `ValueError` for anything that is wrong without knowing what is in the files."""
    _check_files(options, resuming)
    checks.check_method(options["method"])
    parsed_options(options["option"])
    if options["mode"] is not None:
        check_one_of("--mode", options["mode"], checks.MODES)
    checks.check_held_out(options["validation_share"])
    checks.check_seed(options["seed"])
    caps = parsed_caps(options["cap"])
    check_caps(caps, options["model"])
    checks.check_settings(
        target=checks.chosen_target(options, TARGETS),
        epochs=parsed_epochs(options["epochs"]),
        pruning_ratio=options["ratio"],
        layer_caps=caps,
        latency=checks.latency_table(options["latency_table"]),
        **{name: options[name] for name in AS_THEY_ARE if name not in NO_SETTINGS},
    )


def _check_files(options, resuming):
    for name in ("model", "data"):
        if not options[name]:
            raise ValueError(
                f"Missing: {'MODEL.keras' if name == 'model' else '--data'}. See firekeras compress --help."
            )
    check_output(options["output"], options["model"], run_dir=options["run_dir"])
    checks.check_data(options["data"])
    if options["tensorboard"]:
        checks.check_folder(options["tensorboard"], "tensorboard")
    if options["run_dir"] and not resuming:
        checks.check_new_run(options["run_dir"])


def _shown(events, options):
    import_keras()
    from firekeras.report.progress import EventLines, RoundsOnTerminal

    if events:
        return EventLines(write_line)
    return RoundsOnTerminal(console=Terminal(highlight=False), words=partial(in_options, options=options))


def _run(options, resume, listener):
    method = _method(options)
    network = load_model(options["model"])
    images = {name: options[name] for name in ("scale", "mean", "std", "skip_unreadable")}
    dataset = load_data(options["data"], network, options["limit"], **images, suspicious=False)  # judging finds it, too
    from firekeras import datasets
    from firekeras.cli import classifier

    classifier.check_classes(network, dataset)
    note = classifier.prepare(network, options["learning_rate"])
    if note:
        write_warning(note)
    import_keras().utils.set_random_seed(options["seed"])
    x, y, x_val, y_val = datasets.hold_out(dataset, options["validation_share"], options["seed"])
    before, rounds = run_rounds(
        network,
        (x, classifier.labels_for(network, y), x_val, classifier.labels_for(network, y_val)),
        listener,
        method=method,
        protocol=options["protocol"],
        resume=bool(resume),
        source=_source(options),
        layer_caps=parsed_caps(options["cap"]),
        epochs=parsed_epochs(options["epochs"]),
        pruning_ratio=options["ratio"],
        target=checks.chosen_target(options, TARGETS),
        latency=checks.latency_table(options["latency_table"]),
        **{name: options[name] for name in AS_THEY_ARE},
    )
    finish(before, rounds, dataset, options["output"], listener)


AS_THEY_ARE = (
    *("tolerance", "learning_rate", "schedule", "distill", "epochs_per_round", "max_rounds", "backtracks"),
    *("round_to", "min_keep", "max_cut", "balance", "favour_macs"),
    *("batch_size", "monitor", "seed", "run_dir", "tensorboard"),
)
NO_SETTINGS = ("batch_size", "run_dir", "tensorboard")


def parsed_epochs(text) -> int | None:
    """Parses the number of epochs, from the command line or a run's settings; None for no limit."""
    if text in (None, NO_LIMIT):
        return None
    if not str(text).isdecimal() or len(str(text)) > MOST_DIGITS:
        raise ValueError(
            f"--epochs must be a whole number, at least 0, or {NO_LIMIT}. Received: {shortened(str(text))}."
        )
    return int(text)


def _method(options):
    from firekeras import methods

    mode = {"mode": options["mode"]} if options["mode"] is not None else {}
    given = {**mode, **parsed_options(options["option"])}
    return methods.seeded(options["method"], options["seed"], protocol=options["protocol"], **given)


def _source(options):
    """The options, for `run.json`: with absolute paths, so the run can be resumed from any folder."""
    data = options["data"]
    names = ("model", "output", "run_dir", "tensorboard", "latency_table")
    paths = [name for name in names if options[name] is not None]
    whole = {name: str(Path(options[name]).resolve()) for name in paths}
    return {**options, **whole, "data": str(Path(data).resolve()) if Path(data).exists() else data}


def run_rounds(network, split, listener, *, tensorboard=None, **settings):
    """Runs `firekeras.compression_rounds` on `(x, y, x_val, y_val)`, and shows its events.

    Args:
        network: The network.
        split: Training and validation data.
        listener: An object whose `event` is called with each event.
        tensorboard: A folder, or None.
        **settings: As `compression_rounds` takes them.

    Returns:
        The network that the run began with, settled; and the finished `Rounds`.
    """
    import firekeras
    from firekeras.report.tensorboard import TensorBoardRounds

    x, y, x_val, y_val = split
    writer = TensorBoardRounds(tensorboard) if tensorboard else None
    rounds = firekeras.compression_rounds(network, (x, y), (x_val, y_val), on_event=listener.event, **settings)
    before = rounds.first if settings.get("resume") else rounds.best
    try:
        for record in rounds:
            if writer:
                writer.write(record, rounds.profile)
    except KeyboardInterrupt:
        folder = settings.get("run_dir")
        if folder:
            say(f"Interrupted. Continue: firekeras compress --resume {folder}")
        raise
    return before, rounds


def finish(before, rounds, dataset, output, listener):
    """Writes the smaller model, and then shows it beside the original: what is shown can be measured again."""
    result = rounds.result()
    if not rounds.arrived and not any(record.accepted and record.filters_removed for record in result.rounds):
        raise NothingDoneError(_nothing_removed(result, output))
    from firekeras.report import tables

    replaced = output.exists()
    save_result(result.model, output)
    try:
        with activity("Measuring before and after"):
            listener.show(tables.comparison_table(_comparison(before, result, dataset)))
    except OSError as error:  # as on a full disk for temporary files
        listener.event({"event": "note", "text": f"The result could not be compared with the original: {error}."})
    for line in tables.outcome_lines(result):
        listener.show(line)
    listener.event({"event": "written", "path": str(output), **({"replaced": True} if replaced else {})})


def save_result(model, output):
    """Writes the result; where that fails after all, as on a disk that has filled up, beside other temporary files.

    Raises:
        OSError: If it could not be written to its place; says where it is instead.
    """
    from firekeras import atomic

    try:
        atomic.save_model(model, output)
    except OSError as error:
        with contextlib.suppress(OSError):
            rescued = Path(tempfile.mkdtemp(prefix="firekeras-")) / "pruned.keras"
            atomic.save_model(model, rescued)
            error = OSError(error.errno, f"{error.strerror}. The result was saved as {rescued} instead")
        raise error


def _nothing_removed(result, output):
    return f"Nothing was removed, and {output} is not written. {result.stopped_because} {_advice(result)}".strip()


def _advice(result):
    """What would have made the run remove something."""
    if result.stopped_because.startswith(ON_REQUEST):
        return ""
    return "Begin with a lower --learning-rate." if result.target else "Allow more: --tolerance, or --epochs."


def _comparison(network, result, dataset):
    from firekeras.export.latency import measure_latencies
    from firekeras.export.side_by_side import saved_size
    from firekeras.report import tables

    models, monitor = (network, result.model), result.monitor
    before, after = map(saved_size, models)
    return [
        tables.metric_row(
            f"{monitor} on {len(dataset.y_test)} test images", *(_tested(m, dataset, monitor) for m in models)
        ),
        *tables.cost_rows(result.costs_before, result.costs_after),
        tables.amount_row("file, without optimizer state", before, after, "B"),
        tables.latency_row(*measure_latencies(models)),
    ]


def _tested(network, dataset, monitor):
    from firekeras.cli.classifier import labels_for

    y = labels_for(network, dataset.y_test)
    return network.evaluate(dataset.x_test, y, verbose=0, return_dict=True)[monitor]
