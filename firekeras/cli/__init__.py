"""The command line: `firekeras demo`, `channels`, `measure`, `prune` and `compress`.

Keras is imported inside the commands, so that help comes at once.
"""

from __future__ import annotations

import contextlib
import math
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from firekeras.version import __version__

app = typer.Typer(
    name="firekeras",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

DEMO_BATCH = 32

ModelFile = Annotated[Path, typer.Argument(metavar="MODEL.keras", help="A trained model, as model.save wrote it.")]
Data = Annotated[
    str,
    typer.Option(
        metavar="SOURCE",
        help="'digits'; or an .npz file with x_train, y_train, x_test, y_test; or a folder of images:"
        " FOLDER/CLASS/IMAGE, or the same below FOLDER/train and FOLDER/test (resized to what the model takes).",
    ),
]
Output = Annotated[Path, typer.Option(help="Where the smaller model goes: written whole or not at all.")]
Caps = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LAYER=SHARE",
        help="At most this share of the layer's filters may go in all, 0 to 1; 0 leaves the layer alone. Repeat it for"
        " further layers.",
    ),
]
Tolerance = Annotated[
    float, typer.Option(help="By how much the metric may fall on held-out data, in absolute points: 0.01 is one point.")
]
Seed = Annotated[int, typer.Option(help="Decides all that is drawn at random.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Samples per batch.")]


@contextlib.contextmanager
def errors_in_words():
    """Ends the program with one red line, instead of a traceback, where the library says what is wrong."""
    try:
        yield
    except (ValueError, OSError, ImportError) as error:
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        console.print(" ".join(str(error).split()), style="red", markup=False)
        raise typer.Exit(1) from error


def _show(*renderables):
    console = Console(highlight=False)
    for one in renderables:
        console.print(one)


def _show_text(text):
    Console(highlight=False).print(text, markup=False, soft_wrap=True)


def _show_version(wanted: bool):
    if wanted:
        _show_text(f"firekeras {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version, and end.")
    ] = False,
):
    """Makes trained Keras CNNs smaller: removes whole filters, and keeps accuracy within a tolerance.

    Begin with **firekeras demo**, which needs no files. KERAS_BACKEND is respected.
    """


@app.command()
@errors_in_words()
def demo(
    seed: Seed = 0,
    output: Output = Path("pruned.keras"),
    tolerance: Tolerance = 0.01,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs that the network is trained for, before any cut.")] = 15,
    epochs_per_round: Annotated[int, typer.Option(min=0, help="Epochs of fine-tuning after each cut.")] = 10,
    max_rounds: Annotated[int, typer.Option(min=1, help="How many rounds at most: it bounds the time.")] = 6,
):
    """Trains a small network on handwritten digits, and compresses it: about a minute, nothing to download.

    Each round removes a tenth of the filters, those with the highest FIRE (how often their ReLU gives zero), and
    fine-tunes. A quarter of the training images is held out to decide on each round; the test images are read once,
    at the end.

    Example: firekeras demo --seed 1 --output small.keras
    """
    check_output(output)
    keras = import_keras()
    from firekeras import classifier, datasets, zoo

    keras.utils.set_random_seed(seed)
    dataset = datasets.load_dataset("digits")
    split = datasets.hold_out(dataset, 0.25, seed)
    network = zoo.digits_cnn()
    _train_demo(network, split, epochs)
    classifier.compile_for_tuning(network, 0.02)
    settings = {"pruning_ratio": 0.1, "epochs_per_round": epochs_per_round, "batch_size": DEMO_BATCH}
    result = run_rounds(network, split, "accuracy", tolerance=tolerance, max_rounds=max_rounds, **settings)
    finish(network, result, dataset, "accuracy", output)


def _train_demo(network, split, epochs):
    """Trains with a learning rate that ends at zero, so that the accuracy to compare with is a settled one."""
    keras = import_keras()
    from firekeras import classifier

    x, y, *_ = split
    steps = epochs * math.ceil(len(x) / DEMO_BATCH)
    classifier.compile_for_tuning(network, keras.optimizers.schedules.CosineDecay(0.05, steps))
    with Console(stderr=True).status(f"Training {network.name} on {len(x)} images for {epochs} epochs"):
        network.fit(x, y, batch_size=DEMO_BATCH, epochs=epochs, verbose=0)


@app.command()
@errors_in_words()
def measure(
    model: ModelFile,
    data: Data,
    output: Annotated[
        Path | None,
        typer.Option(metavar="NAME.fire.h5", show_default="MODEL.fire.h5", help="Where the measurement goes."),
    ] = None,
    fraction: Annotated[
        str,
        typer.Option(
            metavar="SHARE|auto",
            help="Share of the training images to look at, above 0, up to 1 (the paper took 0.2); 'auto' stops once it"
            " is settled which filters go next.",
        ),
    ] = "1.0",
    neuron_maps: Annotated[
        bool, typer.Option("--neuron-maps", help="Keep the rate of each position too; makes the file larger.")
    ] = False,
    batch_size: BatchSize = 64,
):
    """Measures FIRE of every filter: the share of its ReLU outputs that are zero, from 0 to 1.

    Needs a model and images like those that it was trained on; labels are not looked at. Without any, --data
    synthetic makes 1,000 out of random numbers, which ranks filters less well. A dead filter is one whose FIRE is
    exactly 1. The file is what prune --scores reads.

    Example: firekeras measure model.keras --data cifar10.npz --fraction 0.2
    """
    output = output or Path(f"{model.stem}.fire.h5")
    check_output(output, model, ".fire.h5")
    network = load_model(model, compile=False)
    import firekeras
    from firekeras import report

    images = load_images(data, network)
    settings = {"neuron_maps": neuron_maps, "batch_size": batch_size}
    profile = firekeras.measure_fire(network, images, fraction=parsed_fraction(fraction), **settings)
    profile.save(output)
    _show(report.fire_table(profile, profile.reasons))
    _show_text(f"{profile.samples} images looked at. Written: {output}")


@app.command()
@errors_in_words()
def channels(model: ModelFile):
    """Shows which layers lose filters together, and what has to stay, and why.

    Needs a model alone: nothing is measured, and nothing is changed. A unit is what goes in one step: one filter, or
    one of each layer that are added up.

    Example: firekeras channels model.keras
    """
    network = load_model(model, compile=False)
    import firekeras
    from firekeras import report

    graph = firekeras.channel_graph(network)
    _show(report.channels_table(graph))
    for note in graph.notes:
        _show_text(note)


@app.command()
@errors_in_words()
def prune(
    context: typer.Context,
    model: ModelFile,
    scores: Annotated[
        Path | None, typer.Option(metavar="X.fire.h5", help="Remove the filters of highest FIRE, as measure wrote it.")
    ] = None,
    criterion: Annotated[
        str | None, typer.Option(help="Rank by the weights instead: 'l1', 'l2' or 'random'.", show_default="l1")
    ] = None,
    plan: Annotated[
        Path | None, typer.Option(metavar="plan.json", help="Remove what this plan says, as --save-plan wrote it.")
    ] = None,
    ratio: Annotated[float, typer.Option(help="Share of the filters to remove, from 0 to below 1.")] = 0.3,
    cap: Caps = None,
    round_to: Annotated[
        int, typer.Option(help="Bring widths that change to a multiple of this; 8 suits most hardware.")
    ] = 1,
    min_keep: Annotated[
        float, typer.Option(help="No layer falls under this share of its filters, 0 to 1, nor under one.")
    ] = 0.1,
    save_plan: Annotated[
        Path | None, typer.Option(metavar="plan.json", help="Write the plan too, also in a dry run.")
    ] = None,
    output: Output = Path("pruned.keras"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go: no model is written.")] = False,
):
    """Removes filters in one cut, without fine-tuning: needs no data, and costs accuracy until you train on.

    Filters of all layers are ranked together, by one of --scores, --criterion (the default, l1: small weights go
    first) or --plan.

    Example: firekeras prune model.keras --scores model.fire.h5 --ratio 0.3 --cap conv1=0.5 --round-to 8
    """
    check_one_ranking(context)
    check_output(output, model)
    if save_plan:
        check_output(save_plan, model, ".json")
    network = load_model(model)
    import firekeras

    graph = firekeras.channel_graph(network)
    if plan:
        chosen = firekeras.PruningPlan.load(existing(plan))
    else:
        chosen = firekeras.plan_pruning(
            graph,
            _scores(network, scores, criterion or "l1"),
            pruning_ratio=ratio,
            layer_caps=parsed_caps(cap),
            round_to=round_to,
            min_keep=min_keep,
        )
    smaller = firekeras.prune(network, chosen)
    if save_plan:
        chosen.save(save_plan)
    _show_plan(graph, chosen)
    if not dry_run:
        _check_something_goes(chosen, output)
        _write(smaller, output)


def _check_something_goes(plan, output):
    if not plan.removed:
        raise ValueError(
            f"{output} is not written: with these settings no filter goes. {' '.join(plan.notes)}".rstrip()
        )


def check_one_ranking(context: typer.Context):
    """Refuses options that contradict each other, rather than leave one of them out."""
    given = [name for name in context.params if _is_given(context, name)]
    rankings = [name for name in ("scores", "criterion", "plan") if name in given]
    if len(rankings) > 1:
        raise ValueError(f"Expected one of --scores, --criterion and --plan. Received: --{' and --'.join(rankings)}.")
    limits = [f"--{name.replace('_', '-')}" for name in ("ratio", "cap", "round_to", "min_keep") if name in given]
    if "plan" in given and limits:
        raise ValueError(f"A plan says already what goes: {', '.join(limits)} cannot change it. Leave out one of them.")


def _is_given(context, name):
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _scores(network, path, criterion):
    import firekeras

    if path:
        return firekeras.FireProfile.load(existing(path))
    if criterion == "fire":
        raise ValueError("The criterion 'fire' needs data: run firekeras measure first, then give --scores X.fire.h5.")
    return firekeras.score_filters(network, criterion, seed=0)


def _show_plan(graph, plan):
    from firekeras import report

    locked = {name: graph.lock(name, 0) for name in graph.filter_layers if _is_locked(graph, name)}
    rows = report.cost_rows(plan.costs_before, plan.costs_after)
    _show(report.plan_table(plan.widths, plan.removed, locked), report.comparison_table(rows))
    for note in plan.notes:
        _show_text(note)


def _is_locked(graph, name):
    return all(unit in graph.locks for unit in graph.filters(name).tolist())


@app.command()
@errors_in_words()
def compress(
    model: ModelFile,
    data: Data,
    method: Annotated[str, typer.Option(help="'fire': by how often a filter's ReLU gives zero.")] = "fire",
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
    epochs_per_round: Annotated[int, typer.Option(min=0, help="Epochs of fine-tuning after each cut.")] = 1,
    max_rounds: Annotated[int, typer.Option(min=1, help="How many rounds at most.")] = 100,
    cap: Caps = None,
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
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Take at most N training and N test images.")
    ] = None,
    output: Output = Path("pruned.keras"),
    seed: Seed = 0,
):
    """Prunes and fine-tunes in rounds, for as long as accuracy stays within the tolerance.

    Needs a trained model that gives class scores, and labelled images. A round that ends below the tolerance is undone
    and is the last. The test images are read once, at the end; they decide nothing.

    Example: firekeras compress model.keras --data cifar10.npz --tolerance 0.01 --learning-rate 0.01
    """
    check_output(output, model)
    caps = parsed_caps(cap)
    network = load_model(model, compile=learning_rate is None)
    dataset = load_data(data, network, limit)
    from firekeras import classifier, datasets, methods

    classifier.check_classes(network, dataset)
    classifier.prepare(network, learning_rate)

    import_keras().utils.set_random_seed(seed)
    options = {"mode": mode, "seed": seed} if method == "fire" else {}
    result = run_rounds(
        network,
        datasets.hold_out(dataset, validation_share, seed),
        monitor,
        method=methods.get(method, pruning_ratio=ratio, **options),
        tolerance=tolerance,
        layer_caps=caps,
        epochs_per_round=epochs_per_round,
        max_rounds=max_rounds,
        batch_size=batch_size,
    )
    finish(network, result, dataset, monitor, output)


def run_rounds(network, split, monitor, **settings):
    """Runs `firekeras.compression_rounds` on `(x, y, x_val, y_val)`, and shows each round as it ends."""
    import firekeras
    from firekeras import report

    x, y, x_val, y_val = split
    with Console(stderr=True).status("Compressing: baseline"):
        rounds = firekeras.compression_rounds(network, (x, y), (x_val, y_val), monitor=monitor, **settings)
    records = []
    for record in _waiting(rounds):
        records.append(record)
        _show_text(report.round_line(record, rounds.costs_before.conv_macs, monitor))
    _show_text(f"Ended: {rounds.stopped_because}")
    return rounds.result(records)


def _waiting(rounds) -> Iterator:
    """The rounds, with a sign of life on terminals while one runs."""
    iterator = iter(rounds)
    while True:
        with Console(stderr=True).status("Cutting and fine-tuning"):
            record = next(iterator, None)
        if record is None:
            return
        yield record


def finish(network, result, dataset, monitor, output):
    """Writes the smaller model, then shows it beside the one that it came from."""
    if not any(record.accepted for record in result.rounds):
        raise ValueError(
            f"Nothing was removed, and {output} is not written: no round stayed within the tolerance. Allow a larger "
            "--tolerance, more --epochs-per-round, or take less per round."
        )
    from firekeras import report

    with Console(stderr=True).status("Measuring before and after"):
        rows = _comparison(network, result, dataset, monitor)
    _show(report.comparison_table(rows))
    _write(result.model, output)


def _comparison(network, result, dataset, monitor):
    from firekeras import measure_latency, report

    models = (network, result.model)
    return [
        report.metric_row(
            f"{monitor} on {len(dataset.y_test)} test images", *(_tested(m, dataset, monitor) for m in models)
        ),
        *report.cost_rows(result.costs_before, result.costs_after),
        report.amount_row("file, without optimizer state", _file_size(network), _file_size(result.model), "B"),
        report.latency_row(measure_latency(network), measure_latency(result.model)),
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


def _write(network, output):
    from firekeras import atomic

    atomic.save_model(network, output)
    _show_text(f"Written: {output}")


def import_keras():
    """Imports Keras, and leaves TensorFlow's start-up chatter out unless the user has set its log level."""
    quiet = "TF_CPP_MIN_LOG_LEVEL" not in os.environ
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _silent_stderr() if quiet else contextlib.nullcontext():
        import keras

        keras.backend.backend()
    return keras


@contextlib.contextmanager
def _silent_stderr():
    """Nothing that is written to standard error shows, from compiled code either: it logs before it reads settings."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def load_model(path, *, compile=True):
    """Loads a model file as `firekeras.model_file` does; checks first that it can be pruned at all."""
    from firekeras import model_file

    model_file.check_path(path)
    import_keras()
    network = model_file.load_model(path, compile=compile)
    from firekeras.channels.check import check_model

    check_model(network)
    return network


def load_data(source, network, limit=None):
    """The `Dataset` that a source names, images of a folder resized to what the network takes."""
    from firekeras import datasets

    size = tuple(network.inputs[0].shape[1:3])
    resizable = Path(source).is_dir() and len(size) == 2 and None not in size
    return datasets.load_dataset(source, image_size=size if resizable else None, limit=limit)


def load_images(source, network):
    """The training images of a source; or `"synthetic"` ones, of the size that the network takes."""
    if source != "synthetic":
        return load_data(source, network).x_train
    from firekeras.datasets import synthetic_images

    if len(network.inputs) != 1 or len(network.inputs[0].shape) != 4 or None in network.inputs[0].shape[1:]:
        raise ValueError(f"Synthetic images need one input of fixed size. The model takes {network.input_shape}.")
    return synthetic_images(network.inputs[0].shape[1:], 1000)


def parsed_fraction(text) -> float | str:
    """A share, or `"auto"`."""
    try:
        return text if text == "auto" else float(text)
    except ValueError as error:
        raise ValueError(f"--fraction is a share such as 0.2, or auto. Received: {text!r}.") from error


def parsed_caps(texts) -> dict[str, float]:
    """`["conv1=0.5"]` as `{"conv1": 0.5}`."""
    caps: dict[str, float] = {}
    for text in texts or ():
        name, share = _parsed_cap(text)
        if name in caps:
            raise ValueError(f"--cap is given twice for layer {name!r}. Leave one of them out.")
        caps[name] = share
    return caps


def _parsed_cap(text):
    name, _, share = text.rpartition("=")
    with contextlib.suppress(ValueError):
        if name:
            return name, float(share)
    raise ValueError(f"--cap is LAYER=SHARE with a share from 0 to 1, such as conv1=0.5. Received: {text!r}.")


def check_output(output: Path, model: Path | None = None, ending=".keras"):
    """Raises `ValueError`, before any long work, where the result could not be written or would replace the model."""
    if not output.name.endswith(ending) or output.name == ending:
        raise ValueError(f"Expected an output that ends in {ending}. Received: {output}.")
    if output.is_dir():
        raise ValueError(f"The output {output} is a folder. Expected a file, such as {output / f'pruned{ending}'}.")
    if not output.parent.is_dir():
        raise ValueError(f"Cannot write {output}: there is no folder {output.parent}. Create it first.")
    if model and output.resolve() == model.resolve():
        raise ValueError(f"The output {output} is the model itself, which is never overwritten. Give another --output.")


def existing(path: Path) -> Path:
    """The path, if there is a file; else raises `ValueError`."""
    if not path.is_file():
        raise ValueError(f"{path} is a folder. Expected a file." if path.is_dir() else f"There is no file {path}.")
    return path
