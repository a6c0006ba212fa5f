"""Opening a model, a profile or the folder of a run; errors are sentences for the user."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from firekeras.rounds.run_directory import BEST, RunDirectory
from firekeras.rounds.schema import beside_name, model_name
from firekeras.scores.profile import FireProfile
from firekeras.scores.same_weights import other_layers
from inspector.state.weights import ModelWeights

PROFILE = ".fire.h5"
KERAS_2 = (".h5", ".hdf5")


@dataclasses.dataclass(frozen=True)
class Document:
    """What is at a path and beside it.

    Args:
        path: The file or folder that was opened.
        model: The `.keras` file, if there is one.
        profile_path: The `.fire.h5` file, if there is one.
        profile: Its `FireProfile`.
        weights: The model's `ModelWeights`.
        run: The `RunDirectory`, if that was opened.
        notes: Sentences for the user, for example why a file beside it was ignored.
    """

    path: Path
    model: Path | None = None
    profile_path: Path | None = None
    profile: FireProfile | None = None
    weights: ModelWeights | None = None
    run: RunDirectory | None = None
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name in titles."""
        return (self.path if self.run else self.model or self.path).name

    @property
    def result(self) -> Path | None:
        """The path of the smaller model of a run so far; `None` if there is none."""
        return self.run.file(BEST) if self.run else None


def open_document(path) -> Document:
    """Opens a `.keras` file, a `.fire.h5` file or the folder of a run.

    Raises:
        ValueError: If it is none of these, damaged, or may not be read.
    """
    path = Path(path)
    try:
        if path.is_dir():
            return _open_run(path)
        if path.name.endswith(PROFILE):
            return _open_profile(path)
        if path.exists() and path.suffix not in (".keras", *KERAS_2):
            raise ValueError(
                f"{path.name} does not open here. Expected a model (.keras), a measurement (.fire.h5), a plan, choices "
                "or a latency table (.json), or the folder of a run."
            )
        return _open_model(path)
    except PermissionError as error:
        raise ValueError(f"{error.filename or path} cannot be read: you lack the permission. Ask its owner.") from error
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}.") from error


def is_keras_2(path) -> bool:
    """Whether a path is a model as Keras 2 saved it, by its name or its contents: an HDF5 file, or a SavedModel."""
    path = Path(path)
    if path.is_dir():
        return (path / "saved_model.pb").is_file()
    return path.is_file() and path.suffix.lower() in KERAS_2 and not path.name.endswith(PROFILE)


def _open_model(path):
    weights = ModelWeights(path)
    beside = beside_model(path)
    if not beside.exists():
        return _measured_by_run(path, weights) or Document(path, model=path, weights=weights)
    try:
        profile = profile_for(weights, beside)
    except ValueError as error:
        return Document(path, model=path, weights=weights, notes=(str(error),))
    return Document(path, path, beside, profile, weights, notes=_of_other_weights(weights, profile, beside))


def _measured_by_run(path, weights) -> Document | None:
    """A model in the folder of a run, with FIRE that the run measured of it; None if there is none of these weights."""
    try:
        run = RunDirectory.open(path.parent)
        names = {model_name(number): found for number, found in profiles_by_round(run).items()}
        found = names.get(run.newest_model().name if path.name == BEST else path.name)
        profile = profile_for(weights, found) if found else None
    except (ValueError, OSError):  # the model opens without it
        return None
    if found is None or profile is None or _of_other_weights(weights, profile, found):
        return None
    return Document(path, path, found, profile, weights)


def _open_profile(path):
    profile = read_profile(path)
    model = path.with_name(path.name.removesuffix(PROFILE) + ".keras")
    if not model.exists():
        note = f"There is no {model.name} beside it: kernels are not shown, and nothing can run until you open it."
        return Document(path, profile_path=path, profile=profile, notes=(note,))
    try:
        weights = ModelWeights(model)
        check_same(weights, profile, path)
    except ValueError as error:
        return Document(path, profile_path=path, profile=profile, notes=(str(error),))
    return Document(path, model, path, profile, weights, notes=_of_other_weights(weights, profile, path))


def _open_run(path):
    run = RunDirectory.open(path)
    first = run.file(model_name(0))
    own = run.file(beside_model(first).name) if first is not None else None
    profiles = [*([own] if own else []), *profiles_of(run)]
    profile = read_profile(profiles[0]) if profiles else None
    if first is None:
        note = f"No {model_name(0)}."
        return Document(path, None, profiles[0] if profiles else None, profile, run=run, notes=(note,))
    weights = ModelWeights(first)
    if profile is not None and weights.mismatch(profile.graph):
        note = f"{profiles[0].name} belongs to a later round than {first.name}."
        return Document(path, None, profiles[0], profile, run=run, notes=(note,))
    return Document(path, first, profiles[0] if profiles else None, profile, weights, run)


def profiles_of(run: RunDirectory) -> list[Path]:
    """The profiles that a run measured, in order of its rounds."""
    named = [event["profile"] for event in run.rounds() if event.get("profile")]
    return [file for name in dict.fromkeys(named) if (file := run.file(name))]


def profiles_by_round(run: RunDirectory) -> dict[int, Path]:
    """The profiles in the folder of a run, by the round that left the network which they are of; 0 is the first one.

    A round measures what the kept ones before it left; what the last one left is measured after it, beside its model.
    """
    of: dict[int, Path] = {}
    now = 0
    for event in run.rounds():
        file = run.file(event["profile"]) if event.get("profile") else None
        if file is not None:
            of.setdefault(now, file)
        now = event["number"] if event["accepted"] else now
    beside = {number: run.file(beside_name(number)) for number in range(now + 1)}
    return of | {number: file for number, file in beside.items() if file is not None}


def beside_model(path) -> Path:
    """The path of the profile of a model."""
    return Path(path).with_name(Path(path).name.removesuffix(".keras") + PROFILE)


def read_profile(path) -> FireProfile:
    """Reads a profile that has the graph of a network with filters in it.

    Raises:
        ValueError: If it is none, or damaged.
    """
    profile = FireProfile.load(path)
    if not profile.graph.filter_layers:
        raise ValueError(f"{path} is of a network without filters: there is nothing to show.")
    return profile


def profile_for(weights: ModelWeights, path) -> FireProfile:
    """The profile at a path, which must be of this model."""
    profile = read_profile(path)
    check_same(weights, profile, path)
    return profile


def _of_other_weights(weights, profile, path):
    """A note if a profile was measured on another training of the model beside it."""
    if not other_layers(profile.l1, weights.norms(profile.graph)):
        return ()
    name = weights.path.name
    return (f"{Path(path).name} was measured on other weights than {name} holds now: measure {name} again.",)


def check_same(weights: ModelWeights, profile: FireProfile, path):
    """Raises `ValueError` if a profile belongs to another model."""
    why = weights.mismatch(profile.graph)
    if why:
        raise ValueError(
            f"{Path(path).name} is of another model than {weights.path.name}, which was left alone: {why}. Measure "
            f"{weights.path.name} again, or open the model that belongs to the profile."
        )
