"""The session as Qt's models and undo commands."""

from inspector.models.editing import Editor
from inspector.models.layer_model import RIGHT, RIGHTWARD, SORT, TITLES, Column, LayerModel
