"""The views of a session in the window."""

from inspector.views import empty_page
from inspector.views.banner import Banner
from inspector.views.column_chooser import HIDDEN_AT_FIRST
from inspector.views.filter_panel import FilterPanel
from inspector.views.goal_bar import GoalBar
from inspector.views.heatmap_view import HeatmapPanel, HeatmapView
from inspector.views.layer_table import LayerTable
from inspector.views.ratio_bar import RatioBar
from inspector.views.round_bar import RoundBar
from inspector.views.run_panel import NO_RUN, RunPanel
