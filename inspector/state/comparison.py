"""Before and after, filter by filter: the open profile compared with another one of the same network."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any

import numpy as np

from firekeras.scores.profile import FireProfile


class Mode(enum.Enum):
    """The picture that the heatmap and the maps show."""

    BEFORE = "Before"
    AFTER = "After"
    DIFFERENCE = "After - before"
    SPLIT = "Before | after"
    CUTS = "Removed filters"

    @property
    def compares(self) -> bool:
        """Whether it needs a network to compare with."""
        return self in (Mode.DIFFERENCE, Mode.CUTS)

    @property
    def of_fire_after(self) -> bool:
        """Whether it shows FIRE of the network afterwards."""
        return self in (Mode.AFTER, Mode.DIFFERENCE, Mode.SPLIT)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What happened to each filter.

    Args:
        name: The name of the other network.
        after: The other `FireProfile`; `None` if only widths are known.
        filters: The index of each layer's filters afterwards, -1 for those that went,
            `(filters,)`; only for layers whose filters can be matched.
        fire: The score that each filter has afterwards, over all layers, NaN for none, `(filters,)`.
        gone: The filters that went, as far as is known, over all layers, a mask `(filters,)`.
        by_rank: Layers for which it is unknown which filters went: their scores are compared in order.
        unscored: How many of these have no FIRE by which to order their filters.
    """

    name: str
    after: FireProfile | None
    filters: dict[str, np.ndarray]
    fire: np.ndarray
    gone: np.ndarray
    by_rank: tuple[str, ...] = ()
    unscored: int = 0

    @classmethod
    def of(cls, before: FireProfile, after: FireProfile, name: str, removed: Mapping | None = None) -> Comparison:
        """Compares two profiles.

        Args:
            before: The open profile.
            after: The other profile, of the same network or of one that was cut from it.
            name: The name to show.
            removed: The filters that layers lost, if known.

        Raises:
            ValueError: If the other is of a network that cannot have come from this one.
        """
        widths, later = before.graph.widths, after.graph.widths
        _check_came_from(widths, later, name)
        filters = {}
        for layer, width in widths.items():
            kept = np.setdiff1d(np.arange(width), (removed or {}).get(layer, ()))
            if kept.size == later[layer]:
                filters[layer] = _renumbered(width, kept)
        fire = [_later_fire(before, after, layer, filters.get(layer)) for layer in widths]
        return cls(name, after, filters, np.concatenate(fire), **_lost(before, later, filters))

    @classmethod
    def of_cuts(cls, before: FireProfile, removed: Mapping, name: str) -> Comparison:
        """Compares a profile with a network that was cut from its own, if only the cuts are known.

        Args:
            before: The profile.
            removed: The filters that layers lost.
            name: The name to show.
        """
        widths = before.graph.widths
        kept = {layer: np.setdiff1d(np.arange(width), removed.get(layer, ())) for layer, width in widths.items()}
        filters = {layer: _renumbered(width, kept[layer]) for layer, width in widths.items()}
        fire = [np.where(filters[n] >= 0, before.get(n, np.full(w, np.nan)), np.nan) for n, w in widths.items()]
        later = {layer: each.size for layer, each in kept.items()}
        return cls(name, None, filters, np.concatenate(fire), **_lost(before, later, filters))

    @classmethod
    def of_widths(cls, before: FireProfile, widths: Mapping[str, int], name: str) -> Comparison:
        """Compares a profile with a network whose widths alone are known, assuming that filters of high FIRE are gone.

        Args:
            before: The profile.
            widths: How many filters each layer has afterwards.
            name: The name to show.

        Raises:
            ValueError: As `of` does.
        """
        _check_came_from(before.graph.widths, widths, name)
        whole = {layer: np.arange(width) for layer, width in before.graph.widths.items() if widths[layer] == width}
        lost = _lost(before, widths, whole)
        fire = np.concatenate([_scores(before, layer) for layer in before.graph.widths])
        return cls(name, None, {}, np.where(lost["gone"], np.nan, fire), **lost)

    def cuts(self, scores: np.ndarray) -> Comparison:
        """The same cuts of filters that other scores rank; FIRE afterwards is left out.

        Args:
            scores: The score of each filter before, `(filters,)`.
        """
        return dataclasses.replace(self, after=None, fire=np.where(self.gone, np.nan, scores))

    def filter_after(self, layer: str, filter: int) -> int | None:
        """The index of a filter afterwards; `None` if it was removed, or is unknown."""
        number = int(self.filters[layer][filter]) if layer in self.filters else -1
        return None if number < 0 else number

    @property
    def note(self) -> str:
        """A note that the reader should see."""
        if not self.by_rank:
            return f"After is {self.name}, compared filter by filter."
        ordered, unscored = _layers(len(self.by_rank) - self.unscored), _layers(self.unscored)
        by_fire = (
            f"in {ordered} the filters of highest FIRE are assumed to be gone, and the others are compared in order of "
            "FIRE"
        )
        by_place = f"in {unscored} without FIRE the last filters are assumed to be gone"
        parts = [by_fire] * (len(self.by_rank) > self.unscored) + [by_place] * bool(self.unscored)
        return f"After is {self.name}. It does not record which filters went: {'; '.join(parts)}."


def _check_came_from(widths, later, name):
    strange = [layer for layer in widths if layer not in later or later[layer] > widths[layer]]
    if strange or later.keys() - widths.keys():
        layer = (strange or sorted(later.keys() - widths.keys()))[0]
        raise ValueError(
            f"{name} is from another network: they differ in layer {layer!r}. Compare profiles of one network, "
            "before and after it was cut or trained."
        )


def _renumbered(width, kept):
    numbers = np.full(width, -1)
    numbers[kept] = np.arange(kept.size)
    return numbers


def _layers(number):
    return "1 layer" if number == 1 else f"{number} layers"


def _scores(before, layer):
    return before.get(layer, np.full(before.graph.widths[layer], np.nan))


def _lost(before, later, filters) -> dict[str, Any]:
    """Which filters went: as the numbers of the others say; if there are none, those of highest FIRE, or the last."""
    gone, unknown = [], []
    for layer, width in before.graph.widths.items():
        if layer in filters:
            gone.append(filters[layer] < 0)
            continue
        unknown.append(layer)
        went = np.ones(width, bool)
        went[np.argsort(_scores(before, layer), kind="stable")[: later[layer]]] = False
        gone.append(went)
    unscored = sum(bool(np.isnan(_scores(before, layer)).all()) for layer in unknown)
    return {"gone": np.concatenate(gone), "by_rank": tuple(unknown), "unscored": unscored}


def _later_fire(before, after, layer, numbers):
    later = after.get(layer, np.full(after.graph.widths[layer], np.nan))
    if numbers is not None:
        return np.where(numbers >= 0, np.append(later, np.nan)[numbers], np.nan) if later.size else numbers * np.nan
    order = np.argsort(_scores(before, layer), kind="stable")  # ascending, NaN last
    fire = np.full(order.size, np.nan)
    fire[order[: later.size]] = np.sort(later)
    return fire
