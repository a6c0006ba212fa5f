"""`firekeras compare`: several methods under the same conditions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from firekeras.cli import checks
from firekeras.cli.caps import check_caps, parsed_caps
from firekeras.cli.console import import_keras, show, show_text, write_warning
from firekeras.cli.files import load_data, load_model
from firekeras.cli.method_options import options_by_method
from firekeras.cli.options import (
    Balance,
    BatchSize,
    Caps,
    Data,
    FavourMacs,
    Limit,
    Mean,
    MinKeep,
    ModelFile,
    Processes,
    RoundTo,
    Scale,
    SkipUnreadable,
    Std,
)
from firekeras.cli.words import option as as_option
from firekeras.keras_models import model_file
from firekeras.refusals import check_share
from firekeras.terminal import Terminal, activity

METHODS = "Methods"  # a panel of the help


def compare(
    model: ModelFile,
    data: Data,
    methods: Annotated[
        str,
        typer.Option(
            rich_help_panel=METHODS,  # of its own: its wide values leave no room for the names of other options
            show_default="fire, fire_paper, l1, random, scratch, unpruned",  # which breaks between words
            metavar="NAME,NAME,...",
            help="Methods (fire, fire_paper, l1, ...), or as published (fire:paper, l1:paper, ...); criteria (random,"
            " l2, ...); 'scratch': the final network of the first method, trained from fresh weights; and 'unpruned':"
            " the whole network, trained further.",
        ),
    ] = "fire,fire_paper,l1,random,scratch,unpruned",
    option: Annotated[
        list[str] | None,
        typer.Option(
            rich_help_panel=METHODS,
            metavar="METHOD.NAME=VALUE",
            help="An option of a method, such as fire.mode=measured or fppmo.search=random; firekeras methods NAME"
            " lists them. Repeat it for more options.",
        ),
    ] = None,
    conv_macs: Annotated[
        list[float] | None,
        typer.Option(metavar="SHARE", help="The share of the convolutions' MACs that is left, as papers count it."),
    ] = None,
    macs: Annotated[
        list[float] | None,
        typer.Option(metavar="SHARE", help="The share of the MACs that is left. Repeat it for several shares."),
    ] = None,
    params: Annotated[
        list[float] | None, typer.Option(metavar="SHARE", help="The share of the parameters that is left.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many runs each method has.")] = 3,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of training per run, in total.")] = 20,
    tolerance: Annotated[
        float,
        typer.Option(
            metavar="POINTS",
            help="What methods aim at that watch a tolerance, such as play_and_prune, in absolute points; it undoes no"
            " cut.",
        ),
    ] = 0.01,
    n_jobs: Processes = None,
    epochs_per_round: Annotated[
        int | None, typer.Option(min=0, show_default="a twelfth", help="Epochs between two cuts.")
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            metavar="RATE",
            show_default="as the model was compiled, else 0.01",
            help="The learning rate to begin with; it falls to 0 over all epochs.",
        ),
    ] = None,
    scratch_epochs: Annotated[
        int | None, typer.Option(min=1, show_default="--epochs", help="Epochs of training from scratch.")
    ] = None,
    scratch_learning_rate: Annotated[
        float | None,
        typer.Option(
            metavar="RATE", show_default="--learning-rate", help="The learning rate to begin with, from scratch."
        ),
    ] = None,
    all_filters: Annotated[
        bool, typer.Option("--all-filters", help="Let methods also remove filters that FIRE cannot rank.")
    ] = False,
    cap: Caps = None,
    round_to: RoundTo = 1,
    min_keep: MinKeep = 0.1,
    balance: Balance = 1.0,
    favour_macs: FavourMacs = 0.0,
    batch_size: BatchSize = 64,
    validation_share: Annotated[
        float, typer.Option(metavar="SHARE", help="The share of the training images that no run trains on.")
    ] = 0.1,
    limit: Limit = None,
    scale: Scale = None,
    mean: Mean = None,
    std: Std = None,
    skip_unreadable: SkipUnreadable = False,
    output: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="A folder for results, table, chart and networks; or that of a comparison to continue."
        ),
    ] = Path("comparison"),
):
    """Compares methods: the same network, data, epochs and target for each, over several seeds.

    Each run is written as it ends. The same command continues a comparison that was interrupted, and adds methods,
    seeds or targets to a finished one. Every result is shown, even if it speaks against FIRE.

    Example: firekeras compare model.keras --data cifar10.npz --methods fire,l1,random --macs 0.5 --seeds 3

    Example: firekeras compare model.keras --data digits --methods fire,l1:paper --option fire.mode=measured --n-jobs 2
    """
    target = _target(conv_macs=conv_macs, macs=macs, params=params)
    caps, names = parsed_caps(cap), [name.strip() for name in methods.split(",")]
    for name in names:
        checks.check_method(name.partition(":")[0], *checks.CONTROLS)
    options = options_by_method(option)
    tolerance = checks.check_tolerance(tolerance)
    checks.check_rate(learning_rate)
    checks.check_rate(scratch_learning_rate, "scratch_learning_rate")
    checks.check_held_out(validation_share)
    checks.check_limits(round_to=round_to, min_keep=min_keep, balance=balance)
    check_share("--favour-macs", favour_macs)
    checks.check_folder(output, "output")
    model_file.check_path(model)
    check_caps(caps, model)
    checks.check_data(data)
    network = load_model(model)
    scaling = {"scale": scale, "mean": mean, "std": std}
    dataset = load_data(data, network, limit, **scaling, skip_unreadable=skip_unreadable)
    from firekeras import datasets
    from firekeras.cli import classifier
    from firekeras.studies.compare import compare as compared
    from firekeras.studies.compare.entries import Scratch, factories
    from firekeras.studies.compare.report import comparison_table, outcome_line, write_report

    classifier.check_classes(network, dataset)
    note = classifier.prepare(network, learning_rate)
    if note:
        write_warning(note)
    entries = factories(names, options)
    if "scratch" in entries:
        entries["scratch"] = Scratch(scratch_epochs, scratch_learning_rate)
    x, y, x_val, y_val = datasets.hold_out(dataset, validation_share)
    y, y_val, y_test = (classifier.labels_for(network, each) for each in (y, y_val, dataset.y_test))
    import_keras().utils.set_random_seed(0)
    console = Terminal(stderr=True, highlight=False)
    with activity("Comparing", console):
        comparison = compared(
            network,
            (x, y),
            (x_val, y_val),
            (dataset.x_test, y_test),
            methods=entries,
            target=target,
            seeds=seeds,
            epochs=epochs,
            tolerance=tolerance,
            n_jobs=n_jobs,
            folder=output,
            on_result=lambda outcome, so_far: console.print(outcome_line(outcome, so_far)),
            learning_rate=learning_rate,
            all_filters=all_filters,
            epochs_per_round=epochs_per_round,
            layer_caps=caps,
            round_to=round_to,
            min_keep=min_keep,
            balance=balance,
            favour_macs=favour_macs,
            batch_size=batch_size,
        )
    show(comparison_table(comparison))
    for term in (*comparison.terms, *comparison.notes):
        show_text(term)
    for path in write_report(comparison, output):
        show_text(f"Written: {path}")


def _target(**shares):
    given = {name: each for name, each in shares.items() if each}
    if len(given) > 1:
        raise ValueError(f"Expected one of {', '.join(map(as_option, shares))}. Received: {len(given)} of them.")
    for name, each in given.items():
        for share in each:
            checks.check_target(name, share)
    return given or {"macs": [0.5]}
