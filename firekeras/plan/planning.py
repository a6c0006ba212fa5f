"""Scores and limits in, a plan out: which filters are removed. Pure arithmetic: no data, no model run."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from firekeras.arguments import short, typed
from firekeras.channels.costs import COSTS, Costs, cost_without, costs_without, estimated_note
from firekeras.channels.graph import ChannelGraph
from firekeras.channels.latency_table import LatencyTable
from firekeras.plan import plan_file
from firekeras.plan.caps import resolve_caps, without_uncapped
from firekeras.plan.goals import checked_target, goals_of, meant_cost
from firekeras.plan.plan_file import FloatArrays, IntArrays
from firekeras.plan.reaching import Reaching
from firekeras.plan.selection import Limits, Ranking, Selection, selected_at_once
from firekeras.plan.summary import how_balanced, in_one_line, summary
from firekeras.plan.verdicts import Verdicts
from firekeras.plan.widening import widened_because
from firekeras.refusals import check_one_of, check_share, checked_whole, suggestion
from firekeras.scores.profile import FilterScores, FireProfile
from firekeras.scores.same_weights import warn_of_other_weights

if TYPE_CHECKING:
    import keras

RATIO, BALANCE, MAX_CUT = 0.05, 1.0, 0.5  # the defaults of plan_pruning
AS_SCORED: dict[str, Any] = {
    "balance": 0.0,
    "max_cut": 1.0,
}  # by the scores alone, over all layers together, as the papers rank


@dataclasses.dataclass(repr=False)
class PruningPlan:
    """Which filters of which layers are removed, and why each goes or stays.

    Args:
        removed: For each layer that loses filters, their indices, ascending; coupled layers included.
        widths: The number of filters of each layer before the cut.
        costs_before: `Costs` of the network before the cut.
        costs_after: `Costs` of the network without the removed filters, exact.
        criterion: The criterion of the scores.
        verdicts: For each layer, one sentence per filter, as an index into `sentences`, `(filters,)`.
        sentences: The sentences that `verdicts` refers to.
        scores: For each layer, the scores of its filters (the mean for coupled ones), `(filters,)`.
        ranks: For each layer, the ranks of its filters in the order of removal, from 1; 0 for unranked
            filters, `(filters,)`.
        ranked: The number of ranked filters.
        notes: Sentences on the plan as a whole, such as why nothing is removed.
        balance: The weight of a filter's rank within its layer in that order, 0 to 1.
        norms: For each layer, the l1 norms of its filters when the scores were made, `(filters,)`; they tell one
            training from another. Defaults to none.

    Attributes:
        read_from: The file that the plan was read from: its costs are what the file says. Empty if it was made here.

    Example:
    >>> plan = firekeras.plan_pruning(model, scores, pruning_ratio=0.3)
    >>> plan.num_removed, plan.removed["conv1"].size
    (6, 2)
    >>> plan.explain("conv1", plan.removed["conv1"][0])
    'Filter ... of conv1 goes: its l1 score of ... ranks ... of 20...'
    """

    removed: IntArrays
    widths: dict[str, int]
    costs_before: Costs
    costs_after: Costs
    criterion: str
    verdicts: IntArrays
    sentences: list[str]
    scores: FloatArrays
    ranks: IntArrays
    ranked: int
    notes: list[str]
    balance: float = 0.0
    norms: FloatArrays = dataclasses.field(default_factory=dict)

    read_from = ""

    def __repr__(self):
        return in_one_line(self)

    def summary(self) -> str:
        """A table of what is removed from each layer and what that saves, for a terminal of 80 columns.

        Returns:
            The text, several lines.
        """
        return summary(self)

    @property
    def num_removed(self) -> int:
        """The number of filters that are removed, over all layers."""
        return sum(filters.size for filters in self.removed.values())

    @typed
    def explain(self, layer: str, filter: int) -> str:
        """Why a filter is removed, or stays.

        Args:
            layer: The name of a layer with filters.
            filter: The index of a filter, from 0.

        Returns:
            One sentence.

        Raises:
            ValueError: If there is no such layer or filter; suggests the nearest name.
        """
        width = self.widths[known_layer(layer, self.widths)]
        if not 0 <= filter < width:
            raise ValueError(f"Layer {layer!r} has filters 0 to {width - 1}. Received: filter={filter}.")
        goes = "goes" if filter in self.removed.get(layer, ()) else "stays"
        return f"Filter {filter} of {layer} {goes}: {self._place(layer, filter)}{self._verdict(layer, filter)}."

    def _verdict(self, layer, filter):
        return self.sentences[int(self.verdicts[layer][filter])]

    def _place(self, layer, filter):
        rank = int(self.ranks[layer][filter])
        if not rank:
            return ""
        place = f"ranks {rank} of {self.ranked}{how_balanced(self.balance)}"
        score = f"{self.scores[layer][filter]:.4g}"
        if sum(int((ranks == rank).sum()) for ranks in self.ranks.values()) > 1:
            return f"the mean {self.criterion} score of its group, {score}, {place}; "
        return f"its {self.criterion} score of {score} {place}; "

    @typed
    def save(self, path: str | os.PathLike) -> None:
        """Writes the plan as JSON, whole or not at all.

        Args:
            path: The file, such as `plan.json`.

        Raises:
            ValueError: If its folder does not exist.

        Example:
        >>> plan.save("plan.json")
        >>> firekeras.PruningPlan.load("plan.json").num_removed == plan.num_removed
        True
        """
        plan_file.save(self, path)

    @classmethod
    @typed
    def load(cls, path: str | os.PathLike) -> PruningPlan:
        """Reads a plan that `save` wrote.

        Its costs are what the file says, which nothing can check without the model.

        Args:
            path: The file.

        Returns:
            The `PruningPlan`.

        Raises:
            ValueError: If there is no such file, or it is not a plan, of another version, or damaged.
        """
        plan = plan_file.load(cls, path)
        plan.read_from = str(path)
        return plan

    @classmethod
    def of(cls, selection: Selection, notes: Iterable[str] = ()) -> PruningPlan:
        """The plan for a selection of units, with further notes for the user."""
        graph, ranking = selection.graph, selection.ranking
        verdicts = Verdicts(selection)
        sentences, by_unit = verdicts.by_unit()
        return cls(
            removed=graph.removed_filters(selection.gone),
            widths=graph.widths,
            costs_before=costs_without(graph),
            costs_after=costs_without(graph, selection.gone),
            criterion=ranking.source.criterion,
            verdicts=graph.by_layer(by_unit),
            sentences=sentences,
            scores=graph.by_layer(ranking.scores),
            ranks=graph.by_layer(ranking.places()),
            ranked=ranking.filters,
            notes=[*graph.notes, *notes, *verdicts.notes()],
            balance=float(ranking.balance),
            norms=_norms(ranking.source, graph),
        )


@typed
def plan_pruning(
    model_or_graph: keras.Model | ChannelGraph,
    scores: FilterScores,
    *,
    pruning_ratio: float = RATIO,
    layer_caps: Mapping[str, float] | None = None,
    target: Mapping[str, float | str] | None = None,
    round_to: int = 1,
    min_keep: float = 0.1,
    original_widths: Mapping[str, int] | None = None,
    balance: float = BALANCE,
    max_cut: float = MAX_CUT,
    measure: str | None = None,
    latency: LatencyTable | None = None,
) -> PruningPlan:
    """Decides which filters to remove: those that score highest among the filters of their layer.

    Without a target, exactly `pruning_ratio` of the prunable filters are removed. Ties are broken by the
    smaller l1 norm, then by position. Coupled filters count one each; a unit of them that would overshoot is skipped.
    The paper ranks the filters of all layers together (FIREPruning, Fang et al. 2020, section 3.3.2):
    that is `balance=0, max_cut=1`.

    Args:
        model_or_graph: A model, or its `ChannelGraph` (planning then needs no Keras).
        scores: `FilterScores`: higher is removed first, NaN stays.
        pruning_ratio: Share of the prunable filters to remove, from 0 to below 1, if there is no target.
            Defaults to 0.05.
        layer_caps: The share of their original filters that some layers may lose in total, 0 to 1
            (0 leaves a layer alone): by name, pattern or type, `{"conv1": 0.5, "block1_*": 0.3,
            "Dense": 0}`; the more specific key wins. Coupled layers share the tightest cap. Recurrent units and
            attention heads (`"NAME/heads"`) go only if a cap names them, `{"LSTM": 0.5}`. Defaults to none.
        target: Instead of the ratio: `{measure: share or amount}`, of one or several measures, all of which are
            reached. A measure is a name in `firekeras.channels.costs.COSTS`: `"conv_macs"`, `"macs"`, `"params"`,
            `"ram"` and `"flash"` (int8), `"ram_float32"`, `"flash_float16"`, `"flash_float32"`; or `"latency"`, with a
            table. A share, above 0 and up to 1, is that of the network's current cost; an amount is a number above 100,
            or text: `{"ram": 256_000, "flash": "512 kB", "latency": "2 ms"}`. Defaults to none.
        round_to: Widths that change become a multiple of this. Defaults to 1.
        min_keep: No layer falls below this share of its original width, or below one filter; nor do the
            channels that a split, slice or branch takes of it. Defaults to 0.1.
        original_widths: The width of each layer (and part) that caps and `min_keep` refer to, such as
            `graph.sizes` of the first model. Defaults to the current widths.
        balance: The weight of a filter's rank within its own layer against its rank among all, 0 to 1
            (see `firekeras.plan.balance`). Defaults to 1: layers lose about the same share, and none is
            starved.
        max_cut: No layer loses more than this share of its current filters in this plan, above 0, up to
            1; one filter, or one step of `round_to`, may always go. If the ratio or the target is out of
            reach with it, it is raised, and `notes` say so; caps do not raise it. Defaults to 0.5.
        measure: A cost, as in `target`: filters whose removal saves none of it stay, and do not count,
            such as those of Dense layers for `"conv_macs"`. Defaults to those of the target.
        latency: The `LatencyTable` of this network, for targets in `"latency"`: layers that take more time lose more
            filters, unless `balance=0`. Defaults to none; a plan knows no latency then.

    Returns:
        A `PruningPlan`. If nothing can be removed, its `notes` say why.

    Raises:
        ValueError: If a number is out of its range, a layer or a measure does not exist, the scores are
            of another model, or the target cannot be reached (says what can).

    Example:
    >>> plan = firekeras.plan_pruning(model, scores, pruning_ratio=0.3, layer_caps={"conv1": 0})
    >>> list(plan.removed)
    ['conv2']
    """
    graph = _graph_for(model_or_graph, scores)
    graph = latency.on(graph) if latency is not None else graph
    _check_one_size(pruning_ratio, target)
    check_limits(pruning_ratio, min_keep)
    check_spread(balance, max_cut, measure)
    _check_scores(graph, scores)
    caps = resolve_caps(graph, layer_caps or {})
    graph = without_uncapped(graph, caps)
    limits = Limits.of(graph, caps, min_keep, _checked_originals(original_widths or {}, graph))
    step = checked_whole("round_to", round_to, 1)
    if target is None:
        return _take(Ranking(graph, scores, step, balance, measure), limits, pruning_ratio, max_cut)
    target = checked_target(target)
    goals = goals_of(target, {name: cost_without(graph, name) for name in target})
    plan = _reach(Reaching(graph, scores, limits, goals, step, balance, measure), target, max_cut)
    if latency is not None and "latency" in target:
        plan.notes += latency.notes(step)
    return plan


def _check_one_size(ratio, target):
    """Raises `ValueError` if both a ratio and a target would size the cut."""
    if ratio != RATIO and target is not None:
        raise ValueError(
            f"With a target the cut is sized by it: pruning_ratio={ratio} would not be used. Leave one of them out."
        )


def _norms(scores, graph):
    """The l1 norms of the filters that were scored, if the scores have those of all layers."""
    widths = {name: norms.size for name, norms in scores.l1.items()}
    return dict(scores.l1) if widths == graph.widths else {}


def _checked_originals(widths, graph):
    """Widths of the first network, which may have layers that are gone by now, but not those alone."""
    if widths and not widths.keys() & graph.sizes.keys():
        raise ValueError(
            f"original_widths are those of the first network, by layer, such as {short(graph.sizes)}. Received: "
            f"{short(widths)}."
        )
    for name, width in widths.items():
        checked_whole(f"original_widths[{name!r}]", width, 1)
    return widths


def _graph_for(model_or_graph, scores):
    """The graph of a model, whose weights must be those that were scored; a graph is returned unchanged."""
    if isinstance(model_or_graph, ChannelGraph):
        return model_or_graph
    from firekeras.network import Network

    network = Network.of(model_or_graph)
    if isinstance(scores, FireProfile):
        warn_of_other_weights("The profile", scores.l1, network)
    return network.graph


def known_layer(name, names):
    """The name if it is known; else raises `ValueError` with the nearest."""
    if name in names:
        return name
    hint = suggestion(name, names)
    raise ValueError(f"There is no layer with filters named {name!r}.{hint}")


def check_limits(pruning_ratio, min_keep):
    """Raises `ValueError` for numbers out of their range."""
    check_share("pruning_ratio", pruning_ratio, "the share of filters to remove (0.05 is 5%)", below=1)
    check_share("min_keep", min_keep, "the share of a layer's filters that must stay")


def check_spread(balance, max_cut, measure=None):
    """Raises `ValueError` if a setting of how a plan is spread over layers is out of its range."""
    check_share("balance", balance, "the weight of a filter's place within its own layer")
    present = "the share of a layer's present filters that may go in one plan (1 turns it off)"
    check_share("max_cut", max_cut, present, above=0)
    check_one_of("measure", measure, (*COSTS, None), hint=meant_cost(measure))


def _check_scores(graph, scores):
    if not isinstance(scores, FilterScores):
        raise ValueError(
            "scores are FilterScores, as score_filters, measure_fire or FireDetector.predict return them. Received: "
            f"{type(scores).__name__}."
        )
    for name, values in scores.items():
        if name not in graph.filter_layers:
            raise ValueError(
                f"The scores are of another model: they hold a layer with filters named {name!r}, which this one lacks."
                f"{suggestion(name, graph.filter_layers)} Score the model that you want to prune."
            )
        width = graph.filters(name).size
        if values.size != width:
            raise ValueError(
                f"The scores are of another model: layer {name!r} has {width} filters, the scores hold {values.size}. "
                "Score the model that you want to prune."
            )


def _take(ranking: Ranking, limits: Limits, ratio: float, max_cut: float) -> PruningPlan:
    """The plan that removes as many filters as a ratio stands for."""
    selection, cut = selected_at_once(ranking, limits, ranking.budget(ratio), max_cut)
    return PruningPlan.of(selection, widened_because(f"pruning_ratio={ratio:g}", max_cut, cut))


def _reach(reaching: Reaching, target: Mapping[str, float | str], max_cut: float) -> PruningPlan:
    """The plan that reaches the target with the fewest removed filters."""
    found = reaching.selection(max_cut)
    if found is None:
        raise reaching.refused(target)
    selection, cut = found
    notes = widened_because(f"the target {dict(target)}", max_cut, cut)
    return PruningPlan.of(selection, [*notes, *estimated_note(selection.graph, target)])
