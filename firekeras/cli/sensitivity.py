"""`firekeras sensitivity`: how much each layer can lose."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Annotated

import typer

from firekeras.cli import checks, complete
from firekeras.cli.console import show, write_progress, write_warning
from firekeras.cli.files import announced, check_output, load_data, load_model
from firekeras.cli.options import BatchSize, Data, Mean, ModelFile, Processes, Scale, SkipUnreadable, Std
from firekeras.keras_models import model_file
from firekeras.terminal import activity


def sensitivity(
    model: ModelFile,
    data: Data,
    criterion: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            autocompletion=complete.criteria,
            help="What ranks a layer's filters: 'l1', 'l2', 'fire', ...",
        ),
    ] = "l1",
    tolerance: Annotated[
        float, typer.Option(metavar="POINTS", help="How far accuracy may fall for the last column, in absolute points.")
    ] = 0.02,
    images: Annotated[int, typer.Option(min=1, metavar="N", help="How many training images to measure on.")] = 1000,
    batch_size: BatchSize = 64,
    scale: Scale = None,
    mean: Mean = None,
    std: Std = None,
    skip_unreadable: SkipUnreadable = False,
    n_jobs: Processes = None,
    chart: Annotated[Path | None, typer.Option(metavar="FILE.svg", help="Also draw a chart, a line per layer.")] = None,
    output: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Also write the numbers.")] = None,
    events: Annotated[
        bool, typer.Option("--events", help="Print the progress as JSON, one object per line, and no table.")
    ] = False,
):
    """Shows how much each layer can lose: the accuracy without 10%, 20%, ..., 90% of its filters, untrained.

    One layer at a time loses the filters that the criterion finds most dispensable. The last column says how much of
    the layer can go within the tolerance: pass it to compress or prune as --cap LAYER=SHARE to protect the layer.

    Example: firekeras sensitivity model.keras --data cifar10.npz --chart sensitivity.svg
    """
    for path, ending in ((chart, ".svg"), (output, ".json")):
        if path:
            check_output(path, model, ending)
    checks.check_criterion(criterion, data=True)
    tolerance = checks.check_tolerance(tolerance)
    model_file.check_path(model)
    checks.check_data(data)
    network = load_model(model)
    from firekeras import atomic
    from firekeras.cli import classifier
    from firekeras.report.series_chart import write_svg
    from firekeras.rounds.evaluation import no_better_than_chance
    from firekeras.studies.sensitivity import sensitivity as measured
    from firekeras.studies.sensitivity_report import sensitivity_chart, sensitivity_table

    scaling = {"scale": scale, "mean": mean, "std": std}
    dataset = load_data(data, network, images, **scaling, skip_unreadable=skip_unreadable)
    classifier.check_classes(network, dataset)
    classifier.prepare(network, None)
    train = dataset.x_train, classifier.labels_for(network, dataset.y_train)
    with _reporting(events) as on_layer:
        analysis = measured(
            network,
            train,
            criterion=criterion,
            batch_size=batch_size,
            n_jobs=n_jobs,
            on_layer=on_layer,
        )
    chance = no_better_than_chance(analysis.baseline, train, analysis.monitor)
    if chance:
        write_warning(chance)
    if not events:
        show(sensitivity_table(analysis, tolerance))
    if chart:
        with announced(chart):
            write_svg(sensitivity_chart(analysis), chart)
    if output:
        with announced(output):
            atomic.write_text(output, json.dumps(analysis.to_dict(), indent=1) + "\n")


@contextlib.contextmanager
def _reporting(events):
    """A function that reports each layer: as an event, or on a line that changes."""
    if events:  # without that line, which would take what is printed meanwhile to standard error
        yield lambda _name, number, count: write_progress(number - 1, count)
        return
    with activity("Masking") as status:
        yield lambda name, number, count: status.update(f"Layer {number} of {count}: {name}")
