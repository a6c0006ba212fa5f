"""Dialogs before long work, and before figures."""

from inspector.dialogs.data_dialog import DataDialog
from inspector.dialogs.figure_dialog import FigureDialog, FigureOptions, rendered
from inspector.dialogs.limits_dialog import LimitsDialog
from inspector.dialogs.measure_dialog import MeasureDialog
from inspector.dialogs.run_dialog import RunDialog
