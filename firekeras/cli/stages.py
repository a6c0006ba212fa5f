"""`firekeras stages`: what a network gained on the way to the device."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from firekeras.cli.console import errors_in_words, import_keras, show, show_text, tell, tell_progress
from firekeras.cli.options import DataOrNone


@errors_in_words()
def stages(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="MODEL.keras, .tflite or .onnx files, or SavedModel folders."),
    ],
    data: DataOrNone = None,
    batch: Annotated[int, typer.Option(min=1, metavar="N", help="Samples per pass, for latency.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="How many threads LiteRT and ONNX Runtime take.")] = 1,
    runs: Annotated[int, typer.Option(min=1, help="Timed passes of each file.")] = 50,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Take at most N test images.")] = None,
    layers: Annotated[
        bool, typer.Option("--layers", help="Show the time of each layer of .onnx files too; others tell none.")
    ] = False,
    events: Annotated[
        bool, typer.Option("--events", help="Print how far it is, and each file, as JSON, one object per line.")
    ] = False,
):
    """Shows what each file costs, side by side: accuracy, MACs, parameters, size, and latency measured here.

    Accuracy is that of the file itself, run on all test images. Latencies are taken in turns. Compare those of one
    runtime: what Keras takes is mostly Python where the network is small.

    Example: firekeras stages original.keras pruned.keras pruned.tflite pruned_int8.tflite --data cifar10.npz
    """
    if events and layers:
        raise ValueError("--events tells no time by layer. Leave out one of --events and --layers.")
    import_keras()
    from firekeras.report.stages_report import stages_table
    from firekeras.stages import measure_stages

    samples = _test_images(data, limit) if data else None
    settings = {"batch_size": batch, "runs": runs, "threads": threads}
    found = measure_stages(files, samples, **settings, on_progress=tell_progress if events else None)
    if events:
        _tell_stages(found)
        return
    show(stages_table(found))
    if layers:
        _show_layers([path for path in files if path.suffix == ".onnx"], settings)


def _tell_stages(found):
    for stage in found:
        costs = stage.costs
        told = {"conv_macs": costs.conv_macs, "macs": costs.macs, "params": costs.params} if costs else None
        seconds = dataclasses.asdict(stage.latency)
        tell("stage", path=str(stage.path), accuracy=stage.accuracy, costs=told, size=stage.size, latency=seconds)


def _show_layers(paths, settings):
    from firekeras.latency import layer_latency
    from firekeras.report.stages_report import layers_table

    for path in paths:
        show(layers_table(path.name, layer_latency(path, **settings)))
    if not paths:
        show_text("No time by layer: ONNX Runtime alone measures it. Export with --to onnx.")


def _test_images(source, limit):
    from firekeras import datasets

    dataset = datasets.load_dataset(source, limit=limit)
    return dataset.x_test, dataset.y_test
