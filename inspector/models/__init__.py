"""The session as Qt models and undo commands, and preferences for the next session."""

from inspector.models.columns import Column
from inspector.models.editing import Editor
from inspector.models.layer_model import RIGHTWARD, SORT, LayerModel
from inspector.models.preferences import Preferences
