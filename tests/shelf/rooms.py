"""The rooms of a package, and which of them import which: read from the source, nothing is run.

A room is a folder of the package, or a module that lies beside the folders.
"""

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path


def imports(package: str) -> dict[str, set[str]]:
    """For each room of a package the other rooms that it imports, anywhere in its files.

    Args:
        package: The package's name, such as `"inspector"`; its own `__init__` is the room `"__init__"`.
    """
    files = sources(package)
    rooms = {_room(module, package) for module in files}
    graph: dict[str, set[str]] = {room: set() for room in sorted(rooms)}
    for module, path in files.items():
        room = _room(module, package)
        for name in imported(module, path):
            if name == package or name.startswith(f"{package}."):
                target = _room(name, package)
                graph[room].add(target if target in rooms else "__init__")  # a name that the package itself offers
    return {room: found - {room} for room, found in graph.items()}


def sources(package: str) -> dict[str, Path]:
    """The files of a package by the names of their modules."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"There is no package named {package!r}.")
    top = Path(spec.submodule_search_locations[0])
    return {_module(package, path.relative_to(top)): path for path in sorted(top.rglob("*.py"))}


def _module(package, path):
    parts = path.with_suffix("").parts
    return ".".join([package, *(parts if parts == ("__init__",) or parts[-1] != "__init__" else parts[:-1])])


def _room(module, package):
    return (module.removeprefix(package).removeprefix(".") or "__init__").split(".")[0]


def imported(module: str, path: Path) -> Iterator[str]:
    """The full names that a file imports; of `from a import b` both `a` and `a.b`, which may be a module.

    Args:
        module: The name of the file's module.
        path: The file.
    """
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from _imported_from(node, module, path)


def _imported_from(node, module, path):
    above = node.level - (path.name == "__init__.py")  # a package is its own first level
    base = module.split(".")[: -above or None] if node.level else []
    source = ".".join([*base, *([node.module] if node.module else [])])
    names = [f"{source}.{alias.name}" for alias in node.names]
    yield from names if "." not in source else [source, *names]


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """The knots of a graph: rooms that come back to each other by what they import, the largest first."""
    reached = {room: _reached(graph, room) for room in graph}
    knots = {frozenset(other for other in reached[room] if room in reached[other]) for room in graph}
    return sorted((set(knot) for knot in knots if knot), key=len, reverse=True)


def _reached(graph, room):
    found: set[str] = set()
    waiting = list(graph[room])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += graph[name]
    return found


def upwards(graph: dict[str, set[str]], floors) -> list[tuple[str, str]]:
    """The arrows (from, to) of a graph that do not lead downwards.

    Args:
        graph: As `imports` gives it.
        floors: All rooms, from the ground up.

    Raises:
        ValueError: If a room has no floor, or a floor no room.
    """
    if set(graph) != set(floors):
        raise ValueError(f"These are not both a room and a floor: {sorted(set(graph) ^ set(floors))}.")
    height = {room: number for number, room in enumerate(floors)}
    return [(a, b) for a, targets in graph.items() for b in sorted(targets) if height[a] <= height[b]]
