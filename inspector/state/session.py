"""What is open, chosen and pointed at; all views show it and listen for changes."""

from __future__ import annotations

import collections
import math
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from firekeras.channels.costs import cost_without, costs_without
from firekeras.channels.graph import ChannelGraph
from firekeras.export.boards import COMMON, Board, read_boards
from firekeras.scores.profile import FilterScores, FireProfile
from inspector.state import criteria
from inspector.state.checked import Checked
from inspector.state.choices import Choices
from inspector.state.comparison import Comparison, Mode
from inspector.state.device_table import NO_TABLE, DeviceTable
from inspector.state.documents import Document, check_same
from inspector.state.goals import Goal, goal_of
from inspector.state.opened import Measured, Opened
from inspector.state.peak import peak_layers
from inspector.state.planner import Missed, Preview
from inspector.state.rows import LayerRow
from inspector.state.sensitivity import Sensitivity
from inspector.state.timed import Timed
from inspector.state.weights import ModelWeights

BY_FIRE = "Networks are compared by FIRE. Choose FIRE in the list above the heatmap first."
DOCUMENT, CHOICES, CELL, PICTURE, LATENCY, BOARD = "document", "choices", "cell", "picture", "latency", "board"


class Session:
    """The state that all views show. They listen for changes and read from here.

    Attributes:
        document: The open `Document`, or `None`.
        opened: Its network: an `Opened` once its layers are known, a `Measured` once its FIRE is.
        choices: Ratio or goal, caps and locks.
        layer: The name of the layer that is pointed at, or `None`.
        filter: Its filter that is pointed at, or `None`.
        comparison: What the network is compared with: a `Comparison`, or `None` for its own plan.
        mode: The picture that the heatmap shows.
        timings: Each `Timed` of this network, the last one last.
        checks: Each `Checked` of this network, the last one last.
        sensitivity: How much each layer can lose by itself: a `Sensitivity`, or `None` if unknown.
        stretched: Whether all rows of the heatmap are as wide as the widest.
        boards: The `Board`s that can be chosen, by name.
        board: The `Board` that the network has to fit, or `None`.
        table: The `DeviceTable` that says how long layers take, or `None`.
        contrast: Whether the colours of FIRE are stretched over the scores that there are.
    """

    def __init__(self):
        self._listeners: dict[str, list[Callable[[], None]]] = collections.defaultdict(list)
        self.document: Document | None = None
        self.boards: dict[str, Board] = read_boards(COMMON)
        self.board: Board | None = None
        self.stretched = self.contrast = False
        self._begin(None, Choices())

    def _begin(self, opened: Opened | None, choices: Choices):
        """Replaces the network: nothing is pointed at, compared or timed yet."""
        self.opened, self.choices = opened, choices
        self.layer: str | None = None
        self.filter: int | None = None
        self.comparison: Comparison | None = None
        self._cut_of_other: Preview | None = None
        self._set_aside: tuple[Comparison, Mode] | None = None
        self.mode = Mode.BEFORE
        self.split = 0.0  # in "Before | after", the first column that shows the network afterwards; 0 for the middle
        self.timings: list[Timed] = []
        self.checks: list[Checked] = []
        self._by_ranking: dict[str, tuple[list[Timed], list[Checked]]] = {}
        self.sensitivity: Sensitivity | None = None
        self.table: DeviceTable | None = None
        self._at_peak: tuple[object, frozenset[str]] = (None, frozenset())

    def listen(self, what: str, listener: Callable[[], None]):
        """Calls a function whenever `DOCUMENT`, `CHOICES`, `CELL`, `PICTURE`, `LATENCY` or `BOARD` changes."""
        self._listeners[what].append(listener)

    def _tell(self, *what):
        for listener in [listener for kind in what for listener in self._listeners[kind]]:
            listener()

    # what is open

    def open(self, document: Document, *, keep_choices: bool = False):
        """Shows a document instead of the previous one.

        Args:
            document: What to show.
            keep_choices: Whether it is the same network, whose choices still hold. Those of another run begin with a
                ratio of 0, since an unrequested preview would contradict the result of the run.
        """
        choices = self.choices if keep_choices else Choices(ratio=0.0) if document.run else Choices()
        profile, table = document.profile, self.table if keep_choices else None
        measured = None if profile is None else self._measured(profile, choices, table)
        self.close()
        self.document = document
        self._begin(measured, choices)
        self.table = table
        self._tell(DOCUMENT, CHOICES, CELL)

    def _measured(self, profile, choices, table, scores=None):
        graph = table.on(profile.graph) if table is not None else None
        return Measured(profile, choices, stretched=self.stretched, scores=scores, graph=graph)

    def close(self):
        """Closes the open model's file."""
        if self.document is not None and self.document.weights is not None:
            self.document.weights.close()

    def show_structure(self, graph: ChannelGraph):
        """Shows the layers of a model that is not measured yet."""
        self.opened = Opened.unmeasured(self.table.on(graph) if self.table else graph)
        self._tell(DOCUMENT, CELL)

    def show_unscored(self, profile: FireProfile):
        """Shows a network whose FIRE is not to be had, or not known, ranked by the l1 norms of its filters."""
        by_l1 = criteria.known_at_once("l1", profile)
        self.opened = self._measured(profile, self.choices, self.table, by_l1)
        self._tell(DOCUMENT, CHOICES, CELL)

    def use_table(self, table: DeviceTable):
        """Makes latency known, as a table says, so that a goal can be a time.

        Raises:
            ValueError: If the table is of another network.
        """
        opened, measured = self.need_opened(), self.measured
        graph = table.on(opened.graph)
        if measured is None:
            self.opened = Opened.unmeasured(graph)
        else:
            self.opened = self._measured(measured.profile, self.choices, table, measured.scores)
        self.table = table
        self._cut_of_other = self._cut_by(self.comparison)
        self._tell(CHOICES, PICTURE, LATENCY)

    def attach_model(self, weights: ModelWeights):
        """Gives an open profile the model that it was measured on.

        Raises:
            ValueError: If it is another model.
        """
        document, profile = self.need_document(), self.need_measured().profile
        check_same(weights, profile, document.profile_path)
        self.document = Document(weights.path, weights.path, document.profile_path, profile, weights)
        self._tell(DOCUMENT, CELL)

    @property
    def measured(self) -> Measured | None:
        """The network if its FIRE is measured, else `None`."""
        return self.opened if isinstance(self.opened, Measured) else None

    @property
    def input_shape(self) -> tuple[int | None, ...] | None:
        """The shape of one image that the model takes; `None` if unknown."""
        weights = self.document.weights if self.document else None
        return weights.input_shape if weights else None

    @property
    def rows(self) -> list[LayerRow]:
        """A `LayerRow` for each layer with filters; none until the layers are known."""
        return self.opened.rows if self.opened else []

    @property
    def of_run(self) -> bool:
        """Whether a run is open: then its first network is shown, not its result."""
        return self.document is not None and self.document.run is not None

    def need_document(self) -> Document:
        """What is open; raises `ValueError` if nothing is."""
        if self.document is None:
            raise ValueError("Nothing is open. Open a model or a measurement first.")
        return self.document

    def need_model(self) -> Path:
        """The file of the open model; raises `ValueError` if there is none."""
        document = self.need_document()
        if document.model is None:
            raise ValueError(f"{document.name} has no model here, only a profile. Open its model (Ctrl+M) first.")
        return document.model

    def need_opened(self) -> Opened:
        """The network; raises `ValueError` if its layers are not known."""
        if self.opened is None:
            raise ValueError(f"The layers of {self.need_document().name} are still being read. Wait a moment.")
        return self.opened

    def need_measured(self) -> Measured:
        """The measured network; raises `ValueError` if it is not measured."""
        if self.measured is None:
            raise ValueError(f"{self.need_document().name} is not measured yet. Measure it (F5) first.")
        return self.measured

    # what is chosen

    def choose(self, choices: Choices):
        """Makes these the choices, and previews them."""
        self.choices = choices
        self._preview(lambda measured: measured.choose(choices))

    def reach(self, preview: Preview | None = None):
        """Previews the goal of the choices if it is pending.

        Args:
            preview: What their preview was found to be. Defaults to finding it here.
        """
        if self.pending:
            self._preview(lambda measured: measured.reach(preview))

    @property
    def pending(self) -> bool:
        """Whether the goal of the choices has yet to be reached."""
        return self.measured is not None and self.measured.pending

    def _preview(self, make):
        if self.measured is not None and self._previewed(self.measured, make):
            self.mode = Mode.BEFORE
            self._tell(PICTURE)
        self._tell(CHOICES)

    def _previewed(self, measured, make):
        """Previews choices, and returns whether they ask for another cut than the one that is shown."""
        before, hidden = measured.preview.gone, self.shows_other
        make(measured)
        after = measured.preview.gone
        return hidden and self.mode is not Mode.BEFORE and after.any() and not np.array_equal(before, after)

    def with_caps(self, names: Iterable[str], share: float | None) -> Choices:
        """The choices with another cap on these layers, and on those coupled with them."""
        return self.choices.with_caps(self.need_opened().together(names), share)

    def with_locks(self, names: Iterable[str], locked: bool) -> Choices:
        """The choices with these layers, and those coupled with them, locked or free."""
        return self.choices.with_locks(self.need_opened().together(names), locked)

    def goal_of(self, text: str) -> Goal:
        """The goal that a text stands for.

        Raises:
            ValueError: If it is none, or a cost of this network is unknown.
        """
        return self.checked_goal(goal_of(text, self.boards.values(), self.board))

    def checked_goal(self, goal: Goal) -> Goal:
        """The same goal.

        Raises:
            ValueError: If a cost of this network that it limits is unknown.
        """
        if "latency" in goal.target and self.table is None:
            raise ValueError(NO_TABLE)
        for measure in goal.target:
            cost_without(self.need_opened().graph, measure)
        return goal

    @property
    def missed(self) -> tuple[Missed, ...]:
        """The parts of the goal that are out of reach."""
        return self.measured.preview.missed if self.measured else ()

    @property
    def ratio(self) -> float:
        """The share of the filters which may go that is removed: what was chosen, or what a goal needs."""
        return self.measured.ratio if self.measured else self.choices.ratio

    def choose_board(self, board: Board | None):
        """Chooses the board that the network has to fit."""
        self.board = board
        self._tell(BOARD)

    def add_boards(self, path) -> list[Board]:
        """Offers the boards of a TOML file too, and returns them.

        Raises:
            ValueError: If it is no file of boards.
        """
        more = read_boards(Path(path))
        self.boards = {**self.boards, **more}
        self._tell(BOARD)
        return list(more.values())

    def add_timed(self, timed: Timed):
        """Remembers the measured latency of a cut of this network."""
        self.timings.append(timed)
        self._tell(LATENCY)

    @property
    def timed(self) -> Timed | None:
        """The last timing of the current choices, else the last of other choices, or `None`."""
        own = [timed for timed in self.timings if timed.choices == self.choices]
        return next(reversed(own or self.timings), None)

    def add_checked(self, checked: Checked):
        """Remembers the measured accuracy of a cut of this network."""
        self.checks.append(checked)
        self._tell(LATENCY)

    def forget_checks(self):
        """Forgets measured accuracies, as those on other data than cuts are judged on now."""
        self.checks = []
        self._by_ranking = {name: (timings, []) for name, (timings, _) in self._by_ranking.items()}
        self._tell(LATENCY)

    @property
    def checked(self) -> Checked | None:
        """The last check of the current choices, else the last of other choices, or `None`."""
        own = [checked for checked in self.checks if checked.choices == self.choices]
        return next(reversed(own or self.checks), None)

    def show_sensitivity(self, sensitivity: Sensitivity):
        """Shows how much each layer can lose by itself."""
        self.sensitivity = sensitivity
        self._tell(PICTURE)

    # by what filters are ranked

    @property
    def ranks_by_fire(self) -> bool:
        """Whether filters are ranked by the measured FIRE alone."""
        return self.measured is not None and self.measured.scores is self.measured.profile

    @property
    def has_fire(self) -> bool:
        """Whether FIRE of the network is known, or can be; not if no filter has a ReLU of its own."""
        profile = self.measured.profile if self.measured else None
        return profile is None or bool(profile.samples) or len(profile.reasons) < len(profile.graph.filter_layers)

    @property
    def lacks_fire(self) -> bool:
        """Whether FIRE of the network can be measured, and is not."""
        return self.has_fire and (self.measured is None or not self.measured.profile.samples)

    @property
    def can_compare(self) -> bool:
        """Whether FIRE of other networks can be shown beside that of this one, or neither has any."""
        return self.measured is not None and (self.ranks_by_fire or not self.has_fire)

    def can_show(self, comparison: Comparison) -> bool:
        """Whether a comparison can be shown: that of FIRE, or under any ranking, which filters went."""
        if self.can_compare or self.measured is None or comparison.by_rank:
            return self.can_compare
        return bool(comparison.gone.any())

    def rank_by(self, scores: FilterScores | None):
        """Ranks all filters by other scores of the network, and previews the choices again; `None` for FIRE.

        Comparisons of FIRE are set aside until filters are ranked by it again; which filters went is still shown.
        """
        if self.comparison is not None and self._set_aside is None:
            self._set_aside = (self.comparison, self.mode)
        before = self.need_measured().scores.criterion
        self.opened = self._measured(self.need_measured().profile, self.choices, self.table, scores)
        self._keep_measured_by(before, self.need_measured().scores.criterion)
        aside, self._set_aside = self._set_aside, None if self.can_compare else self._set_aside
        self.comparison, self.mode, self._cut_of_other = None, Mode.BEFORE, None
        self._tell(DOCUMENT, CHOICES, CELL)
        if aside is not None and self.can_show(aside[0]):
            self._compare(*aside)

    def _keep_measured_by(self, before, now):
        """Sets aside what was measured of cuts under one ranking, until filters are ranked by it again."""
        self._by_ranking[before] = (self.timings, self.checks)
        self.timings, self.checks = self._by_ranking.pop(now, ([], []))

    # what is shown

    def stretch_scale(self, contrast: bool):
        """Stretches the colours of FIRE over the scores that there are, or shows them from 0 to 1."""
        self.contrast = contrast
        self._tell(PICTURE)

    def stretch(self, stretched: bool):
        """Makes all rows of the heatmap fill its width, or each as wide as its layer."""
        self.stretched = stretched
        if self.measured is not None:
            self.measured.lay_out(stretched)
        self._tell(PICTURE)

    def compare(self, comparison: Comparison | None, mode: Mode):
        """Compares the open profile with another one; `None` for the plan.

        Raises:
            ValueError: If filters are ranked by other scores than FIRE, and nobody knows which of them went.
        """
        if comparison is not None and not self.can_show(comparison):
            raise ValueError(BY_FIRE)
        self._set_aside = None
        self._compare(comparison, mode)

    def _compare(self, comparison, mode):
        if comparison is not None and not self.can_compare:
            comparison = comparison.cuts(self.need_measured().planner.fire)
        unmeasured = comparison is not None and comparison.after is None and mode.of_fire_after
        self.comparison, self.mode = comparison, Mode.CUTS if unmeasured else mode
        self._cut_of_other = self._cut_by(comparison)
        self._tell(PICTURE, CELL)

    def _cut_by(self, comparison):
        """The cut that led to the compared network; `None` if only its widths are known.

        Which filters went may be unknown: then they are those that are assumed to be gone, and the figures are counted
        in the other network itself.
        """
        if comparison is None or self.measured is None:
            return None
        planner, gone = self.measured.planner, comparison.gone
        if not comparison.by_rank:
            return planner.cut(gone)
        if comparison.after is None:
            return None
        other = comparison.after.graph
        return Preview(np.zeros(planner.graph.num_units, bool), gone, other.widths, costs_without(other))

    def point_at(self, layer: str | None, filter: int | None = None):
        """Points at a layer, and at one of its filters."""
        if (layer, filter) != (self.layer, self.filter):
            self.layer, self.filter = layer, filter
            self._tell(CELL)

    def shows(self, comparison: Comparison | None) -> bool:
        """Whether this is what is compared with, and its figures are shown; or if there is none, that nothing is."""
        return self.comparison is comparison and (comparison is None or self.shows_other)

    @property
    def shows_other(self) -> bool:
        """Whether the figures are those of the compared network, and not of a preview of the choices.

        So it is in all pictures but that of the network before; in that one too if a run is open and no cut of its
        first network is asked for.
        """
        if self._cut_of_other is None:
            return False
        return self.mode is not Mode.BEFORE or (self.of_run and not self.need_measured().preview.num_gone)

    @property
    def cut(self) -> Preview:
        """The cut whose figures all views show: that of the compared network, or the preview of the choices."""
        other = self._cut_of_other if self.shows_other else None
        return other or self.need_measured().preview

    @property
    def at_peak(self) -> frozenset[str]:
        """The layers whose filters lie in RAM at its peak."""
        cut = self.cut if self.measured else None
        shown = cut or self.opened
        if self._at_peak[0] is not shown:
            other = self.comparison.after if cut is self._cut_of_other and self.comparison else None
            graph, units = (other.graph, None) if other else (self.need_opened().graph, cut.units if cut else None)
            self._at_peak = (shown, peak_layers(graph, units))
        return self._at_peak[1]

    @property
    def gone_afterwards(self) -> np.ndarray:
        """The filters that the compared network lacks, or that the plan removes, as a mask `(filters,)`."""
        measured = self.need_measured()
        return self.comparison.gone if self.comparison else measured.preview.gone

    @property
    def hatched(self) -> np.ndarray:
        """The filters that the heatmap marks: those of the plan, or those that the other network lost."""
        return self.gone_afterwards if self.mode is Mode.CUTS else self.cut.gone

    def mean_score(self, row: LayerRow) -> float:
        """The mean score of a layer's filters, in “After” of those left then; NaN if none has one."""
        comparison = self.comparison
        if self.mode is not Mode.AFTER or comparison is None or comparison.after is None:
            return row.fire
        scores = self.need_measured().of_layer(row.name, comparison.fire)
        known = scores[np.isfinite(scores)]
        return float(known.mean()) if known.size else math.nan

    def gone(self, layer: str, filter: int) -> bool:
        """Whether a filter is marked as one that goes."""
        return bool(self.hatched[self.need_measured().number(layer, filter)])

    def left(self, layer: str) -> int:
        """How many filters of a layer are not marked as ones that go."""
        return int(np.count_nonzero(~self.need_measured().of_layer(layer, self.hatched)))
