"""Dialogs before long work, and before figures."""

from inspector.dialogs.data_dialog import DataDialog
from inspector.dialogs.export_dialog import ExportDialog
from inspector.dialogs.figure_dialog import FigureDialog, FigureOptions, rendered
from inspector.dialogs.judging_dialog import JudgingDialog
from inspector.dialogs.limits_dialog import LimitsDialog
from inspector.dialogs.measure_dialog import MeasureDialog
from inspector.dialogs.outputs import why_not_written
from inspector.dialogs.run_dialog import RunDialog
