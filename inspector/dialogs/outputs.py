"""Whether a file can be written where a person wants it."""

from __future__ import annotations

import os
from pathlib import Path


def why_not_written(output: Path, ending: str, model: Path) -> str:
    """Why a result cannot be written to a path, as a sentence; empty if nothing is known against it.

    Args:
        output: The path.
        ending: How its name has to end; empty for any.
        model: The model that is worked on, which stays as it is.
    """
    if not output.name:
        return "Choose where to save it."
    if not output.name.endswith(ending) or output.name == ending:
        return f"The name of the file must end with {ending}."
    if output.resolve() == model.resolve():
        return f"{output.name} is the model itself, which is never overwritten. Choose another name."
    if ending and output.is_dir():
        return f"{output.name} is a folder. Choose another name."
    return why_not_into(output.parent)


def why_not_into(folder: Path) -> str:
    """Why nothing can be written into a folder, as a sentence; empty if nothing is known against it."""
    if folder.is_dir() and os.access(folder, os.W_OK):
        return ""
    return f"Nothing can be written into {folder}. Choose another folder."
