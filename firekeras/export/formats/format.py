"""`Format`, the base class of export formats: how models are written, run, timed and counted in each.

Modules in this folder import nothing slow at the top: the command line lists the formats in its help.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import importlib.util
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from firekeras.refusals import Registry, cause, unknown

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
        name: The name for `export_model(..., to=name)`.
    """

    def register(cls):
        FORMATS[name] = cls(name)
        return cls

    return register


def format_named(name: str) -> Format:
    """The format of a name, or of an ending: `"tflite"` is `"litert"`.

    Raises:
        ValueError: If there is none; suggests the nearest name.
    """
    by_ending = {known.ending.removeprefix("."): known for known in FORMATS.values() if known.ending}
    known = {**by_ending, **FORMATS}
    plain = name.removeprefix(".")
    if plain not in known:
        raise unknown("export format", name, dict.fromkeys([*FORMATS, *by_ending]))
    return known[plain]


def format_of(path) -> Format | None:
    """The format of an exported file, by its ending, or of a folder; None if there is no such format."""
    path = Path(path)
    ending = "" if path.is_dir() else path.suffix
    return next((known for known in FORMATS.values() if known.ending == ending and (ending or path.is_dir())), None)


@contextlib.contextmanager
def in_one_sentence(problem: str) -> Iterator[None]:
    """Turns any error of a runtime into a `ValueError`: runtimes share no base class, and stumble over damaged files.

    Args:
        problem: What is wrong then, before the cause: `"net.tflite is not a file that LiteRT can run"`.
    """
    try:
        yield
    except Exception as error:
        raise ValueError(f"{problem}: {cause(error)}") from error


@dataclasses.dataclass(frozen=True)
class Input:
    """One input of a network.

    Args:
        name: Its name.
        shape: Its shape, None for open dimensions.
        dtype: Its NumPy dtype.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: np.dtype


class Runtime(Protocol):
    """An exported network, ready to run.

    Args:
        name: The name of the runtime, for people.
        inputs: Its `Input`s.
        threads: The number of threads; None if it cannot be set.
    """

    name: str
    inputs: list[Input]
    threads: int | None

    def prepare(self, arrays: list[np.ndarray]) -> None:
        """Sets the inputs: one array each, `(batch, ...)`."""

    def invoke(self) -> None:
        """Runs one forward pass on these inputs; only this is timed."""

    def outputs(self) -> list[np.ndarray]:
        """The outputs of the last pass: one array each, `(batch, ...)`."""


class Format:
    """An export format. Derive a class from it, and register that with `export_format`.

    Attributes:
        name: The name that it is registered under.
        title: What messages call its files: `"an ONNX file"`.
        ending: The ending of its files, `".onnx"`; empty for a folder.
        runtime: The name of its runtime.
        keras_name: Its name in Keras's own `model.export`, unless `write` exports in another way.
        needs: The modules that must be installed to write and run it.
        needs_on: The same by backend, if they differ there.
        refused_on: The backends that cannot write it, and sentences that say why and what to do.
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
        """Raises an error if it cannot be written here.

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
        """The modules that it needs and that are not installed."""
        return [module for module in self.needs_on.get(backend, self.needs) if not importlib.util.find_spec(module)]

    def how_to_install(self, missing: list[str]) -> str:
        """The command that installs what is missing."""
        return PIP

    def write(self, model, path: Path, **settings: Any):
        """Writes a model.

        Args:
            model: A built Keras model.
            path: The file or folder to write.
            **settings: From `int8_settings`.

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
        """Opens a file in the runtime.

        Args:
            path: The file.
            threads: The number of threads. Defaults to None: 1, if it can be set.

        Raises:
            ValueError: If it is no file of this format.
            ImportError: If the runtime is not installed.
        """
        raise NotImplementedError

    def costs(self, path: Path) -> Costs | None:
        """The costs of a file, counted in it; None if they cannot be."""
        return None

    def layer_seconds(self, path: Path, arrays: list[np.ndarray], *, runs: int, threads: int = 1) -> dict[str, float]:
        """Mean seconds of each layer, in the order of execution; for formats with `times_layers`.

        Args:
            path: The file.
            arrays: One array per input, `(batch, ...)`.
            runs: The number of passes.
            threads: The number of threads. Defaults to 1.
        """
        raise NotImplementedError

    def int8_settings(self, arrays: Mapping[str, np.ndarray], ends: bool = False) -> dict[str, Any]:
        """The settings with which `write` makes an int8 file; for formats with `has_int8`.

        Args:
            arrays: Samples by the names of the model's inputs, `(n, ...)`, to calibrate the ranges of values.
            ends: Whether inputs and outputs are 8-bit numbers too. Defaults to False.
        """
        raise NotImplementedError

    def check_int8(self, path: Path):
        """Raises `ValueError` if a file does not compute in 8-bit whole numbers throughout."""
        raise NotImplementedError


def formats_with(feature: str) -> list[Format]:
    """The formats that have a feature: `"has_int8"`, `"sets_threads"`, `"times_layers"`, ..."""
    return [known for known in FORMATS.values() if getattr(known, feature)]


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
