"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from firekeras.cli.parsing import parsed_factor, parsed_factors, parsed_numbers

LIMITS, IMAGES = "Limits of cuts", "Images"  # panels of the help

_MODEL = typer.Argument(metavar="MODEL.keras", help="A trained model, saved with model.save.")
_DATA = typer.Option(
    metavar="SOURCE",
    help="'digits'; or an .npz file with x_train, y_train, x_test, y_test; or a folder of images:"
    " FOLDER/CLASS/IMAGE, of which a fifth is for testing, or the same below FOLDER/train and FOLDER/test (PNG, JPEG,"
    " BMP or WebP; resized to the input of the model, with its channels; classes numbered from 0 in the order of their"
    " names; values 0..255 unless --scale, --mean or --std change them).",
)

ModelFile = Annotated[Path, _MODEL]
ModelFileOrNone = Annotated[Path | None, _MODEL]
Data = Annotated[str, _DATA]
DataOrNone = Annotated[str | None, _DATA]
Scale = Annotated[
    float | None,
    typer.Option(
        rich_help_panel=IMAGES,
        parser=parsed_factor,
        metavar="NUMBER",
        show_default="1: as they are stored, images of a folder from 0 to 255",
        help="What the values of the images are multiplied by: 1/255 for a model trained on 0..1. A model that rescales"
        " its input itself needs none.",
    ),
]
Mean = Annotated[
    list | None,
    typer.Option(
        rich_help_panel=IMAGES,
        parser=parsed_numbers,
        metavar="NUMBER,...",
        help="What is subtracted then, one number, or one per channel: --scale 1/127.5 --mean 1 for -1..1.",
    ),
]
Std = Annotated[
    list | None,
    typer.Option(
        rich_help_panel=IMAGES,
        parser=parsed_factors,
        metavar="NUMBER,...",
        help="What the result is divided by, one number, or one per channel.",
    ),
]
SkipUnreadable = Annotated[
    bool,
    typer.Option(
        "--skip-unreadable",
        rich_help_panel=IMAGES,
        help="Leave out images of a folder that cannot be read, instead of refusing the folder.",
    ),
]
Output = Annotated[
    Path, typer.Option(metavar="FILE", help="The file of the smaller model, written completely or not at all.")
]
Caps = Annotated[
    list[str] | None,
    typer.Option(
        rich_help_panel=LIMITS,
        metavar="LAYER=SHARE",
        help="The share of the layer's filters that may go in all, 0 to 1; 0 leaves the layer alone. Repeat it for"
        " more layers.",
    ),
]
Tolerance = Annotated[
    float,
    typer.Option(
        metavar="POINTS",
        help="How far the metric may fall on held-out data: absolute points (0.01 is one point), or a share of the"
        " baseline if lower is better.",
    ),
]
Seed = Annotated[int, typer.Option(metavar="N", help="Seeds everything that is drawn at random.")]
BatchSize = Annotated[int, typer.Option(metavar="N", min=1, help="Samples per batch.")]
Processes = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        show_default="one",
        help="How many processes share the runs of a comparison, or the layers; -1: one per core.",
    ),
]
RoundTo = Annotated[
    int,
    typer.Option(
        rich_help_panel=LIMITS,
        metavar="N",
        help="Round widths that change to a multiple of this; 8 suits most hardware.",
    ),
]
Balance = Annotated[
    float,
    typer.Option(
        rich_help_panel=LIMITS,
        metavar="SHARE",
        help="How much a filter's rank within its own layer counts against its rank among all filters, 0 to 1: above 0"
        " no layer is starved.",
    ),
]
FavourMacs = Annotated[
    float,
    typer.Option(
        rich_help_panel=LIMITS,
        metavar="SHARE",
        help="How much the MACs that a filter saves count against its score, 0 to 1.",
    ),
]
LatencyTableFile = Annotated[
    Path | None,
    typer.Option(
        rich_help_panel="Target and metric",
        metavar="TABLE.json",
        help="For --latency: how long the layers take on the device, written there by firekeras latency.",
    ),
]
MaxCut = Annotated[
    float,
    typer.Option(
        rich_help_panel=LIMITS,
        metavar="SHARE",
        help="No layer loses more than this share of its filters at once, above 0, up to 1, unless the cut needs more;"
        " 1 turns this off.",
    ),
]
Limit = Annotated[int | None, typer.Option(min=1, metavar="N", help="Take at most N training and N test images.")]
MinKeep = Annotated[
    float,
    typer.Option(
        rich_help_panel=LIMITS,
        metavar="SHARE",
        help="No layer falls below this share of its filters, 0 to 1, nor below one filter.",
    ),
]
