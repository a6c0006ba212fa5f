"""A network whose layers are known, and one whose FIRE is measured too, with everything derived from these."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from firekeras.channels.costs import Costs, costs_without
from firekeras.channels.graph import ChannelGraph
from firekeras.plan.planning import PruningPlan
from firekeras.scores.profile import FilterScores, FireProfile
from inspector.state.cells import Cells, going_order
from inspector.state.choices import Choices
from inspector.state.planner import Planner, Preview
from inspector.state.rows import LayerRow, layer_rows, unmeasured_rows


class Opened:
    """A network whose layers are known.

    Args:
        graph: Its `ChannelGraph`.
        costs: `Costs` of the whole network.
        rows: A `LayerRow` for each layer with filters, in the order of `graph.filter_layers`.
    """

    def __init__(self, graph: ChannelGraph, costs: Costs, rows: list[LayerRow]):
        self.graph, self.costs, self.rows = graph, costs, rows
        self._row_of = {row.name: number for number, row in enumerate(rows)}

    @classmethod
    def unmeasured(cls, graph: ChannelGraph) -> Opened:
        """The network of a graph that has not been measured yet."""
        costs = costs_without(graph)
        return cls(graph, costs, unmeasured_rows(graph, costs))

    def row_of(self, layer: str) -> int:
        """The index of a layer's row."""
        return self._row_of[layer]

    def row(self, layer: str) -> LayerRow:
        """The row of a layer."""
        return self.rows[self._row_of[layer]]

    def is_locked(self, layer: str) -> bool:
        """Whether all filters of a layer must stay, whatever their scores."""
        return all(unit in self.graph.locks for unit in self.graph.filters(layer).tolist())

    def together(self, names: Iterable[str]) -> list[str]:
        """These layers and all that share filters with them, which share one cap."""
        wanted = set(names)
        return [name for group in self.graph.groups if wanted & set(group) for name in group]


class Measured(Opened):
    """A network whose FIRE is measured, with a preview of choices and a position in the heatmap for each filter.

    Args:
        profile: The `FireProfile`.
        choices: The first choices to preview.
        stretched: Whether all rows of the heatmap are as wide as the widest.
        scores: Other `FilterScores` of the same network to rank by. Defaults to the profile.
        graph: The graph of the profile with the times of its layers. Defaults to that without times.

    Attributes:
        planner: The `Planner` of the network.
        preview: The `Preview` of the choices; while a goal is pending, of the ratio that the last one came to.
        pending: Whether the goal of the choices has yet to be reached.
        cells: The position of each filter in the heatmap.
    """

    def __init__(
        self,
        profile: FireProfile,
        choices: Choices,
        *,
        stretched: bool,
        scores: FilterScores | None = None,
        graph: ChannelGraph | None = None,
    ):
        self.profile, self.scores = profile, profile if scores is None else scores
        self.planner = Planner(profile.graph if graph is None else graph, self.scores)
        costs, graph = self.planner.costs, self.planner.graph
        super().__init__(graph, costs, layer_rows(graph, self.scores, costs, self.planner.prunable))
        self.cells: Cells
        self.preview: Preview
        self.choices: Choices
        self.pending: bool
        self.lay_out(stretched)
        self._begin(choices, choices.ratio)

    def lay_out(self, stretched: bool):
        """Arranges the filters in the heatmap."""
        planner = self.planner
        order = going_order(planner.starts, planner.places, planner.fire)
        self.cells = Cells.of(planner.starts, order, stretched=stretched)

    def choose(self, choices: Choices):
        """Previews choices. A goal takes longer to reach than a frame lasts: it is pending until `reach`."""
        self._begin(choices, self.ratio)

    def _begin(self, choices, ratio):
        self.choices, self.pending = choices, choices.goal is not None
        self.preview = self.planner.preview(choices.with_ratio(ratio) if self.pending else choices)

    def reach(self, preview: Preview | None = None):
        """Previews the choices, to their goal if they have one.

        Args:
            preview: What their preview was found to be. Defaults to finding it here.
        """
        self.preview, self.pending = preview or self.planner.preview(self.choices), False

    @property
    def ratio(self) -> float:
        """The share of the filters which may go that the preview removes: what was chosen, or what a goal needs."""
        if self.choices.goal is None:
            return self.choices.ratio
        return self.planner.share(self.preview, self.choices)

    def plan(self, choices: Choices) -> PruningPlan:
        """The preview as a plan, which has a reason for each filter."""
        return self.planner.plan(choices)

    def number(self, layer: str, filter: int) -> int:
        """The index of a filter over all layers."""
        return int(self.planner.starts[self.row_of(layer)]) + filter

    def place(self, layer: str, filter: int) -> int:
        """The rank of a filter in the order of removal, from 1; 0 for none."""
        return int(self.places[self.number(layer, filter)])

    @property
    def places(self) -> np.ndarray:
        """The rank of each filter in the order of removal, from 1; 0 for none, `(filters,)`."""
        return self._ranks[0]

    @property
    def ranked(self) -> int:
        """The number of filters with a rank."""
        return self._ranks[1]

    @property
    def _ranks(self):
        return self.preview.ranks or self.planner.places_under(self.choices)

    def of_layer(self, layer: str, values: np.ndarray) -> np.ndarray:
        """The part of an array `(filters,)` over all layers that belongs to one of them."""
        row = self.row_of(layer)
        return values[self.planner.starts[row] : self.planner.starts[row + 1]]
