"""Long work in child processes, and the command lines that start it."""

from inspector.children.commands import (
    ExportOptions,
    JudgingData,
    MeasureOptions,
    RunOptions,
    as_text,
    check_arguments,
    compress_arguments,
    convert_arguments,
    export_arguments,
    measure_arguments,
    prune_arguments,
    prune_by_plan_arguments,
    report_arguments,
    resume_arguments,
    sensitivity_arguments,
    table_arguments,
)
from inspector.children.job import Outcome, firekeras_command
from inspector.children.netron import open_in_netron
from inspector.children.pace import Pace
from inspector.children.scratch import Scratch, remove_forgotten
from inspector.children.structure import Structure
from inspector.children.work import Work
