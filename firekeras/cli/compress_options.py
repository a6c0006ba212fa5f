"""The options of `firekeras compress`, besides those that it shares with other commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from firekeras.cli import complete
from firekeras.cli.defaults import UNCOMPILED
from firekeras.cli.targets import GOAL

TRAINING, ROUNDS, FILES = "Training", "Rounds", "The run"  # panels of the help


def _option(panel, metavar, help, *names, **settings):
    return typer.Option(*names, rich_help_panel=panel, metavar=metavar, help=help, **settings)


# Metric

ValidationShare = Annotated[
    float, _option(GOAL, "SHARE", "The share of the training images to hold out for judging rounds.")
]
Monitor = Annotated[
    str | None,
    _option(GOAL, "METRIC", "The metric of the model to watch.", show_default="accuracy, else the loss"),
]

# Training

Epochs = Annotated[
    str,
    _option(TRAINING, "N", "Epochs of training in total; 'none': until the target or the tolerance ends the run."),
]
LearningRate = Annotated[
    float | None,
    _option(
        TRAINING,
        "RATE",
        "The learning rate to begin with.",
        show_default=f"as the model was compiled, else {UNCOMPILED:g}",
    ),
]
Schedule = Annotated[
    str,
    _option(
        TRAINING,
        "NAME",
        "'cosine': the rate falls to 0 over all epochs; 'constant'; 'steps': a tenth after 60% and 80%; 'halvings':"
        " half after 1/6, 1/3, 1/2 and 5/6.",
        autocompletion=complete.schedules,
    ),
]
Distill = Annotated[
    bool | None,
    _option(
        TRAINING,
        None,
        "Whether training also follows the outputs of the first model.",
        "--distill/--no-distill",
        show_default="if the first model is fully trained",
    ),
]

# Rounds

MethodName = Annotated[
    str,
    _option(
        ROUNDS,
        "NAME",
        "'fire': by how often a filter's ReLU outputs zero; 'l1', 'play_and_prune', 'fppmo'; or a criterion:"
        " 'l2', 'taylor', 'contribution', 'random', ...",
        autocompletion=complete.methods,
    ),
]
MethodOptions = Annotated[
    list[str] | None,
    _option(
        ROUNDS,
        "NAME=VALUE",
        "An option of the method, such as rates=resnet56-b or drift_threshold=-1; firekeras methods NAME lists them."
        " Repeat it for more options.",
    ),
]
ProtocolName = Annotated[
    str | None,
    _option(
        ROUNDS,
        "NAME",
        "'paper': the method as it was published; what that sets is listed by firekeras methods NAME. Options that"
        " you give yourself count first.",
        show_default="our own defaults",
    ),
]
Mode = Annotated[
    str | None,
    _option(
        ROUNDS,
        "NAME",
        "For fire: 'learned' measures FIRE in the first round and predicts it from the weights after that;"
        " 'measured' measures in every round.",
        autocompletion=complete.modes,
        show_default="learned",
    ),
]
Ratio = Annotated[
    float | None,
    _option(
        ROUNDS,
        "SHARE",
        "The share of the remaining filters that go in a round, from 0 to below 1. With a target only with"
        " --epochs none.",
        show_default="sized by the epochs",
    ),
]
EpochsPerRound = Annotated[
    int | None, _option(ROUNDS, "N", "Epochs of training between two cuts.", min=0, show_default="by --epochs")
]
MaxRounds = Annotated[int, _option(ROUNDS, "N", "How many rounds may cut, at most.", min=1)]
Backtracks = Annotated[
    int,
    _option(
        ROUNDS,
        "N",
        "Without a target: how many rounds in a row may be undone before cutting ends.",
        min=0,
    ),
]

# The run

RunDir = Annotated[
    Path | None,
    _option(FILES, "DIR", "A new folder for the model of each round, and for events: the run survives a kill."),
]
Resume = Annotated[
    Path | None,
    _option(
        FILES,
        "DIR",
        "Continue the run in this folder; nothing else is needed. A finished run continues with another"
        " --epochs, --tolerance, --learning-rate, --conv-macs, ...",
    ),
]
TensorBoard = Annotated[
    Path | None, _option(FILES, "DIR", "Write costs, accuracy and a heatmap of FIRE for TensorBoard.")
]
Events = Annotated[bool, _option(FILES, None, "Print only events, as JSON, one object per line.", "--events")]
