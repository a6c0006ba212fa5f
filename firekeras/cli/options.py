"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

LIMITS = "Limits of cuts"  # a panel of the help

_MODEL = typer.Argument(metavar="MODEL.keras", help="A trained model, saved with model.save.")
_DATA = typer.Option(
    metavar="SOURCE",
    help="'digits'; or an .npz file with x_train, y_train, x_test, y_test; or a folder of images:"
    " FOLDER/CLASS/IMAGE, or the same below FOLDER/train and FOLDER/test (resized to the input of the model).",
)

ModelFile = Annotated[Path, _MODEL]
ModelFileOrNone = Annotated[Path | None, _MODEL]
Data = Annotated[str, _DATA]
DataOrNone = Annotated[str | None, _DATA]
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
