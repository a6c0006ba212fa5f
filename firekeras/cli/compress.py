"""`firekeras compress`: prunes and fine-tunes in rounds; begins a run, or goes on with one."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from firekeras.cli.caps import parsed_caps
from firekeras.cli.console import errors_in_words, given, import_keras
from firekeras.cli.files import check_output, load_data, load_model
from firekeras.cli.options import (
    Balance,
    BatchSize,
    Caps,
    DataOrNone,
    FavourMacs,
    Limit,
    MinKeep,
    ModelFileOrNone,
    Output,
    RoundTo,
    Seed,
    Tolerance,
)

TARGETS = ("macs", "params", "latency", "litert_latency")


@errors_in_words()
def compress(
    context: typer.Context,
    model: ModelFileOrNone = None,
    data: DataOrNone = None,
    method: Annotated[
        str,
        typer.Option(
            help="'fire': by how often a filter's ReLU gives zero; 'l1', 'play_and_prune', 'fppmo'; or a criterion:"
            " 'l2', 'taylor', 'contribution', 'random', ..."
        ),
    ] = "fire",
    mode: Annotated[
        str,
        typer.Option(
            help="For fire: 'learned' measures FIRE in the first round and predicts it from the weights after that;"
            " 'measured' measures in every round."
        ),
    ] = "learned",
    ratio: Annotated[
        float, typer.Option(help="Share of the remaining filters that go in a round, from 0 to below 1.")
    ] = 0.05,
    tolerance: Tolerance = 0.01,
    macs: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Stop once this share of the MACs is left, 0 to 1.")
    ] = None,
    params: Annotated[float | None, typer.Option(metavar="SHARE", help="The same of the parameters.")] = None,
    latency: Annotated[
        float | None, typer.Option(metavar="SHARE", help="The same of the time of a forward pass, measured here.")
    ] = None,
    litert_latency: Annotated[
        float | None, typer.Option(metavar="SHARE", help="The same of that time once exported to LiteRT.")
    ] = None,
    epochs_per_round: Annotated[int, typer.Option(min=0, help="Epochs of fine-tuning after each cut.")] = 1,
    max_rounds: Annotated[int, typer.Option(min=1, help="How many rounds at most.")] = 100,
    backtracks: Annotated[
        int, typer.Option(min=0, help="How many rounds may fail: each is undone, and tried with half the ratio.")
    ] = 3,
    distill: Annotated[
        bool, typer.Option("--distill", help="Have fine-tuning follow what the first model gives, too.")
    ] = False,
    cap: Caps = None,
    round_to: RoundTo = 1,
    min_keep: MinKeep = 0.1,
    balance: Balance = 0.0,
    favour_macs: FavourMacs = 0.0,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            show_default="as the model was compiled, else 0.01",
            help="Compile the model anew for fine-tuning, with this learning rate: SGD, momentum 0.9, Nesterov.",
        ),
    ] = None,
    batch_size: BatchSize = 64,
    validation_share: Annotated[
        float, typer.Option(help="Share of the training images that is held out to decide on each round.")
    ] = 0.1,
    monitor: Annotated[str, typer.Option(help="Which of the model's metrics to watch.")] = "accuracy",
    limit: Limit = None,
    output: Output = Path("pruned.keras"),
    seed: Seed = 0,
    run_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="A new folder for the model of each round, and what happens: survives a kill."
        ),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Go on with the run in this folder; nothing else is needed.")
    ] = None,
    tensorboard: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write costs, accuracy and a heatmap of FIRE for TensorBoard.")
    ] = None,
    events: Annotated[
        bool, typer.Option("--events", help="Print what happens as JSON, one object per line, and nothing else.")
    ] = False,
):
    """Prunes and fine-tunes in rounds, for as long as accuracy stays within the tolerance.

    Needs a trained model that gives class scores, and labelled images. A round that ends below the tolerance is undone,
    and tried again with half the ratio. The test images are read once, at the end; they decide nothing.

    Example: firekeras compress model.keras --data cifar10.npz --tolerance 0.01 --learning-rate 0.01 --run-dir runs/a

    Example: firekeras compress --resume runs/a
    """
    options = {name: value for name, value in locals().items() if name not in ("context", "resume", "events")}
    if resume:
        _check_alone(context)
        options = _options_of(resume)
    with _shown(events) as listener:
        _run(options, resume, listener)


def _check_alone(context):
    others = [f"--{name.replace('_', '-')}" for name in given(context) if name not in ("resume", "events")]
    if others:
        raise ValueError(f"--resume goes on with the settings of the run: {', '.join(others)} cannot change them.")


def _options_of(folder):
    """What the command was that began a run; its model as it was then."""
    from firekeras.rounds.run_directory import RunDirectory

    run = RunDirectory.open(folder)
    source = run.settings.get("source")
    if not source:
        raise ValueError(
            f"The run in {folder} was begun in Python, which alone knows its data: go on with it there, with "
            f"firekeras.compress(model, ..., run_dir={str(folder)!r}, resume=True)."
        )
    return {
        **source,
        "model": Path(folder) / "round-000.keras",
        "output": Path(source["output"]),
        "run_dir": Path(folder),
    }


def _shown(events):
    import_keras()
    from firekeras.report.progress import EventLines, RoundsOnTerminal

    if events:
        return EventLines(typer.echo)
    return RoundsOnTerminal(console=Console(highlight=False))


def _run(options, resume, listener):
    for name in ("model", "data"):
        if not options[name]:
            raise ValueError(
                f"Missing: {'MODEL.keras' if name == 'model' else '--data'}. See firekeras compress --help."
            )
    model, output, rate = options["model"], options["output"], None if resume else options["learning_rate"]
    check_output(output, model)
    caps = parsed_caps(options["cap"])
    network = load_model(model, compile=rate is None)
    dataset = load_data(options["data"], network, options["limit"])
    from firekeras import classifier, datasets

    classifier.check_classes(network, dataset)
    classifier.prepare(network, rate)
    import_keras().utils.set_random_seed(options["seed"])
    result = run_rounds(
        network,
        datasets.hold_out(dataset, options["validation_share"], options["seed"]),
        listener,
        method=_method(options),
        run_dir=options["run_dir"],
        resume=bool(resume),
        source=_source(options),
        tensorboard=options["tensorboard"],
        layer_caps=caps,
        pruning_ratio=options["ratio"],
        target=_target(options),
        **{name: options[name] for name in AS_THEY_ARE},
    )
    finish(network, result, dataset, options["monitor"], output, listener)


AS_THEY_ARE = (
    *("tolerance", "epochs_per_round", "max_rounds", "backtracks", "distill", "round_to", "min_keep"),
    *("balance", "favour_macs"),
    *("batch_size", "monitor", "seed"),
)


def _method(options):
    from firekeras import methods

    of_fire = {"mode": options["mode"]} if options["method"] == "fire" else {}
    return methods.seeded(options["method"], options["seed"], **of_fire)


def _target(options):
    targets = {name: options[name] for name in TARGETS if options.get(name) is not None}
    if len(targets) > 1:
        names = [f"--{name.replace('_', '-')}" for name in targets]
        raise ValueError(
            f"Expected one of --macs, --params, --latency and --litert-latency. Received: {' and '.join(names)}."
        )
    return targets or None


def _source(options):
    """The options, for `run.json`: files by their whole paths, so that the run goes on from any folder."""
    data = options["data"]
    whole = {name: str(Path(options[name]).resolve()) for name in ("model", "output")}
    return {**options, **whole, "data": str(Path(data).resolve()) if Path(data).exists() else data}


def run_rounds(network, split, listener, *, tensorboard=None, **settings):
    """Runs `firekeras.compression_rounds` on `(x, y, x_val, y_val)`, and shows what happens.

    Args:
        network: The network.
        split: Training and validation data.
        listener: Is told of each event.
        tensorboard: A folder, or None.
        **settings: As `compression_rounds` takes them.
    """
    import firekeras
    from firekeras.report.tensorboard import TensorBoardRounds

    x, y, x_val, y_val = split
    writer = TensorBoardRounds(tensorboard) if tensorboard else None
    rounds = firekeras.compression_rounds(network, (x, y), (x_val, y_val), on_event=listener.event, **settings)
    try:
        for record in rounds:
            if writer:
                writer.write(record, rounds.profile)
    except KeyboardInterrupt:
        folder = settings.get("run_dir")
        if folder:
            Console(stderr=True).print(f"Interrupted. Go on: firekeras compress --resume {folder}", markup=False)
        raise
    return rounds.result()


def finish(network, result, dataset, monitor, output, listener):
    """Writes the smaller model, then shows it beside the one that it came from."""
    if not any(record.accepted for record in result.rounds):
        raise ValueError(
            f"Nothing was removed, and {output} is not written: no round stayed within the tolerance. Allow a larger "
            "--tolerance, more --epochs-per-round, or take less per round."
        )
    from firekeras import atomic
    from firekeras.report import tables

    with Console(stderr=True).status("Measuring before and after"):
        rows = _comparison(network, result, dataset, monitor)
    listener.show(tables.comparison_table(rows))
    atomic.save_model(result.model, output)
    listener.event({"event": "written", "path": str(output)})


def _comparison(network, result, dataset, monitor):
    from firekeras import measure_latency
    from firekeras.report import tables

    models = (network, result.model)
    return [
        tables.metric_row(
            f"{monitor} on {len(dataset.y_test)} test images", *(_tested(m, dataset, monitor) for m in models)
        ),
        *tables.cost_rows(result.costs_before, result.costs_after),
        tables.amount_row("file, without optimizer state", _file_size(network), _file_size(result.model), "B"),
        tables.latency_row(measure_latency(network), measure_latency(result.model)),
    ]


def _tested(network, dataset, monitor):
    return network.evaluate(dataset.x_test, dataset.y_test, verbose=0, return_dict=True)[monitor]


def _file_size(network):
    """Bytes of the `.keras` file, without the optimizer's state, which not every model carries along."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        network.save(path)
        load_model(path, compile=False).save(path)
        return path.stat().st_size
