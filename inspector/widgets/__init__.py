"""Small parts of views and dialogs: colours, names for screen readers, boxes and buttons."""

from inspector.widgets import theme
from inspector.widgets.action_button import action_button
from inspector.widgets.check_box import CheckBox, CheckBoxDelegate
from inspector.widgets.colour_bar import ColourBar, Scale, draw_colours
from inspector.widgets.elide import short_names
from inspector.widgets.naming import name
from inspector.widgets.theme import BANDS, CUT, Theme
from inspector.widgets.undo_keys import UndoKeys
