"""Why each filter goes or stays, as sentences."""

from __future__ import annotations

import numpy as np

from firekeras.plan.selection import Selection
from firekeras.refusals import listed


class Verdicts:
    """What there is to say of a selection.

    Args:
        selection: The `Selection`.
    """

    def __init__(self, selection: Selection):
        self.selection, self.ranking, self.graph = selection, selection.ranking, selection.graph
        self.gone, self.num_gone, self.why = selection.gone, selection.num_gone, selection.why

    def by_unit(self) -> tuple[list[str], np.ndarray]:
        """The sentences that explain, and for each unit the index of its own, `(num_units,)`."""
        sentences = [f"{self.num_gone} others go before it", f"{self.num_gone} go"]
        verdicts = self.gone.astype("int64")  # true of most; the others are told one by one
        index = {sentence: k for k, sentence in enumerate(sentences)}
        for unit in self._told_one_by_one():
            verdicts[unit] = index.setdefault(self._sentence(unit), len(index))
        return list(index), verdicts

    def _told_one_by_one(self):
        coupled = self.gone & (self.graph.unit_sizes > 1)
        units = np.flatnonzero(coupled | ~self.ranking.prunable).tolist()
        return [*units, *self.why, *self.ranking.ragged]

    def _sentence(self, unit):
        """The end of a sentence that begins with "Filter 3 of conv1 goes: " or "stays: "."""
        if self.gone[unit]:
            return f"{self.num_gone} go{self._partners(unit)}"
        if unit in self.graph.locks:
            return self.graph.locks[unit]
        if self.ranking.idle[unit]:
            return f"its removal would save no {self.ranking.saves}, which this plan is for"
        if not self.ranking.prunable[unit]:
            return self._unscored(unit)
        if unit in self.ranking.ragged:
            return self.ranking.ragged[unit]
        return self.why.get(unit, f"{self.num_gone} others go before it")

    def _layers_of(self, unit):
        return [self.graph.filter_layers[layer] for layer, _ in self.graph.held_in[unit]]

    def _partners(self, unit):
        layers = self._layers_of(unit)
        return f"; with it goes the rest of its group, in {listed(layers)}" if len(layers) > 1 else ""

    def _unscored(self, unit):
        layers, source = self._layers_of(unit), self.ranking.source
        reasons = [f"in {name} {source.reasons[name]}" for name in layers if name in source.reasons]
        where = "it only goes together with filters of other layers, and " if len(layers) > 1 else ""
        why = f", since {reasons[0]}" if reasons else ""
        return f"{where}it has no {source.criterion} score{why}"

    def notes(self) -> list[str]:
        """Why nothing goes, where something was to go."""
        if self.gone.any() or not self.selection.budget:
            return []
        if not self.ranking.filters:
            reasons = list(dict.fromkeys(self._sentence(u) for u in range(self.graph.num_units)))
            return [f"Nothing goes, because no filter may: {'; '.join(reasons[:3]) or self.graph.why_none()}."]
        why = list(dict.fromkeys([*self.why.values(), *self.ranking.ragged.values()]))
        return [f"Nothing goes, because of every filter that may: {'; '.join(why[:3])}."]
