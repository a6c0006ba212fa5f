"""Why something cannot be done just now, in words: no button is grey without a reason."""

from __future__ import annotations

from inspector.state.session import Session

NEED_PROFILE = (
    *("save_plan", "csv", "png", "svg", "netron", "copy", "compare", "predict"),
    *("stretch", "whole", "to_heatmap", "to_ratio", "BEFORE", "AFTER", "DIFFERENCE", "SPLIT", "CUTS"),
)
NEED_LAYERS = ("lock", "cap", "limits", "find", "to_table")
BUSY = ("open", "open_run", "attach", "measure", "predict", "time", "run", "save", "resume")


def obstacles(session: Session, work, running) -> dict[str, str]:
    """For each action that is not always possible, what stands in its way; empty for nothing.

    Args:
        session: The `Session`.
        work: The `Work`, which may be busy.
        running: The `Running`, which follows a run.
    """
    found = {key: _without_profile(session) for key in NEED_PROFILE}
    found.update({key: _without_layers(session) for key in NEED_LAYERS})
    found.update(
        attach=_attach(session),
        measure=_without_model(session),
        DIFFERENCE=_without_other(session),
        CUTS=_without_other(session),
        run=_without_model(session),
        show_netron=_without_model(session),
        save=_without_cut(session),
        time=_without_cut(session),
        resume=_resume(running),
        stop=_stop(running),
        abort="" if work.job else "nothing runs",
        open="",
        open_run="",
    )
    if work.job:
        found.update({key: found.get(key) or f"{work.doing} is not over" for key in BUSY})
    return found


def _without_profile(session):
    if session.document is None:
        return "nothing is open"
    return "" if session.measured else f"{session.document.name} is not measured yet"


def _without_layers(session):
    if session.document is None:
        return "nothing is open"
    return "" if session.opened is not None else f"the layers of {session.document.name} are not read yet"


def _without_model(session):
    if session.document is None:
        return "nothing is open"
    return "" if session.document.model else "there is no model, only its profile: open its model first"


def _attach(session):
    if session.document is None or session.document.profile is None:
        return "no profile is open"
    return "its model is open already" if session.document.model else ""


def _without_other(session):
    without = "there is nothing to compare with: Ctrl+D opens another profile, Ctrl+Shift+O a run"
    return _without_profile(session) or ("" if session.comparison else without)


def _without_cut(session):
    return _without_profile(session) or _without_model(session) or _nothing_goes(session)


def _nothing_goes(session):
    if session.need_measured().preview.num_gone:
        return ""
    result = session.need_document().result
    kept = f"; what the run came to is saved already, as {result}" if result else ""
    return f"with these caps and this ratio no filter goes{kept}"


def _resume(running):
    if running.view is None:
        return "no run is open"
    if running.view.report.state == "finished":
        return "the run is finished"
    if not running.own and running.view.lately:
        return "the run has written something within the last minute, and may still go on elsewhere"
    if not running.view.can_resume:
        return "the run was begun in Python, and can only be gone on with there"
    return ""


def _stop(running):
    if running.view is None or running.view.over:
        return "no run goes on"
    return "it stops after this round already" if running.stopping else ""
