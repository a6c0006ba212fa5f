"""`firekeras export`: writes the file to deploy, run and compared with Keras before it is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from firekeras.cli import checks, complete
from firekeras.cli.console import show_text
from firekeras.cli.files import check_output, load_data, load_images, load_model
from firekeras.cli.options import DataOrNone, Mean, ModelFile, Scale, SkipUnreadable, Std
from firekeras.export.formats import FORMATS, format_named, format_of
from firekeras.export.formats.format import either, formats_with
from firekeras.keras_models import model_file
from firekeras.quiet import silent_stderr
from firekeras.refusals import check_number
from firekeras.terminal import written


def _with_int8():
    return either(f"--to {known.name}" for known in formats_with("has_int8"))


def export(
    model: ModelFile,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            autocompletion=complete.formats,
            show_default="by the ending of --output, else litert",
            help=f"{either(map(repr, FORMATS))}.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default="MODEL with the ending of the format",
            help="The file to write, completely or not at all.",
        ),
    ] = None,
    data: DataOrNone = None,
    int8: Annotated[
        bool, typer.Option("--int8", help=f"Compute in 8-bit integers; only {_with_int8()}, needs --data.")
    ] = False,
    int8_inputs: Annotated[
        bool,
        typer.Option("--int8-inputs", help="With --int8: inputs and outputs are 8-bit integers too, not float32."),
    ] = False,
    epochs: Annotated[
        int, typer.Option(min=0, help="With --int8: epochs of fine-tuning with int8 arithmetic (TF-MOT).")
    ] = 0,
    learning_rate: Annotated[
        float, typer.Option(metavar="RATE", help="The learning rate of these epochs; falls to 0.")
    ] = 0.001,
    tolerance: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            show_default="0.0001; with --int8 0.15",
            help="How far outputs may be from the model's, as a share of the largest.",
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Take at most N training images.")] = None,
    scale: Scale = None,
    mean: Mean = None,
    std: Std = None,
    skip_unreadable: SkipUnreadable = False,
):
    """Exports a model to LiteRT, ONNX or a SavedModel: the file is run and compared with Keras before it is kept.

    They are compared on 32 training images of --data, or on random samples. With --int8, 300 training images
    calibrate the ranges of values.

    Example: firekeras export pruned.keras --to litert --int8 --data cifar10.npz --output pruned_int8.tflite
    """
    chosen = _format(to, output)
    if int8 and not (chosen.has_int8 and data):
        raise ValueError(
            f"--int8 is for {_with_int8()}, and needs --data: images to calibrate the ranges of values on."
        )
    if epochs and not int8:
        raise ValueError("--epochs is for --int8 with --data: it fine-tunes with int8 arithmetic.")
    if int8_inputs and (epochs or not int8):
        raise ValueError("--int8-inputs is for --int8 without --epochs.")
    output = output or Path(f"{model.stem}{'_int8' if int8 else ''}{chosen.ending}")
    _check_path(output, model, chosen)
    if tolerance is not None:
        check_number("--tolerance", tolerance, "how far outputs may be from the model's", least=0)
    checks.check_rate(learning_rate)
    if data:
        checks.check_data(data, labels=bool(epochs))
    network = load_model(model, compile=False)
    import firekeras
    from firekeras.export import quantize_aware

    images = {"scale": scale, "mean": mean, "std": std, "skip_unreadable": skip_unreadable}
    dataset = load_data(data, network, limit, **images) if data and epochs else None
    samples = load_images(data, network, limit, **images) if data and not epochs else None
    replaced = output.exists()
    with silent_stderr():  # converters print a lot
        if dataset:
            train = dataset.x_train, dataset.y_train
            exported = quantize_aware(
                network, train, output, epochs=epochs, learning_rate=learning_rate, tolerance=tolerance
            )
        else:
            exported = firekeras.export_model(
                network,
                output,
                to=chosen.name,
                samples=samples,
                int8=int8,
                int8_inputs=int8_inputs,
                tolerance=tolerance,
            )
    kind, apart = "images" if data else "random samples", exported.difference
    show_text(
        f"Run on {exported.samples} {kind}: outputs differ from the model's by at most {apart.largest:.2g} of the "
        f"largest output, and by {apart.rms:.2g} in the root mean square."
    )
    show_text(written(f"{exported.path}, {exported.size:,} bytes", replaced))


def _format(to, output):
    """The format that --to names, or that the ending of --output says; else LiteRT."""
    by_ending = format_of(output) if output and output.suffix else None
    if to is None:
        if output and output.suffix and not by_ending:
            raise ValueError(f"No export format ends in {output.suffix}. Expected {_outputs()}. Received: {output}.")
        return by_ending or FORMATS["litert"]
    chosen = format_named(to)
    if by_ending and by_ending is not chosen:
        raise ValueError(f"--to {to} and --output {output} contradict each other. Leave out one of them.")
    return chosen


def _outputs():
    """The outputs that tell each format, or come with its name."""
    return either(
        f"--output NAME{known.ending}" if known.ending else f"--to {known.name} --output FOLDER"
        for known in FORMATS.values()
    )


def _check_path(output, model, chosen):
    model_file.check_path(model)
    if chosen.ending:
        check_output(output, model, chosen.ending)
    elif output.exists():
        raise ValueError(f"{output} exists already. Expected {chosen.title}: give --output the name of a new one.")
