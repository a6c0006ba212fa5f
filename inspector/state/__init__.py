"""The state of the inspector: what is open, chosen and pointed at, and everything derived from it. Imports no Qt."""

from inspector.state import (
    choices_file,
    criteria,
    data_sources,
    exports,
    model_explorer,
    obstacles,
    palette,
    remarks,
    words,
)
from inspector.state.cells import PADDING, bands, room_beside, stretches
from inspector.state.changes import change, percent, short_score
from inspector.state.checked import Checked
from inspector.state.choices import Choices
from inspector.state.comparison import Comparison, Mode
from inspector.state.data_sources import Data
from inspector.state.device_table import NO_TABLE, DeviceTable
from inspector.state.device_table import beside as beside_table
from inspector.state.documents import Document, beside_model, is_keras_2, open_document, profiles_of, read_profile
from inspector.state.goals import THIS_BOARD, Goal, goal_of, proposals
from inspector.state.heatmap_image import WHOLE, heatmap_image, largest_difference, scale_of
from inspector.state.kernels import flat_map, kernel_picture
from inspector.state.message import Message
from inspector.state.opened import Measured, Opened
from inspector.state.rows import LayerRow
from inspector.state.runs import RunView, events_size
from inspector.state.sensitivity import ENDING as SENSITIVITY
from inspector.state.sensitivity import Sensitivity
from inspector.state.sensitivity import beside as beside_sensitivity
from inspector.state.session import BOARD, BY_FIRE, CELL, CHOICES, DOCUMENT, LATENCY, PICTURE, Session
from inspector.state.stages import Stage, stages_of
from inspector.state.timed import Timed
from inspector.state.totals import Total, totals_of
from inspector.state.weights import ModelWeights
