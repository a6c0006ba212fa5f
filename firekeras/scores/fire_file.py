"""`.fire.h5` files: a profile with its graph, in HDF5. No pickle, no links; what is damaged or impossible is refused.

How a stranger's file is read, and why without HDF5's own library, is said in `firekeras.hdf5`. What it says is checked
here: types and shapes, counts within what was seen, layers that the graph has, and the graph by its own schema.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated, Literal

import numpy as np

from firekeras import hdf5
from firekeras.channels.graph import ChannelGraph
from firekeras.scores.detector.features import FEATURES
from firekeras.scores.profile import FireProfile, inactive_rate
from firekeras.strict_json import Meta, Positive, convert

FORMAT, VERSION = "firekeras.fire", 3
READABLE = (1, 2, VERSION)  # 1: layers without where their filters lie, and how often they are called
SEALED = 3  # the version from which on files end in a checksum
COLUMNS = {len(names) for names in FEATURES.values()}
ROUNDING = 1e-6  # of the shares in a map, which are float32

ADVICE = (
    "If it was cut off or damaged while copying, copy it again; else measure again with measure_fire(...).save(...)."
)


@dataclasses.dataclass
class Header:
    """The attributes of a file."""

    version: int
    fingerprint: str
    samples: Positive
    mode: Literal["inference", "training"]
    date: Annotated[str, Meta(max_length=64)]


def save(profile: FireProfile, path):
    """Writes a profile, whole or not at all."""
    hdf5.write(path, lambda file, compression: _fill(file, profile, compression))


def _fill(file, profile, compression):
    header = Header(VERSION, profile.graph.fingerprint, profile.samples, profile.mode, profile.date)
    file.attrs.update(format=FORMAT, **dataclasses.asdict(header))
    file["graph"] = json.dumps(profile.graph.to_dict())
    for number, name in enumerate(profile):
        _save_layer(file.create_group(f"layers/{number:05d}"), profile, name, compression)


def _save_layer(group, profile, name, compression):
    group.attrs["name"] = name  # a path may contain slashes, which mean groups in HDF5
    group.attrs["reason"] = profile.reasons.get(name, "")
    group["fire"] = profile[name]
    group["zeros"] = profile.zeros[name]
    group["seen"] = profile.seen[name]
    group["features"] = profile.features[name]
    if name in profile.maps:
        chunks = (1, *profile.maps[name].shape[1:])
        group.create_dataset("map", data=profile.maps[name], compression=compression, chunks=chunks)


def load(path) -> FireProfile:
    """Reads a profile."""
    with hdf5.refused(path, "a whole .fire.h5 file", ADVICE):
        root, sealed = hdf5.read(path)
        _check_format(root.attributes, path)
        header = convert(root.attributes, Header, f"The header of {path}", "whole", ADVICE)
        if header.version >= SEALED:
            hdf5.check_sealed(sealed)
        return _profile(header, root, path)


def _check_format(attributes, path):
    if attributes.get("format") != FORMAT:
        raise ValueError(
            f"{path} is an HDF5 file, but not a FIRE profile. Expected a file that FireProfile.save wrote."
        )
    if attributes.get("version") not in READABLE:
        raise ValueError(
            f"{path} is of version {attributes.get('version')}; this firekeras reads versions up to {VERSION}. Measure "
            "again, or use the firekeras that wrote it."
        )


def _profile(header, root, path):
    graph = ChannelGraph.from_json(root.need("graph", str), f"The graph in {path}", ADVICE)
    if graph.fingerprint != header.fingerprint:
        raise hdf5.DamagedError("its graph is not the one that it was written with")
    layers = _layers(root.need("layers", hdf5.Node).members, graph)

    def arrays(part):
        return {name: layer[part] for name, layer in layers.items() if part in layer}

    return FireProfile(
        arrays("zeros"),
        arrays("seen"),
        samples=header.samples,
        features=arrays("features"),
        graph=graph,
        reasons={name: layer["reason"] for name, layer in layers.items() if layer["reason"]},
        maps=arrays("map"),
        mode=header.mode,
        date=header.date,
    )


def _layers(nodes, graph):
    layers: dict[str, dict] = {}
    widths = graph.widths
    for key in sorted(nodes):
        node = nodes[key]
        name = node.need("name", str) if isinstance(node, hdf5.Node) else key
        if name in layers or name not in widths:
            raise hdf5.DamagedError(f"its layer {name!r} is there twice, or is not in its graph")
        try:
            layers[name] = _layer(node, widths[name])
        except ValueError as error:
            raise hdf5.DamagedError(f"in its layer {name!r}, {error}") from error
    return layers


def _layer(node, width):
    layer = {part: node.array(part, "int64", (width,)) for part in ("zeros", "seen")}
    layer["features"] = node.array("features", "float64", (width, None))
    layer["reason"] = node.need("reason", str)
    if "map" in node.members:
        layer["map"] = node.array("map", "float32")
    wrong = next((why for fits, why in _rules(layer, width, node.array("fire", "float64", (width,))) if not fits), None)
    if wrong:
        raise hdf5.DamagedError(wrong)
    return layer


def _rules(layer, width, fire):
    """Yields (whether it holds, what is wrong if not)."""
    zeros, seen, features, maps = (layer.get(part) for part in ("zeros", "seen", "features", "map"))
    yield bool((zeros >= 0).all() and (zeros <= seen).all()), "more zeros are counted than outputs were seen"
    yield np.array_equal(fire, inactive_rate(zeros, seen), equal_nan=True), "FIRE is not what the counts give"
    yield features.shape[1] in COLUMNS, f"'features' has {features.shape[1]} columns. Expected one of {sorted(COLUMNS)}"
    yield bool(np.isfinite(features).all()), "'features' holds numbers that are not finite"
    if maps is not None:
        whole = maps.ndim and len(maps) == width and maps.size
        yield bool(whole), f"'map' is of shape {maps.shape}. Expected {width} filters first, and outputs of each"
        yield bool(((maps >= 0) & (maps <= 1 + ROUNDING)).all()), "'map' holds shares out of the range from 0 to 1"
