"""Texts on a session's layers and filters, each a sentence or a line."""

from __future__ import annotations

import math

import numpy as np

from firekeras.plan.goals import in_words, title_of, unit_of
from firekeras.report.tables import short_number
from inspector.state import criteria, data_sources, obstacles
from inspector.state.changes import change, milliseconds, percent
from inspector.state.comparison import Mode
from inspector.state.session import Session

FIRST_NETWORK = "the network that the run began with"
NEEDS_CAP = "recurrent units and attention heads go only if their layer has a cap (F2 sets one)."


def cell(session: Session) -> str:
    """The current filter or layer, in one line; empty if there is none."""
    layer, filter = session.layer, session.filter
    if layer is None:
        return ""
    return why_layer(session, layer) if filter is None else readout(session, layer, filter)


def readout(session: Session, layer: str, filter: int) -> str:
    """A filter in one line."""
    measured = session.need_measured()
    fire = measured.planner.fire[measured.number(layer, filter)]
    score = "no score" if fire != fire else f"{score_name(session)} {fire:{'.3f' if session.ranks_by_fire else '.3g'}}"
    place = measured.place(layer, filter)
    rank = f"rank {place} of {measured.ranked}" if place else "not ranked"
    return f"{layer}, filter {filter}: {score}, {rank}, {_fate(session, layer, filter)}"


def of_what(session: Session) -> str:
    """Which network the figures belong to, if it is not the previewed cut of the open model; else empty."""
    if session.shows_other and session.comparison is not None:
        return f"Left in {session.comparison.name}"
    if not session.of_run:
        return ""
    if session.need_measured().preview.num_gone:
        return f"Preview on {FIRST_NETWORK}"
    why = "The run does not record which filters it removed; uncut" if session.comparison else "Uncut"
    return f"{why}, {FIRST_NETWORK}"


def out_of_reach(session: Session) -> str:
    """What of a goal cannot be reached, in a few words; empty if it can."""
    said = " and ".join(f"{_amount(each.measure, each.least)} of {title_of(each.measure)}" for each in session.missed)
    return f"Out of reach: at least {said} is left" if said else ""


def met_already(session: Session) -> str:
    """That a goal asks for no cut, in a few words; empty if it does, or there is none."""
    if session.measured is None or session.choices.goal is None or session.pending or session.missed:
        return ""
    return "" if session.measured.preview.num_gone else "The goal is met without a cut"


def _amount(measure, amount):
    """What is left at least, rounded up: as it is shown, it can be reached."""
    unit = unit_of(measure)
    step = 10 ** max(0, math.floor(math.log10(max(1, amount))) - 3)  # four digits are shown
    return in_words(measure, amount) if unit == "s" else short_number(math.ceil(amount / step) * step, unit)


def latency_by_table(session: Session) -> tuple[str, str]:
    """The latency before and after the cut by the latency table, and how it is known; empty without one."""
    table, measured = session.table, session.measured
    if table is None or measured is None:
        return "", ""
    before, after = measured.costs.latency, session.cut.costs.latency
    if not before or after is None:
        return "", ""
    figures = f"latency {milliseconds(before)} → {milliseconds(after)} ms ({percent(change(before, after))})"
    details = f"Predicted by {table.details} F7 measures this cut on this computer."
    return f"{figures}, predicted for {table.device}", details


def no_accuracy(session: Session) -> tuple[str, str]:
    """That the accuracy of the model cannot be checked, and why; empty if it can."""
    why = obstacles.no_training(session)
    return ("Accuracy: cannot be checked here", f"{why[:1].upper()}{why[1:]}.") if why else ("", "")


def why_out_of_reach(session: Session) -> str:
    """What is in the way of a goal; empty if nothing is."""
    whys = "; ".join(f"{title_of(each.measure)}: {each.why}" for each in session.missed)
    return f"{out_of_reach(session)}. {whys}. Loosen caps and locks, or ask for less." if whys else ""


def why_layer(session: Session, layer: str) -> str:
    """Why a layer loses filters or keeps them."""
    row = session.need_opened().row(layer)
    left = session.cut.widths[layer] if session.measured else row.filters
    if session.shows_other and session.comparison is not None and not (row.locked and left == row.filters):
        return f"{layer} has {left} of {row.filters} filters left in {session.comparison.name}."
    if row.locked:
        return f"{layer} keeps all {row.filters} filters: {row.locked}."
    if layer in session.choices.locked:
        return f"{layer} keeps all {row.filters} filters: you locked it."
    cap = session.choices.caps.get(layer)
    if cap is None and session.need_opened().graph.layers[layer].needs_cap:
        return f"{layer} keeps all {row.filters} filters: {NEEDS_CAP}"
    limit = "" if cap is None else f"; its cap lets at most {cap:.0%} be removed"
    if cap and left == row.filters and session.choices.round_to > 1:
        limit += f", and numbers of filters are rounded to multiples of {session.choices.round_to}"
    coupled = f"; it loses filters only together with {_some(row.partners)}" if row.partners else ""
    if session.measured is None:
        return f"{layer} has {row.filters} filters{limit}{coupled}. It has not been measured yet: F5 measures it."
    return f"{layer} keeps {left} of {row.filters} filters{limit}{coupled}."


def of_cap(session: Session, layer: str) -> str:
    """What a layer keeps under its cap, and how to remove more if the cap would allow it."""
    row, cap = session.need_opened().row(layer), session.choices.caps.get(layer, 1.0)
    spare = int(cap * row.filters) > row.filters - session.cut.widths[layer]
    more = " A cap only limits: to remove more, raise “Filters to remove”." if spare else ""
    return f"{why_layer(session, layer)}{more}"


def without_score(session: Session) -> str:
    """A sentence on the layers that cannot be ranked since they have no FIRE; empty if there are none, or they have."""
    locks = {name for name in session.need_opened().graph.filter_layers if session.need_opened().is_locked(name)}
    number, every = sum(bool(row.locked) and row.name not in locks for row in session.rows), len(session.rows)
    if not number:
        return ""
    if number == 1:
        return (
            f" One of {every} layers has no FIRE: it, or layers that lose filters together with it, have no ReLU of "
            "their own. It keeps all its filters, but l1 norms can rank them."
        )
    return (
        f" {number} of {every} layers have no FIRE: they, or layers that lose filters together with them, "
        "have no ReLU of their own. They keep all their filters, but l1 norms can rank them."
    )


def why_filter(session: Session, layer: str, filter: int) -> str:
    """Why a filter goes or stays, in one sentence of the plan."""
    measured = session.need_measured()
    return measured.plan(measured.preview.choices).explain(layer, filter)


def reasons(session: Session, layer: str, filter: int | None = None) -> list[str]:
    """What happened to a filter and its layer, if that is shown; else why they go or stay in the preview."""
    if session.comparison is not None and is_done(session):
        return [_what_went(session, session.comparison.name, layer, filter)]
    preview = [f"Preview on {FIRST_NETWORK}."] if session.of_run else []
    locked = layer in session.choices.locked  # which says all: to a plan it is a cap
    of_filter = [] if filter is None or locked else [why_filter(session, layer, filter)]
    return [*preview, *of_filter, why_layer(session, layer)]


def score_name(session: Session) -> str:
    """What filters are ranked by, as it is called in the window."""
    return criteria.title(criteria.FIRE if session.measured is None else session.measured.scores.criterion)


def about(session: Session) -> str:
    """What the heatmap shows, as the caption of a figure."""
    measured, name = session.need_measured(), session.need_document().name
    samples = f"{measured.profile.samples:,} {data_sources.called(session.input_shape)}"
    on = f", measured on {samples}" if session.ranks_by_fire else ""
    scored, every = int(np.isfinite(measured.planner.fire).sum()), measured.planner.fire.size
    filters = f"{scored:,} filters" if scored == every else f"{scored:,} of {every:,} filters"
    return f"{score_name(session)} of {filters} of {name}{on}. {of_cut(session)}".strip()


def of_cut(session: Session) -> str:
    """What the cut that is shown removes and saves, as a sentence; empty if it removes nothing."""
    measured, cut = session.need_measured(), session.cut
    if not cut.num_gone:
        return ""
    macs, params = (
        percent(change(getattr(measured.costs, cost), getattr(cut.costs, cost))) for cost in ("macs", "params")
    )
    which = "removed" if is_done(session) else "to be removed"
    filters = f"{cut.num_gone:,} of {cut.gone.size:,} filters {which}"
    return f"{filters}: MACs {macs}, parameters {params}."


def is_done(session: Session) -> bool:
    """Whether marked filters went already, in the compared network."""
    return session.shows_other or session.mode is Mode.CUTS


def _what_went(session, name, layer, filter):
    row = session.need_opened().row(layer)
    if row.locked:
        return why_layer(session, layer)
    went = "" if filter is None else f"{_fate(session, layer, filter)}; "
    return f"{name}: {went}{layer} has {session.left(layer)} of {row.filters} filters left."


def _fate(session, layer, filter):
    """Whether a filter goes, or went as far as that is known."""
    if not is_done(session):
        return "to be removed" if session.gone(layer, filter) else "kept"
    fate = "removed" if session.gone(layer, filter) else "kept"
    recorded = session.comparison is None or layer not in session.comparison.by_rank
    return fate if recorded else f"assumed to be {fate}"


def _some(names, most=3):
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
