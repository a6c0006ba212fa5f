"""`firekeras export`: from a pruned model to the file that ships, run and compared before it is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from firekeras.cli.console import errors_in_words, show_text, silent_stderr
from firekeras.cli.files import check_output, load_data, load_model
from firekeras.cli.options import DataOrNone, ModelFile
from firekeras.export.endings import ENDINGS


@errors_in_words()
def export(
    model: ModelFile,
    to: Annotated[str, typer.Option(help="'litert', 'onnx' or 'saved-model'.")] = "litert",
    output: Annotated[
        Path | None,
        typer.Option(
            show_default="MODEL with the ending of the format", help="Where the file goes, whole or not at all."
        ),
    ] = None,
    data: DataOrNone = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Have it compute in 8-bit whole numbers; LiteRT only, needs --data.")
    ] = False,
    epochs: Annotated[
        int, typer.Option(min=0, help="With --int8: fine-tune so many epochs as int8 computes (TF-MOT).")
    ] = 0,
    learning_rate: Annotated[float, typer.Option(help="Of these epochs' first step; falls to 0.")] = 0.001,
    tolerance: Annotated[
        float | None,
        typer.Option(
            show_default="0.0001; with --int8 0.15", help="How far outputs may be from the model's, as a share."
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Take at most N training images.")] = None,
):
    """Exports a model to LiteRT, ONNX or a SavedModel: the file is run, and compared with Keras, before it is kept.

    Compared on 32 training images of --data, or on random samples. With --int8, 300 of the training images tell
    which values occur.

    Example: firekeras export pruned.keras --to litert --int8 --data cifar10.npz --output pruned_int8.tflite
    """
    if to not in ENDINGS:
        raise ValueError(f"--to is one of litert (.tflite files), onnx and saved-model. Received: {to!r}.")
    if int8 and (to != "litert" or not data):
        raise ValueError("--int8 is for --to litert, and needs --data: images from which it learns which values occur.")
    if epochs and not int8:
        raise ValueError("--epochs is for --int8 with --data: it fine-tunes as int8 computes.")
    output = output or Path(f"{model.stem}{'_int8' if int8 else ''}{ENDINGS[to]}")
    if ENDINGS[to]:
        check_output(output, model, ENDINGS[to])
    network = load_model(model, compile=False)
    import firekeras
    from firekeras.export import quantize_aware

    dataset = load_data(data, network, limit) if data else None
    with silent_stderr():  # converters chat
        if epochs and dataset:
            train = dataset.x_train, dataset.y_train
            made = quantize_aware(
                network, train, output, epochs=epochs, learning_rate=learning_rate, tolerance=tolerance
            )
        else:
            samples = dataset.x_train if dataset else None
            made = firekeras.export_model(network, output, to=to, samples=samples, int8=int8, tolerance=tolerance)
    kind, apart = "images" if dataset else "random samples", made.difference
    show_text(
        f"Run on {made.samples} {kind}: outputs are {apart.largest:.2g} of the largest away from the model's at most, "
        f"{apart.rms:.2g} by root mean squares."
    )
    show_text(f"Written: {made.path}, {made.size:,} bytes")
