"""Tests mirror the tree: the test of `x/y.py` is `tests/x/test_y.py`, that of a whole room bears the room's name."""

from pathlib import Path

TESTS = Path(__file__).parent
BESIDE = ("inspector", "examples")  # what lies beside firekeras
OF_NO_FILE = {  # what they are of instead
    "test_borders.py": "what may not be imported where, and the same results on every backend",
    "test_docs.py": "README and docs",
    "test_examples.py": "examples in docstrings",
    "test_extending.py": "docs/extending.md",
    "test_formats.py": "files that earlier releases wrote",
    "test_mirror.py": "the tests",
    "test_public.py": "what is public has types, examples and documented results",
    "test_strangers.py": "damaged and hostile files of every format",
    "test_rooms.py": "what imports what in firekeras",
    "test_threads.py": "many threads at once",
    "inspector/test_rooms.py": "what imports what in the inspector",
    "channels/test_counted.py": "MACs of layers that are no convolutions, by hand",
    "cli/test_runs.py": "commands that begin runs and go on with them",
    "network/test_applications.py": "surgery on keras.applications",
    "network/test_random_networks.py": "surgery on networks drawn at random",
    "test_first_mistakes.py": "mistakes that are refused before any work",
    "test_wrong_calls.py": "calls of public functions with the wrong types",
    "test_killed.py": "results of commands that are killed",
    "rounds/test_resume.py": "runs that are killed and resumed",
    "studies/compare/test_all_methods.py": "comparisons of every method there is",
}


def test_each_test_says_by_its_name_what_it_is_of():
    tests = {path.relative_to(TESTS).as_posix(): path.relative_to(TESTS) for path in TESTS.rglob("test_*.py")}
    assert {name for name, path in tests.items() if not of(path)} == set(OF_NO_FILE)


def of(test):
    """The file, or the room, that a test is named after; None if there is none."""
    folder = TESTS.parent.joinpath("" if test.parts[0] in BESIDE else "firekeras", test.parent)
    name = test.stem.removeprefix("test_")
    if name == folder.name:
        return folder
    return next((found for found in (folder / f"{name}.py", folder / name / "__init__.py") if found.exists()), None)
