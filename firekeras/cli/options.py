"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
RoundTo = Annotated[int, typer.Option(help="Bring widths that change to a multiple of this; 8 suits most hardware.")]
Balance = Annotated[
    float,
    typer.Option(
        help="How much a filter's place within its own layer counts against its place among all, 0 to 1: above 0 no"
        " layer is starved."
    ),
]
FavourMacs = Annotated[
    float, typer.Option(help="How much the MACs that go with a filter count against its score, 0 to 1.")
]
Limit = Annotated[int | None, typer.Option(min=1, metavar="N", help="Take at most N training and N test images.")]
MinKeep = Annotated[float, typer.Option(help="No layer falls under this share of its filters, 0 to 1, nor under one.")]
