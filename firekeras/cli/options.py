"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

LIMITS = "Limits of cuts"  # a panel of the help

_MODEL = typer.Argument(metavar="MODEL.keras", help="A trained model, as model.save wrote it.")
_DATA = typer.Option(
    metavar="SOURCE",
    help="'digits'; or an .npz file with x_train, y_train, x_test, y_test; or a folder of images:"
    " FOLDER/CLASS/IMAGE, or the same below FOLDER/train and FOLDER/test (resized to what the model takes).",
)

ModelFile = Annotated[Path, _MODEL]
ModelFileOrNone = Annotated[Path | None, _MODEL]
Data = Annotated[str, _DATA]
DataOrNone = Annotated[str | None, _DATA]
Output = Annotated[
    Path, typer.Option(metavar="FILE", help="Where the smaller model goes: written whole or not at all.")
]
Caps = Annotated[
    list[str] | None,
    typer.Option(
        rich_help_panel=LIMITS,
        metavar="LAYER=SHARE",
        help="At most this share of the layer's filters may go in all, 0 to 1; 0 leaves the layer alone. Repeat it for"
        " further layers.",
    ),
]
Tolerance = Annotated[
    float,
    typer.Option(
        metavar="POINTS",
        help="How far the metric may fall on held-out data: absolute points (0.01 is one point); a share of the"
        " baseline where lower is better.",
    ),
]
Seed = Annotated[int, typer.Option(metavar="N", help="Decides all that is drawn at random.")]
BatchSize = Annotated[int, typer.Option(metavar="N", min=1, help="Samples per batch.")]
RoundTo = Annotated[
    int,
    typer.Option(
        rich_help_panel=LIMITS,
        metavar="N",
        help="Bring widths that change to a multiple of this; 8 suits most hardware.",
    ),
]
Balance = Annotated[
    float,
    typer.Option(
        rich_help_panel=LIMITS,
        metavar="SHARE",
        help="How much a filter's place within its own layer counts against its place among all, 0 to 1: above 0 no"
        " layer is starved.",
    ),
]
FavourMacs = Annotated[
    float,
    typer.Option(
        rich_help_panel=LIMITS,
        metavar="SHARE",
        help="How much the MACs that go with a filter count against its score, 0 to 1.",
    ),
]
MaxCut = Annotated[
    float,
    typer.Option(
        rich_help_panel=LIMITS,
        metavar="SHARE",
        help="No layer loses more than this share of its filters at once, above 0, up to 1, unless the cut needs it; 1"
        " turns it off.",
    ),
]
Limit = Annotated[int | None, typer.Option(min=1, metavar="N", help="Take at most N training and N test images.")]
MinKeep = Annotated[
    float,
    typer.Option(
        rich_help_panel=LIMITS,
        metavar="SHARE",
        help="No layer falls under this share of its filters, 0 to 1, nor under one.",
    ),
]
