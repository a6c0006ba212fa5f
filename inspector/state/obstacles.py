"""Obstacles: why something is not possible now, or an empty text. No button is grey without a reason."""

from __future__ import annotations

from firekeras.keras_models.loss_names import has_regression_loss
from inspector.state import criteria
from inspector.state.comparison import Mode
from inspector.state.runs import RunView
from inspector.state.session import Session
from inspector.state.stages import Stage

NOTHING_OPEN = "nothing is open"
ONLY_CLASSIFIERS = (
    "only classifiers with one output are checked and trained here, others by firekeras.compress in Python"
)
ONLY_ONE_INPUT = "use firekeras.measure_fire or .compress in Python, which can feed them"
MOST_OUTPUTS = 3  # that are named


def unmeasured(session: Session) -> str:
    """If nothing is measured."""
    if session.document is None:
        return NOTHING_OPEN
    return "" if session.measured else f"{session.document.name} is not measured yet"


def unread(session: Session) -> str:
    """If no layers are known."""
    if session.document is None:
        return NOTHING_OPEN
    return "" if session.opened is not None else f"the layers of {session.document.name} are not read yet"


def no_model(session: Session) -> str:
    """If there is no model."""
    if session.document is None:
        return NOTHING_OPEN
    return "" if session.document.model else "there is no model, only its profile: open its model first"


def no_profile_alone(session: Session) -> str:
    """If there is no profile that lacks its model."""
    if session.document is None or session.document.profile is None:
        return "no profile is open"
    return "its model is already open" if session.document.model else ""


def no_fixed_scale(session: Session) -> str:
    """If colours are stretched over all scores already."""
    if session.measured is None:
        return unmeasured(session)
    fixed = session.measured.scores.criterion in criteria.FROM_0_TO_1
    return "" if fixed else "only FIRE has a scale from 0 to 1"


def no_other(session: Session) -> str:
    """If there is no other network to compare with."""
    without = "there is nothing to compare with; Ctrl+D opens another profile, Ctrl+Shift+O a run"
    return unmeasured(session) or ("" if session.comparison else without)


def no_picture(session: Session, mode: Mode) -> str:
    """If the heatmap cannot show a picture: it is of FIRE that nobody measured, or nothing is compared."""
    compared = session.comparison
    of_fire = mode is Mode.DIFFERENCE or (compared is not None and mode.of_fire_after)
    if session.measured is not None and not session.can_compare and of_fire:
        return "networks are compared by FIRE: choose FIRE in the list above the heatmap first"
    if compared is not None and compared.after is None and mode.of_fire_after:
        return _unmeasured_other(session, compared.name)
    return no_other(session) if mode.compares else unmeasured(session)


def _unmeasured_other(session, name):
    how = ": measure that round (F8)" if session.of_run and name.startswith("round ") else ""
    return f"{name} was not measured, so its FIRE is unknown{how}"


def no_plan(session: Session) -> str:
    """If there is no plan: nothing is measured, the goal is not planned yet or out of reach, or nothing would go."""
    pending = "the cut that reaches the goal is still being planned" if session.pending else ""
    missed = "the goal is out of reach" if session.missed else ""
    return unmeasured(session) or pending or missed or _another_is_shown(session) or _nothing_goes(session)


def _another_is_shown(session):
    """If there is a cut, but what is shown is another network: nobody would expect the cut to be saved."""
    if not session.shows_other or session.comparison is None or not session.need_measured().preview.num_gone:
        return ""
    return f"the figures are of {session.comparison.name}, not of a cut: show the cut first (Ctrl+1)"


def no_cut(session: Session) -> str:
    """If no filter of a model goes."""
    return no_plan(session) or no_model(session)


def _nothing_goes(session):
    if session.need_measured().preview.num_gone:
        return ""
    result = session.need_document().result
    kept = f"; the result of the run is already saved as {result}" if result else ""
    return f"with these settings no filter would be removed{kept}"


def several_inputs(session: Session) -> str:
    """If the open model takes several inputs, which no file of data has here."""
    weights = session.document.weights if session.document else None
    inputs = weights.inputs if weights else []
    return f"the model takes {len(inputs)} inputs, {_listed(inputs)}; {ONLY_ONE_INPUT}" if len(inputs) > 1 else ""


def no_measuring(session: Session) -> str:
    """If FIRE of the model cannot be measured here."""
    return no_model(session) or several_inputs(session) or no_fire(session)


def no_fire(session: Session) -> str:
    """If the open model is known to have no FIRE."""
    if session.has_fire:
        return ""
    return f"no filter of {session.need_document().name} has a ReLU of its own, so it has no FIRE"


def no_prediction(session: Session) -> str:
    """If there is no measured FIRE from which a detector can learn."""
    return unmeasured(session) or no_fire(session) or ("FIRE is not measured yet (F5)" if session.lacks_fire else "")


def several_outputs(session: Session) -> str:
    """If the open model has several outputs, for which no file of data has labels here."""
    outputs = _outputs(session)
    return f"the model has {len(outputs)} outputs, {_listed(outputs)}" if len(outputs) > 1 else ""


def no_training(session: Session) -> str:
    """If the open model is none that is checked and trained here."""
    return several_inputs(session) or other_task(session)


def other_task(session: Session) -> str:
    """If the open model is no classifier with one output, which is all that the command line judges and trains."""
    several = several_outputs(session)
    if several:
        return f"{several}; {ONLY_CLASSIFIERS}"
    opened, outputs = session.opened, _outputs(session)
    weights = session.document.weights if session.document else None
    last = opened.graph.layers.get(outputs[0]) if opened and outputs else None
    if weights is not None and has_regression_loss(weights.loss):
        return f"the model was compiled with {weights.loss}; {ONLY_CLASSIFIERS}"
    if weights is None or last is None or _is_of_classes(last.output_shape, weights):
        return ""
    shape = " x ".join("?" if size is None else str(size) for size in last.output_shape[1:])
    return f"the model's output is {shape}; {ONLY_CLASSIFIERS}"


def _outputs(session):
    weights = session.document.weights if session.document else None
    return weights.outputs if weights else []


def _is_of_classes(shape, weights):
    return len(shape) == 2 and (shape[1] != 1 or weights.tells_two_apart)


def _listed(names):
    *others, last = names[:MOST_OUTPUTS]
    rest = f" and {len(names) - MOST_OUTPUTS} more" if len(names) > MOST_OUTPUTS else ""
    return f"{', '.join([*others, last])}{rest}" if rest or not others else f"{', '.join(others)} and {last}"


def no_judging(session: Session) -> str:
    """If the accuracy of the model cannot be measured here, nor the model be trained."""
    return no_model(session) or no_training(session)


def no_check(session: Session) -> str:
    """If there is no cut whose accuracy can be measured."""
    return no_cut(session) or no_training(session)


def no_model_of_round(stage: Stage | None) -> str:
    """If there is no round of a run whose model can be opened.

    Args:
        stage: The network of the run that is shown.
    """
    if stage is None:
        return "no run is open"
    return "" if stage.model else f"the model of {stage.name} is not in the folder of the run"


def no_resuming(view: RunView | None, own: bool) -> str:
    """If a run cannot be resumed.

    Args:
        view: The run.
        own: Whether this window started it.
    """
    if view is None:
        return "no run is open"
    if view.of_fit:
        return "it is the record of a fit, which cannot be resumed"
    if view.finished:
        return "the run is finished"
    if not own and view.lately:
        return "the run has written something within the last minute, and may still be running elsewhere"
    return "" if view.can_resume else "the run was begun in Python, and can only be resumed from Python"


def no_stopping(view: RunView | None, stopping: bool, starting: bool) -> str:
    """If a run cannot be stopped after its round.

    Args:
        view: The run.
        stopping: Whether it was already asked to stop.
        starting: Whether it was started, and has written nothing yet.
    """
    if not starting and (view is None or view.over):
        return "no run is in progress"
    return "it is already stopping after this round" if stopping else ""
