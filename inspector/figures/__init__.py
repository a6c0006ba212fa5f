"""Figures for papers and slides, drawn as SVG from a session; imports no Qt."""

from inspector.figures.architecture import architecture
from inspector.figures.drawing import Drawing, Look, points
from inspector.figures.heatmap import heatmap, height_of_heatmap

FIGURES = {"Heatmap": heatmap, "Architecture before and after": architecture}
