"""What a format is: all that exporting, running, timing and the command line have to know of it.

The files of this folder import nothing at their top that takes long: the command line shows the formats in its help.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from firekeras.refusals import Registry

if TYPE_CHECKING:
    import numpy as np

    from firekeras.channels.costs import Costs

PIP = 'pip install "firekeras[deployment]"'
ON_TENSORFLOW = (
    "Set KERAS_BACKEND=tensorflow before Python starts, and load the saved .keras file there: it loads on every backend"
)
FORMATS = Registry("export format", "firekeras.export.formats.export_format")


def export_format(name: str):
    """Registers a class derived from `Format` under a name, for `export_model`, reports and the command line.

    Args:
        name: What `export_model(..., to=name)` finds it by.
    """

    def register(cls):
        FORMATS[name] = cls(name)
        return cls

    return register


def format_of(path) -> Format | None:
    """The format of an exported file, by its ending, or of a folder; None if there is no such format."""
    path = Path(path)
    ending = "" if path.is_dir() else path.suffix
    return next((found for found in FORMATS.values() if found.ending == ending and (ending or path.is_dir())), None)


@dataclasses.dataclass(frozen=True)
class Input:
    """One input of a network.

    Args:
        name: Its name.
        shape: Its shape, None where it is open.
        dtype: Of NumPy.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: np.dtype


class Runtime(Protocol):
    """A network that can be run.

    Args:
        name: What runs it, in words.
        inputs: Its `Input`s.
        threads: How many threads it takes; None where that is not ours to set.
    """

    name: str
    inputs: list[Input]
    threads: int | None

    def prepare(self, arrays: list[np.ndarray]) -> None:
        """Takes in one array per input, `(batch, ...)`."""

    def invoke(self) -> None:
        """One forward pass of what was prepared: this is what is timed."""

    def outputs(self) -> list[np.ndarray]:
        """What the last pass gave, one array per output, `(batch, ...)`."""


class Format:
    """A format that models are exported to. Derive from it, and register it with `export_format`.

    Attributes:
        name: What it is registered as.
        title: What its files are called in messages: `"an ONNX file"`.
        ending: What its files end in, `".onnx"`; empty if it is a folder.
        runtime: The name of what runs its files.
        keras_name: What Keras's own `model.export` calls it, unless `write` does it in another way.
        needs: The modules that must be installed to write and run it.
        needs_on: The same on backends on which they are others.
        refused_on: On which backends it cannot be written, and why: sentences that say what to do.
        sets_threads: Whether its runtime takes a number of threads.
        times_layers: Whether its runtime measures single layers.
        has_int8: Whether it can be written to compute in 8-bit whole numbers.
    """

    title: str
    ending: str
    runtime: str
    keras_name: str = ""
    needs: tuple[str, ...] = ()
    needs_on: Mapping[str, tuple[str, ...]] = {}
    refused_on: Mapping[str, str] = {}
    sets_threads: bool = True
    times_layers: bool = False
    has_int8: bool = False

    def __init__(self, name: str):
        self.name = name

    def check(self, backend: str):
        """Raises if it cannot be written here.

        Args:
            backend: The name of Keras's backend.

        Raises:
            ValueError: If it cannot be written from this backend.
            ImportError: If a package is missing.
        """
        if backend in self.refused_on:
            raise ValueError(f"No export to {self.name!r} from the backend {backend!r}: {self.refused_on[backend]}")
        missing = self.missing(backend)
        if missing:
            how = self.how_to_install(missing)
            raise ImportError(f"Exporting to {self.name!r} needs {', '.join(missing)}: {how}.")

    def is_here(self, backend: str) -> bool:
        """Whether it can be written and run here."""
        return backend not in self.refused_on and not self.missing(backend)

    def missing(self, backend: str) -> list[str]:
        """Which of the modules that it needs are not installed."""
        return [module for module in self.needs_on.get(backend, self.needs) if not importlib.util.find_spec(module)]

    def how_to_install(self, missing: list[str]) -> str:
        """The command that installs what is missing."""
        return PIP

    def write(self, model, path: Path, **settings: Any):
        """Writes a model.

        Args:
            model: A built Keras model.
            path: Where.
            **settings: Of `int8_settings`.

        Raises:
            ValueError: If it cannot; names the model.
        """
        from firekeras.export.keras_export import written_by_keras

        written_by_keras(model, path, self, settings)

    def why_untrusted(self, path: Path) -> str | None:
        """Why a file of a stranger may do more than compute, if it is run; None if it only computes.

        Formats whose files are nothing but numbers leave it at that.

        Args:
            path: The file.

        Raises:
            ValueError: If it is no file of this format.
        """
        return None

    def open(self, path: Path, threads: int | None = None) -> Runtime:
        """The runtime of a file.

        Args:
            path: The file.
            threads: How many threads it takes. Defaults to None: 1, if they can be set.

        Raises:
            ValueError: If it is no file of this format.
            ImportError: If the runtime is not installed.
        """
        raise NotImplementedError

    def costs(self, path: Path) -> Costs | None:
        """What a file costs, counted in it; None if that cannot be said."""
        return None

    def layer_seconds(self, path: Path, arrays: list[np.ndarray], *, runs: int, threads: int = 1) -> dict[str, float]:
        """Mean seconds of each layer, in the order in which they run; for formats with `times_layers`.

        Args:
            path: The file.
            arrays: One array per input, `(batch, ...)`.
            runs: How many passes.
            threads: How many threads. Defaults to 1.
        """
        raise NotImplementedError

    def int8_settings(self, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """What `write` takes to write 8-bit whole numbers; for formats with `has_int8`.

        Args:
            arrays: Samples by the names of the model's inputs, `(n, ...)`, that show which values occur.
        """
        raise NotImplementedError

    def check_int8(self, path: Path):
        """Raises `ValueError` if a file does not compute in 8-bit whole numbers throughout."""
        raise NotImplementedError


def formats_with(feature: str) -> list[Format]:
    """The formats that have a feature: `"has_int8"`, `"sets_threads"`, `"times_layers"`, ..."""
    return [found for found in FORMATS.values() if getattr(found, feature)]


def either(words: Iterable[str]) -> str:
    """Words as a choice: `"a, b or c"`."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def in_order(names) -> list[str]:
    """Names as Keras numbers them: `output_2` before `output_10`."""
    return sorted(names, key=lambda name: [int(s) if s.isdigit() else s for s in re.split(r"(\d+)", name)])


def needed(module: str):
    """Imports a module of the `deployment` extra, or says how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f"This needs {module.split('.')[0]}, which is not installed: {PIP}.") from error
