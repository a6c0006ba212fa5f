"""`firekeras convert`: a model of Keras 2 as a `.keras` file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from firekeras.cli.console import errors_in_words, import_keras, show_text, silent_stderr
from firekeras.cli.files import check_output


@errors_in_words()
def convert(
    old: Annotated[
        Path, typer.Argument(metavar="OLD", help="The model: an .h5 file of Keras 2, or the folder of a SavedModel.")
    ],
    new: Annotated[Path, typer.Argument(metavar="NEW.keras", help="Where it goes, whole or not at all.")],
    trust: Annotated[
        bool,
        typer.Option("--trust", help="Run the graph of a SavedModel, which is a program, to compare outputs."),
    ] = False,
):
    """Converts a model that Keras 2 saved (.h5, SavedModel) to a .keras file, and compares outputs.

    No code of the old file is run: a Lambda is refused. Settings that Keras 3 does not have are left out if they say
    nothing. Outputs are compared if tf_keras is installed.

    Example: firekeras convert old.h5 new.keras
    """
    check_output(new)
    import_keras()
    from firekeras.keras2.converting import convert_model

    with silent_stderr():
        made = convert_model(old, new, trust=trust)
    for note in made.notes:
        show_text(note)
    if made.difference:
        show_text(f"Outputs are {made.difference.largest:.2g} of the largest away from the old model's at most.")
    show_text(f"Written: {new}")
