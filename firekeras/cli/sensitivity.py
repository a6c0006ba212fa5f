"""`firekeras sensitivity`: what each layer's filters are worth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from firekeras.cli.console import errors_in_words, show, show_text
from firekeras.cli.files import check_output, load_data, load_model
from firekeras.cli.options import BatchSize, Data, ModelFile


@errors_in_words()
def sensitivity(
    model: ModelFile,
    data: Data,
    criterion: Annotated[str, typer.Option(help="What ranks a layer's filters: 'l1', 'l2', 'fire', ...")] = "l1",
    tolerance: Annotated[
        float, typer.Option(help="By how much accuracy may fall for the last column, in absolute points.")
    ] = 0.02,
    images: Annotated[
        int, typer.Option(min=1, metavar="N", help="How many of the training images to measure on.")
    ] = 1000,
    batch_size: BatchSize = 64,
    chart: Annotated[Path | None, typer.Option(metavar="FILE.svg", help="Draw it too, a line per layer.")] = None,
    output: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write the numbers too.")] = None,
):
    """Shows what each layer's filters are worth: accuracy without 10%, 20%, ..., 90% of them, untrained.

    One layer at a time loses the filters that the criterion ranks lowest. The last column says how much of it can go
    within the tolerance: as a cap, --cap LAYER=SHARE, it guards the layer in compress and prune.

    Example: firekeras sensitivity model.keras --data cifar10.npz --chart sensitivity.svg
    """
    for path, ending in ((chart, ".svg"), (output, ".json")):
        if path:
            check_output(path, model, ending)
    network = load_model(model)
    from firekeras import atomic
    from firekeras.cli import classifier
    from firekeras.report.series_chart import write_svg
    from firekeras.studies.sensitivity import sensitivity as measured
    from firekeras.studies.sensitivity_report import sensitivity_chart, sensitivity_table

    dataset = load_data(data, network, images)
    classifier.check_classes(network, dataset)
    classifier.prepare(network, None)
    with Console(stderr=True).status("Masking") as status:
        found = measured(
            network,
            (dataset.x_train, dataset.y_train),
            criterion=criterion,
            batch_size=batch_size,
            on_layer=lambda name, number, count: status.update(f"Layer {number} of {count}: {name}"),
        )
    show(sensitivity_table(found, tolerance))
    if chart:
        write_svg(sensitivity_chart(found), chart)
        show_text(f"Written: {chart}")
    if output:
        atomic.write_text(output, json.dumps(found.to_dict(), indent=1) + "\n")
        show_text(f"Written: {output}")
