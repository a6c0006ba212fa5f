"""`firekeras convert`: converts a Keras 2 model to a `.keras` file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from firekeras.cli.console import import_keras, show_text
from firekeras.cli.files import announced, check_output
from firekeras.quiet import silent_stderr


def convert(
    old: Annotated[
        Path, typer.Argument(metavar="OLD", help="The model: an .h5 file of Keras 2, or the folder of a SavedModel.")
    ],
    new: Annotated[Path, typer.Argument(metavar="NEW.keras", help="The file to write, completely or not at all.")],
    trust: Annotated[
        bool,
        typer.Option("--trust", help="To compare outputs, run the graph of a SavedModel, which is a program."),
    ] = False,
):
    """Converts a model that Keras 2 saved (.h5, SavedModel) to a .keras file, and compares outputs.

    No code of the old file is executed, so a Lambda is refused. Settings that Keras 3 does not have are dropped if
    they have no effect. Outputs are compared if tf_keras is installed.

    Example: firekeras convert old.h5 new.keras
    """
    if not old.exists():
        raise ValueError(f"There is no file or folder {old}.")
    if not (old / "saved_model.pb").is_file() and old.suffix.lower() not in (".h5", ".hdf5"):
        raise ValueError(f"Expected a file of Keras 2, NAME.h5, or the folder of a SavedModel. Received: {old}.")
    check_output(new)
    import_keras()
    from firekeras.keras2.converting import convert_model

    with announced(new):
        with silent_stderr():
            converted = convert_model(old, new, trust=trust)
        for note in converted.notes:
            show_text(note)
        if converted.difference:
            largest = converted.difference.largest
            by = f"differ from the old model's by at most {largest:.2g} of the largest output"
            show_text(f"Outputs {by if largest else 'are the same as those of the old model'}.")
