"""The state of the inspector and the decisions in it: what is open, chosen and pointed at. No Qt in here."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable

import numpy as np

from firekeras.channels.graph import ChannelGraph
from firekeras.costs import Costs, costs_without
from firekeras.profile import FireProfile
from inspector.state.cells import Cells, going_order
from inspector.state.choices import Choices
from inspector.state.comparison import Comparison, Mode
from inspector.state.documents import Document, check_same
from inspector.state.planner import Planner, Preview
from inspector.state.rows import LayerRow, layer_rows, unmeasured_rows
from inspector.state.timed import Timed
from inspector.state.weights import ModelWeights

DOCUMENT, CHOICES, CELL, PICTURE, LATENCY = "document", "choices", "cell", "picture", "latency"
FIRST_NETWORK = "the network that the run began with"


class Session:
    """What all views show. They are told when something changes, and read it from here.

    Attributes:
        document: What is open, or `None`.
        graph: Its `ChannelGraph`, or `None` as long as that is not known.
        costs: `Costs` of the whole network, as long as the graph is known.
        planner: Plans for it, or `None` where nothing is measured yet.
        choices: Ratio, caps and locks.
        preview: What they amount to, or `None`.
        rows: A `LayerRow` for each layer with filters.
        cells: Where each filter lies in the heatmap, or `None`.
        layer: The name of the layer that is pointed at, or `None`.
        filter: Its filter that is pointed at, or `None`.
        comparison: What the network is compared with: a `Comparison`, or `None` for its own plan.
        mode: What the heatmap shows.
        timings: Each `Timed` of this network, the last one last.
    """

    def __init__(self):
        self._listeners = collections.defaultdict(list)
        self.document: Document = None  # type: ignore[assignment]  # what must be open is checked where actions are allowed
        self._forget()
        self.stretched = False

    def _forget(self):
        self.graph: ChannelGraph = None  # type: ignore[assignment]  # until a profile or a child has told it
        self.costs: Costs = None  # type: ignore[assignment]
        self.planner: Planner = None  # type: ignore[assignment]  # until something is measured, as are the next
        self.choices = Choices()
        self.preview: Preview = None  # type: ignore[assignment]
        self.rows: list[LayerRow] = []
        self.cells: Cells = None  # type: ignore[assignment]
        self.layer: str = None  # type: ignore[assignment]  # until somebody points at one
        self.filter: int = None  # type: ignore[assignment]
        self._row_of: dict[str, int] = {}
        self.comparison: Comparison = None  # type: ignore[assignment]
        self.mode = Mode.BEFORE
        self.timings: list[Timed] = []

    def listen(self, what: str, listener: Callable[[], None]):
        """Has a function called whenever `DOCUMENT`, `CHOICES`, `CELL`, `PICTURE` or `LATENCY` changes."""
        self._listeners[what].append(listener)

    def _tell(self, *what):
        for listener in [one for kind in what for one in self._listeners[kind]]:
            listener()

    def open(self, document: Document, *, keep_choices: bool = False):
        """Shows a document, in place of the one before.

        Args:
            document: What to show.
            keep_choices: Whether it is the same network, whose choices still hold; else they begin anew. Those of a
                run begin with a ratio of 0: a preview that nobody asked for would contradict what the run came to.
        """
        choices = self.choices if keep_choices else Choices(ratio=0.0) if document.run else Choices()
        if self.document is not None and self.document.weights is not None:
            self.document.weights.close()
        self.document = document
        self._forget()
        self.choices = choices
        if document.profile is not None:
            self._plan(document.profile)
        self._tell(DOCUMENT, CHOICES, CELL)

    def _plan(self, profile):
        self.planner = Planner(profile.graph, profile)
        self.graph, self.costs = profile.graph, self.planner.costs
        self._take_rows(layer_rows(profile.graph, profile, self.planner.costs, self.planner.prunable))
        self._lay_out()
        self.preview = self.planner.preview(self.choices)

    def _take_rows(self, rows):
        self.rows = rows
        self._row_of = {row.name: number for number, row in enumerate(rows)}

    def show_structure(self, graph: ChannelGraph):
        """Shows the layers of a model that is not measured yet."""
        self.graph, self.costs = graph, costs_without(graph)
        self._take_rows(unmeasured_rows(graph, self.costs))
        self._tell(DOCUMENT, CELL)

    def _lay_out(self):
        planner = self.planner
        order = going_order(planner.starts, planner.places, planner.fire)
        self.cells = Cells.of(planner.starts, order, stretched=self.stretched)

    def attach_model(self, weights: ModelWeights):
        """Gives an open profile the model that it was measured on.

        Raises:
            ValueError: If it is another model.
        """
        document = self.document
        check_same(weights, self.profile, document.profile_path)
        self.document = Document(weights.path, weights.path, document.profile_path, document.profile, weights)
        self._tell(DOCUMENT, CELL)

    @property
    def profile(self) -> FireProfile:
        """The measured FIRE, where there is a planner."""
        return self.document.profile if self.document else None  # type: ignore[return-value]

    def stretch(self, stretched: bool):
        """Has all rows of the heatmap fill its width, or each be as wide as its layer."""
        self.stretched = stretched
        if self.planner is not None:
            self._lay_out()
        self._tell(PICTURE)

    def compare(self, comparison: Comparison | None, mode: Mode):
        """Lays another profile over the one that is open, or the plan where that is `None`."""
        self.comparison, self.mode = comparison, mode  # type: ignore[assignment]
        self._tell(PICTURE, CELL)

    def choose(self, choices: Choices):
        """Makes these the choices, and previews them."""
        self.choices = choices
        if self.planner is not None:
            self.preview = self.planner.preview(choices)
        self._tell(CHOICES)

    def add_timed(self, timed: Timed):
        """Remembers what a cut of this network was measured to take."""
        self.timings.append(timed)
        self._tell(LATENCY)

    @property
    def timed(self) -> Timed | None:
        """The last timing of the present choices; without any the last one of others, `None` where there is none."""
        own = [one for one in self.timings if one.choices == self.choices]
        found = own or self.timings
        return found[-1] if found else None

    def point_at(self, layer: str | None, filter: int | None = None):
        """Points at a layer, and at one of its filters."""
        if (layer, filter) != (self.layer, self.filter):
            self.layer, self.filter = layer, filter  # type: ignore[assignment]
            self._tell(CELL)

    def row_of(self, layer: str) -> int:
        """Which row a layer has."""
        return self._row_of[layer]

    def together(self, names: Iterable[str]) -> list[str]:
        """These layers and all that share filters with them: one cap is for all of these."""
        wanted = set(names)
        return [one for group in self.graph.groups if wanted & set(group) for one in group]

    def with_caps(self, names, share: float | None) -> Choices:
        """The choices with another cap on these layers, and on those coupled with them."""
        return self.choices.with_caps(self.together(names), share)

    def with_locks(self, names, locked: bool) -> Choices:
        """The choices with these layers, and those coupled with them, locked or free."""
        return self.choices.with_locks(self.together(names), locked)

    def gone(self, layer: str, filter: int) -> bool:
        """Whether a filter is marked as one that goes."""
        return bool(self.hatched[self.planner.starts[self.row_of(layer)] + filter])

    @property
    def gone_afterwards(self) -> np.ndarray:
        """The filters that are not in the network that is compared, or not left by the plan, a mask `(filters,)`."""
        return self.comparison.gone(self.planner.fire) if self.comparison else self.preview.gone

    @property
    def hatched(self) -> np.ndarray:
        """The filters that the heatmap marks: those of the plan, or those that the other network lost."""
        return self.gone_afterwards if self.mode is Mode.CUTS else self.preview.gone

    def place(self, layer: str, filter: int) -> int:
        """The place of a filter in the order in which filters go, from 1; 0 for none."""
        return int(self.planner.places[self.planner.starts[self.row_of(layer)] + filter])

    def readout(self, layer: str, filter: int) -> str:
        """A filter in one line."""
        fire = self.profile[layer][filter]
        score = "no FIRE" if fire != fire else f"FIRE {fire:.3f}"
        place = self.place(layer, filter)
        rank = f"rank {place} of {self.planner.ranked}" if place else "not ranked"
        goes, stays = ("went", "is left") if self.mode is Mode.CUTS else ("goes", "stays")
        return f"{layer}, filter {filter}: {score}, {rank}, {goes if self.gone(layer, filter) else stays}"

    def cell_in_words(self) -> str:
        """What is pointed at, in one line; empty for nothing."""
        if self.layer is None:
            return ""
        return self.why_layer(self.layer) if self.filter is None else self.readout(self.layer, self.filter)

    def why_layer(self, layer: str) -> str:
        """Why a layer loses what it loses, or nothing."""
        row = self.rows[self.row_of(layer)]
        if row.locked:
            return f"{layer} keeps all {row.filters} filters: {row.locked}."
        if layer in self.choices.locked:
            return f"{layer} keeps all {row.filters} filters: you locked it."
        cap = self.choices.caps.get(layer)
        limit = "" if cap is None else f"; its cap lets at most {cap:.0%} go"
        coupled = f"; it loses filters only together with {_some(row.partners)}" if row.partners else ""
        if self.planner is None:
            return f"{layer} has {row.filters} filters{limit}{coupled}. It is not measured yet: F5 measures it."
        return f"{layer} keeps {self.preview.widths[layer]} of {row.filters} filters{limit}{coupled}."

    def reasons(self, layer: str, filter: int | None = None) -> list[str]:
        """Where that is shown, what became of a filter and its layer; else why they go or stay in the preview."""
        if self.comparison and self.mode is Mode.CUTS:
            return self._what_went(layer, filter)
        preview = [f"Preview on {FIRST_NETWORK}."] if self.document.run else []
        of_filter = [] if filter is None else [self.why_filter(layer, filter)]
        return [*preview, *of_filter, self.why_layer(layer)]

    def _what_went(self, layer, filter):
        went = "" if filter is None else f"it {'went' if self.gone(layer, filter) else 'is left'}; "
        row = self.rows[self.row_of(layer)]
        if row.locked:
            return [self.why_layer(layer)]
        return [f"{self.comparison.name}: {went}{layer} has {self.left(layer)} of {row.filters} filters left."]

    def left(self, layer: str) -> int:
        """How many filters of a layer are not marked as ones that go."""
        row = self.row_of(layer)
        marked = self.hatched[self.planner.starts[row] : self.planner.starts[row + 1]]
        return int(np.count_nonzero(~marked))

    def why_filter(self, layer: str, filter: int) -> str:
        """Why a filter goes or stays, in one sentence of the plan."""
        return self.planner.plan(self.choices).explain(layer, filter)


def _some(names, most=3):
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
