import numpy as np
from random_graphs import random_graph

from firekeras.channels.graph import ChannelGraph, LayerInfo, Product
from inspector.state.session import Session
from inspector.state.totals import totals_of


def test_the_totals_say_which_layers_they_leave_out():
    rng = np.random.default_rng(0)
    graph = random_graph(rng)
    hidden = LayerInfo("block", "Block", (None, 4, 4, 1), None, (Product(9),), (), False, uncounted=True)
    graph = ChannelGraph([*graph.layers.values(), hidden], graph.axes, graph.locks)
    session = Session()
    session.show_structure(graph)
    assert [total.title for total in totals_of(session)] == ["All (MACs without block)", "Conv"]
