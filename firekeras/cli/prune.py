"""`firekeras prune`: a single cut, without data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from firekeras.cli import checks, complete
from firekeras.cli.caps import check_caps, parsed_caps
from firekeras.cli.console import chosen_options, show, show_text
from firekeras.cli.files import check_output, load_model, write
from firekeras.cli.options import Balance, Caps, LatencyTableFile, MaxCut, MinKeep, ModelFile, Output, RoundTo
from firekeras.cli.program import NothingDoneError
from firekeras.cli.targets import COSTS as TARGETS
from firekeras.cli.targets import with_targets
from firekeras.cli.words import in_options
from firekeras.keras_models import model_file
from firekeras.paths import existing_file

LIMITS = (
    "ratio",
    *TARGETS,
    "cap",
    "round_to",
    "min_keep",
    "balance",
    "max_cut",
    "latency_table",
)  # what a plan has already decided


@with_targets(*TARGETS)
def prune(
    context: typer.Context,
    model: ModelFile,
    scores: Annotated[
        Path | None,
        typer.Option(
            metavar="X.fire.h5", help="Remove the filters of highest FIRE in this file, from firekeras measure."
        ),
    ] = None,
    criterion: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            autocompletion=complete.criteria,
            help="Rank without data instead: 'l1', 'l2', 'fpgm', 'bn_scale', 'contribution' or 'random'.",
            show_default="l1",
        ),
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option(metavar="plan.json", help="Remove the filters in this plan, written with --save-plan."),
    ] = None,
    ratio: Annotated[
        float, typer.Option(metavar="SHARE", help="The share of the filters to remove, from 0 to below 1.")
    ] = 0.3,
    cap: Caps = None,
    round_to: RoundTo = 1,
    min_keep: MinKeep = 0.1,
    balance: Balance = 1.0,
    max_cut: MaxCut = 0.5,
    latency_table: LatencyTableFile = None,
    save_plan: Annotated[
        Path | None, typer.Option(metavar="plan.json", help="Also write the plan, even in a dry run.")
    ] = None,
    output: Output = Path("pruned.keras"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go: no model is written.")] = False,
    **targets: Any,
):
    """Removes filters in one cut, without fine-tuning: needs no data, and costs accuracy until you train the result.

    Filters are ranked by one of --scores, --criterion (the default, l1: small weights go first) or --plan: within their
    layers, so no layer is starved; or with --balance 0 --max-cut 1 over all layers together.

    How much goes: --ratio of the filters, or as many as it takes to a target, such as --conv-macs 0.5 or
    --ram 256kB; several targets are reached at once. For --latency, measure a table on the device first, with
    firekeras latency.

    Example: firekeras prune model.keras --scores model.fire.h5 --ratio 0.3 --cap conv1=0.5 --round-to 8
    """
    check_one_ranking(context)
    target = _chosen_target(context, targets)
    table = checks.latency_table(latency_table)
    if "latency" in (target or {}) and table is None:
        raise ValueError(checks.NO_TABLE)
    caps = parsed_caps(cap)
    checks.check_limits(ratio=ratio, round_to=round_to, min_keep=min_keep, balance=balance, max_cut=max_cut)
    checks.check_criterion(criterion or "l1", data=False)
    model_file.check_path(model)
    check_caps(caps, model)
    if not dry_run:
        check_output(output, model)
    if save_plan:
        check_output(save_plan, model, ".json")
    import firekeras

    ready = firekeras.PruningPlan.load(existing_file(plan)) if plan else None
    measured = firekeras.FireProfile.load(existing_file(scores)) if scores else None
    network = load_model(model)
    graph = firekeras.channel_graph(network)
    if ready is not None:
        chosen = ready
    else:
        chosen = firekeras.plan_pruning(
            network if scores else graph,  # whose weights a profile must be of
            firekeras.score_filters(network, criterion or "l1", seed=0) if measured is None else measured,
            **({"target": target} if target else {"pruning_ratio": ratio}),
            layer_caps=caps,
            round_to=round_to,
            min_keep=min_keep,
            balance=balance,
            max_cut=max_cut,
            latency=table,
        )
    smaller = firekeras.prune(network, chosen)
    if save_plan:
        chosen.save(save_plan)
    _show_plan(graph if table is None else table.on(graph), chosen, context.params)
    if not dry_run:
        _check_something_goes(chosen, output)
        write(smaller, output)


def _chosen_target(context, targets):
    target = checks.chosen_target(checks.parsed_targets(targets), TARGETS)
    if target and "ratio" in chosen_options(context):
        raise ValueError("Expected --ratio, or a target that sizes the cut. Received both.")
    return target


def _check_something_goes(plan, output):
    if not plan.removed:
        raise NothingDoneError(
            f"{output} is not written: with these settings no filter goes. {' '.join(plan.notes)}".rstrip()
        )


def check_one_ranking(context: typer.Context):
    """Refuses options that contradict each other, rather than ignoring one of them."""
    chosen = chosen_options(context)
    rankings = [name for name in ("scores", "criterion", "plan") if name in chosen]
    if len(rankings) > 1:
        raise ValueError(f"Expected one of --scores, --criterion and --plan. Received: --{' and --'.join(rankings)}.")
    limits = [f"--{name.replace('_', '-')}" for name in LIMITS if name in chosen]
    if "plan" in chosen and limits:
        raise ValueError(f"A plan already says what goes: {', '.join(limits)} cannot change it. Leave out one of them.")


def _show_plan(graph, plan, options):
    from firekeras.channels.costs import costs_without
    from firekeras.plan.pruning import checked_units
    from firekeras.report import tables

    locked = {name: graph.lock(name, 0) for name in graph.filter_layers if _is_locked(graph, name)}
    gone = checked_units(graph, plan)
    rows = tables.cost_rows(costs_without(graph), costs_without(graph, gone))  # what a plan's file says may be wrong
    show(tables.plan_table(plan.widths, plan.removed, locked), tables.comparison_table(rows))
    for note in plan.notes:
        show_text(in_options(note, options))


def _is_locked(graph, name):
    return all(unit in graph.locks for unit in graph.filters(name).tolist())
