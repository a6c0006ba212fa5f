"""`.fire.h5` files: a profile with its graph, in HDF5. No pickle; damaged files are refused with the reason."""

from __future__ import annotations

import json

import h5py
import numpy as np

from firekeras.atomic import whole_file
from firekeras.channels.graph import ChannelGraph
from firekeras.paths import existing_file
from firekeras.scores.profile import FireProfile

FORMAT, VERSION = "firekeras.fire", 2
READABLE = (1, VERSION)  # 1: layers without where their filters lie, and how often they are called


def save(profile: FireProfile, path):
    """Writes a profile, whole or not at all."""
    with whole_file(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs.update(
            format=FORMAT,
            version=VERSION,
            fingerprint=profile.graph.fingerprint,
            samples=profile.samples,
            mode=profile.mode,
            date=profile.date,
        )
        file["graph"] = json.dumps(profile.graph.to_dict())
        for number, name in enumerate(profile):
            _save_layer(file.create_group(f"layers/{number:05d}"), profile, name)


def _save_layer(group, profile, name):
    group.attrs["name"] = name  # a path may contain slashes, which mean groups in HDF5
    group.attrs["reason"] = profile.reasons.get(name, "")
    group["fire"] = profile[name]
    group["zeros"] = profile.zeros[name]
    group["seen"] = profile.seen[name]
    group["features"] = profile.features[name]
    if name in profile.maps:
        group.create_dataset("map", data=profile.maps[name], compression="gzip", chunks=_one_filter(profile.maps[name]))


def _one_filter(maps):
    return (1, *maps.shape[1:])


def load(path) -> FireProfile:
    """Reads a profile."""
    existing_file(path)
    try:
        with h5py.File(path, "r") as file:
            _check_header(file, path)
            return _read(file)
    except (OSError, KeyError, TypeError, RuntimeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{path} is not a whole .fire.h5 file: {error}. If it was truncated while copying, copy it again; else "
            "measure again with measure_fire(...).save(...)."
        ) from error


def _check_header(file, path):
    if file.attrs.get("format") != FORMAT:
        raise ValueError(
            f"{path} is an HDF5 file, but not a FIRE profile. Expected a file that FireProfile.save wrote."
        )
    if int(file.attrs["version"]) not in READABLE:
        raise ValueError(
            f"{path} is of version {file.attrs['version']}; this firekeras reads versions up to {VERSION}. Measure "
            "again, or use the firekeras that wrote it."
        )


def _read(file):
    groups = [file["layers"][key] for key in sorted(file["layers"])]
    named = {str(group.attrs["name"]): group for group in groups}

    def arrays(key):
        return {name: np.asarray(group[key]) for name, group in named.items()}

    return FireProfile(
        arrays("zeros"),
        arrays("seen"),
        samples=int(file.attrs["samples"]),
        features=arrays("features"),
        graph=ChannelGraph.from_dict(json.loads(file["graph"][()])),
        reasons={name: str(group.attrs["reason"]) for name, group in named.items() if group.attrs["reason"]},
        maps={name: np.asarray(group["map"]) for name, group in named.items() if "map" in group},
        mode=str(file.attrs["mode"]),
        date=str(file.attrs["date"]),
    )
