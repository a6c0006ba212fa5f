"""`firekeras measure`: measures FIRE of every filter, and writes it to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from firekeras.cli import checks
from firekeras.cli.console import show, show_text, write_event, write_progress
from firekeras.cli.files import check_output, load_images, load_model
from firekeras.cli.options import BatchSize, Data, Mean, ModelFile, Scale, SkipUnreadable, Std
from firekeras.refusals import check_share, percent_hint
from firekeras.terminal import written


def measure(
    model: ModelFile,
    data: Data,
    output: Annotated[
        Path | None,
        typer.Option(metavar="NAME.fire.h5", show_default="MODEL.fire.h5", help="The file to write."),
    ] = None,
    fraction: Annotated[
        str,
        typer.Option(
            metavar="SHARE|auto",
            help="Share of the training images to use, above 0, up to 1 (0.2 in the paper); 'auto' stops once more"
            " images would not change which filters go next.",
        ),
    ] = "1.0",
    neuron_maps: Annotated[
        bool, typer.Option("--neuron-maps", help="Also keep the rate of each position; makes the file larger.")
    ] = False,
    batch_size: BatchSize = 64,
    scale: Scale = None,
    mean: Mean = None,
    std: Std = None,
    skip_unreadable: SkipUnreadable = False,
    events: Annotated[
        bool, typer.Option("--events", help="Print only the progress, as JSON, one object per line.")
    ] = False,
):
    """Measures FIRE of every filter: the share of its ReLU outputs that are zero, from 0 to 1.

    Needs a model, and images like those that it was trained on; labels are not used. If you have none, --data
    synthetic generates 1,000 random images, which rank filters less well. A dead filter is one whose FIRE is
    exactly 1. Pass the file to prune --scores.

    Example: firekeras measure model.keras --data cifar10.npz --fraction 0.2
    """
    output = output or Path(f"{model.stem}.fire.h5")
    check_output(output, model, ".fire.h5")
    share = parsed_fraction(fraction)
    checks.check_data(data, "synthetic", labels=False)
    network = load_model(model, compile=False)
    import firekeras
    from firekeras.report import tables

    images = load_images(data, network, scale=scale, mean=mean, std=std, skip_unreadable=skip_unreadable)
    profile = firekeras.measure_fire(
        network,
        images,
        fraction=share,
        neuron_maps=neuron_maps,
        batch_size=batch_size,
        on_progress=write_progress if events else None,
    )
    replaced = output.exists()
    profile.save(output)
    if events:
        write_event("written", path=str(output), samples=profile.samples)
    else:
        show(tables.fire_table(profile, profile.reasons))
        show_text(f"{profile.samples} images measured. {written(output, replaced)}")


def parsed_fraction(text) -> float | str:
    """Parses a share, above 0 and up to 1, or `"auto"`."""
    if text == "auto":
        return text
    try:
        share = float(text)
    except ValueError as error:
        hint = percent_hint(text)
        raise ValueError(f"--fraction must be a share such as 0.2, or auto. Received: {text!r}.{hint}") from error
    check_share("--fraction", share, "the share of the images to use, or auto", above=0)
    return share
