"""`firekeras report`: the state of a run, or the costs of model files side by side."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from firekeras.cli import checks
from firekeras.cli.compress import compress
from firekeras.cli.console import (
    import_keras,
    show,
    show_text,
    write_event,
    write_progress,
)
from firekeras.cli.files import announced, check_output
from firekeras.cli.options import DataOrNone, Mean, Scale, SkipUnreadable, Std
from firekeras.cli.words import in_options
from firekeras.export.formats import FORMATS, format_of
from firekeras.export.formats.format import either, formats_with
from firekeras.keras_models import model_file
from firekeras.quiet import silent_stderr
from firekeras.refusals import listed


def _timed():
    return either(known.title for known in formats_with("times_layers"))


def _files():
    return either(["a .keras file", *(known.title for known in FORMATS.values())])


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
        typer.Option(
            metavar="FILE.html",
            help="For a run: also write an HTML page with plots, which needs no network connection.",
        ),
    ] = None,
    data: DataOrNone = None,
    batch: Annotated[int, typer.Option(min=1, metavar="N", help="For files: samples per pass, for latency.")] = 1,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            show_default="1",
            help=f"For files: threads of {either(known.runtime for known in formats_with('sets_threads'))}.",
        ),
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="For files: timed passes of each.")] = 50,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Take at most N test images.")] = None,
    scale: Scale = None,
    mean: Mean = None,
    std: Std = None,
    skip_unreadable: SkipUnreadable = False,
    layers: Annotated[
        bool,
        typer.Option(
            "--layers", help=f"Also show the time of each layer of {_timed()}; other formats do not report it."
        ),
    ] = False,
    litert: Annotated[
        bool, typer.Option("--litert", help="Time .keras files in LiteRT, from a temporary export.")
    ] = False,
    board: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|FILE.toml",
            help="For files: whether they fit a board, and what is missing: 'raspberry-pi-pico', ..., or a TOML file"
            " of your own. Repeat it for more.",
        ),
    ] = None,
    trust: Annotated[
        bool,
        typer.Option(
            "--trust",
            help="Also run files that may do more than compute, such as a SavedModel, whose graph is a program that can"
            " read and write any file of yours. Without it only operations that are known to compute are run.",
        ),
    ] = False,
    events: Annotated[
        bool,
        typer.Option("--events", help="For files: print the progress, and each file, as JSON, one object per line."),
    ] = False,
):
    """Shows the state of a run, finished or still running; or the costs of several model files, side by side.

    For files: accuracy on all test images, MACs, parameters, size, and latency, measured here in turns. The costs of
    an exported file are counted in the file, in which normalisation is folded into kernels. Compare latencies of one
    runtime only: the time of a small network in Keras is mostly Python. Files are checked before they are run: one
    that may do more than compute is refused without --trust.

    Example: firekeras report runs/a --html a.html

    Example: firekeras report original.keras pruned.keras pruned.tflite pruned_int8.tflite --data cifar10.npz

    Example: firekeras report pruned.keras --board raspberry-pi-pico --board mine.toml
    """
    if _is_run(paths):
        if board:
            raise ValueError("--board is for model files. Received: the folder of a run; give its best.keras.")
        _show_run(paths[0], html)
        return
    if html:
        raise ValueError("--html is for the folder of a run. Received: model files.")
    _check_files(paths)
    boards = _boards(board or ())
    if data:
        checks.check_data(data)
    if events and layers:
        raise ValueError("--events prints no time by layer. Leave out one of --events and --layers.")
    settings = {"batch_size": batch, "runs": runs, "threads": threads, "trust": trust}
    images = {"limit": limit, "scale": scale, "mean": mean, "std": std, "skip_unreadable": skip_unreadable}
    samples = _test_images(data, paths[0], trust, images) if data else None
    _show_files(paths, samples, {**settings, "in_litert": litert}, events, boards)
    if layers:
        _show_layers(paths, settings)


def _is_run(paths):
    """Whether the paths are the folder of a run: one folder that is not a SavedModel."""
    return len(paths) == 1 and paths[0].is_dir() and not (paths[0] / "saved_model.pb").exists()


def _check_files(paths):
    for path in paths:
        if not path.exists():
            raise ValueError(f"There is no file or folder {path}.")
        if (path / "run.json").exists():
            raise ValueError(
                f"{path} is the folder of a run, which is shown by itself. Give only that folder, or only model files."
            )
        if path.suffix in (".keras", ".h5", ".hdf5"):
            model_file.check_path(path)
        elif format_of(path) is None:
            raise ValueError(f"Expected {_files()}. Received: {path}.")


def _show_run(folder, html):
    from firekeras.report.run_report import show_run

    if html:
        check_output(html, ending=".html")

    options = inspect.signature(compress).parameters
    with announced(html) if html else contextlib.nullcontext():
        for shown in show_run(folder, html):
            show(Text(in_options(shown.plain, options)) if isinstance(shown, Text) else shown)


def _boards(names):
    from firekeras.export.boards import boards_of

    return [board for name in names for board in boards_of(name)]


def _show_files(paths, samples, settings, events, boards):
    import_keras()
    from firekeras.export.side_by_side import measure_stages
    from firekeras.report.board_report import REMAINDER, board_table
    from firekeras.report.stages_report import footnotes, stages_table

    with silent_stderr():  # LiteRT logs which delegate it created
        stages = measure_stages(paths, samples, **settings, on_progress=write_progress if events else None)
    if not events:
        show(stages_table(stages), *(board_table(stages, board) for board in boards))
        for note in footnotes(stages):
            show_text(note)
        if boards:
            show_text(REMAINDER)
        for stage in stages if boards else ():
            if stage.costs and stage.costs.estimated:
                layers = listed(stage.costs.estimated)
                show_text(f"{stage.path.name} is an estimate: it is unknown what the exported file does for {layers}.")
        return
    for stage in stages:
        write_event("stage", **_fields(stage, boards))


def _fields(stage, boards):
    """The fields of a stage, for JSON; for each board the bytes that are missing."""
    from firekeras.report.board_report import missing, needs_of

    costs, needs = stage.costs, needs_of(stage)
    fits = {"boards": {board.name: missing(needs, board) for board in boards}} if boards else {}
    return {
        **fits,
        "path": str(stage.path),
        "accuracy": stage.accuracy,
        "costs": costs.totals if costs else None,
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
            f"No time by layer: only {either(known.runtime for known in able)} measures it. Export with --to "
            f"{either(known.name for known in able)}."
        )


def _test_images(source, path, trust, images):
    """The test images, in the size and with the channels of the first file's input."""
    import_keras()
    from firekeras.cli.files import load_images_for
    from firekeras.export.running import open_runtime

    with silent_stderr():
        shape = open_runtime(path, trust=trust).inputs[0].shape if Path(source).is_dir() else ()
    dataset = load_images_for(source, shape, **images)
    return dataset.x_test, dataset.y_test
