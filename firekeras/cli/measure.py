"""`firekeras measure`: FIRE of every filter, into a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from firekeras.cli.console import errors_in_words, show, show_text, tell, tell_progress
from firekeras.cli.files import check_output, load_images, load_model
from firekeras.cli.options import BatchSize, Data, ModelFile


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
    events: Annotated[
        bool, typer.Option("--events", help="Print how far it is as JSON, one object per line, and nothing else.")
    ] = False,
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
    from firekeras.report import tables

    images = load_images(data, network)
    profile = firekeras.measure_fire(
        network,
        images,
        batch_size=batch_size,
        fraction=parsed_fraction(fraction),
        neuron_maps=neuron_maps,
        on_progress=tell_progress if events else None,
    )
    profile.save(output)
    if events:
        tell("written", path=str(output), samples=profile.samples)
    else:
        show(tables.fire_table(profile, profile.reasons))
        show_text(f"{profile.samples} images looked at. Written: {output}")


def parsed_fraction(text) -> float | str:
    """A share, or `"auto"`."""
    try:
        return text if text == "auto" else float(text)
    except ValueError as error:
        raise ValueError(f"--fraction is a share such as 0.2, or auto. Received: {text!r}.") from error
