"""Dialogs before long work."""

from inspector.dialogs.limits_dialog import LimitsDialog
from inspector.dialogs.measure_dialog import MeasureDialog
from inspector.dialogs.run_dialog import RunDialog
