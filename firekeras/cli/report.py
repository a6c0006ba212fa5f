"""`firekeras report`: what a run has come to, or what a network gained on the way to the device."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from firekeras.cli.console import errors_in_words, import_keras, show, show_text, silent_stderr, tell, tell_progress
from firekeras.cli.options import DataOrNone
from firekeras.export.formats import FORMATS, format_of
from firekeras.export.formats.format import either, formats_with


def _timed():
    return either(known.title for known in formats_with("times_layers"))


def _files():
    return either(["a .keras file", *(known.title for known in FORMATS.values())])


@errors_in_words()
def report(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR | FILE...",
            help=f"The folder of a run; or what is compared: {_files()}.",
        ),
    ],
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE.html", help="Of a run: write a page with plots too; it opens without a network."),
    ] = None,
    data: DataOrNone = None,
    batch: Annotated[int, typer.Option(min=1, metavar="N", help="Of files: samples per pass, for latency.")] = 1,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            show_default="1",
            help=f"Of files: threads of {either(known.runtime for known in formats_with('sets_threads'))}.",
        ),
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="Of files: timed passes of each.")] = 50,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Take at most N test images.")] = None,
    layers: Annotated[
        bool, typer.Option("--layers", help=f"Show the time of each layer too: of {_timed()}; others measure none.")
    ] = False,
    litert: Annotated[
        bool, typer.Option("--litert", help="Time .keras files as LiteRT computes them, exported for the moment.")
    ] = False,
    events: Annotated[
        bool,
        typer.Option("--events", help="Of files: print how far it is, and each file, as JSON, one object per line."),
    ] = False,
):
    """Shows what a run has come to, finished or still running; or what each of some files costs, side by side.

    Of files: accuracy on all test images, MACs, parameters, size, and latency, measured here in turns. What an
    exported file costs is counted in the file, where normalisation is folded into kernels. Compare latencies of one
    runtime: what Keras takes is mostly Python where the network is small.

    Example: firekeras report runs/a --html a.html

    Example: firekeras report original.keras pruned.keras pruned.tflite pruned_int8.tflite --data cifar10.npz
    """
    if _is_run(paths):
        _show_run(paths[0], html)
        return
    _check_files(paths)
    if html:
        raise ValueError("--html is for the folder of a run. Received files of networks.")
    if events and layers:
        raise ValueError("--events tells no time by layer. Leave out one of --events and --layers.")
    settings = {"batch_size": batch, "runs": runs, "threads": threads}
    _show_files(paths, _test_images(data, limit) if data else None, {**settings, "in_litert": litert}, events)
    if layers:
        _show_layers(paths, settings)


def _is_run(paths):
    """Whether it is one folder, and not a SavedModel."""
    return len(paths) == 1 and paths[0].is_dir() and not (paths[0] / "saved_model.pb").exists()


def _check_files(paths):
    for path in paths:
        if not path.exists():
            raise ValueError(f"There is no file or folder {path}.")
        if (path / "run.json").exists():
            raise ValueError(f"{path} is the folder of a run, which is shown by itself. Give it alone, or files alone.")


def _show_run(folder, html):
    from firekeras.report.run_report import show_run

    show(*show_run(folder, html))
    if html:
        show_text(f"Written: {html}")


def _show_files(paths, samples, settings, events):
    import_keras()
    from firekeras.export.side_by_side import measure_stages
    from firekeras.report.stages_report import stages_table

    with silent_stderr():  # LiteRT tells which delegate it made
        stages = measure_stages(paths, samples, **settings, on_progress=tell_progress if events else None)
    if not events:
        show(stages_table(stages))
        return
    for stage in stages:
        tell("stage", **_fields(stage))


def _fields(stage):
    """A stage as JSON has it."""
    costs = stage.costs
    return {
        "path": str(stage.path),
        "accuracy": stage.accuracy,
        "costs": {"conv_macs": costs.conv_macs, "macs": costs.macs, "params": costs.params} if costs else None,
        "size": stage.size,
        "latency": dataclasses.asdict(stage.latency),
    }


def _show_layers(paths, settings):
    from firekeras.export.latency import layer_latency
    from firekeras.report.stages_report import layers_table

    measured = [path for path in paths if (found := format_of(path)) and found.times_layers]
    for path in measured:
        show(layers_table(path.name, layer_latency(path, **{**settings, "threads": settings["threads"] or 1})))
    if not measured:
        able = formats_with("times_layers")
        show_text(
            f"No time by layer: {either(known.runtime for known in able)} alone measures it. Export with --to "
            f"{either(known.name for known in able)}."
        )


def _test_images(source, limit):
    from firekeras import datasets

    dataset = datasets.load_dataset(source, limit=limit)
    return dataset.x_test, dataset.y_test
