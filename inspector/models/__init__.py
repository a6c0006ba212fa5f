"""The session as Qt's models and undo commands, and what is remembered for the next."""

from inspector.models.columns import Column
from inspector.models.editing import Editor
from inspector.models.layer_model import RIGHTWARD, SORT, LayerModel
from inspector.models.preferences import Preferences
