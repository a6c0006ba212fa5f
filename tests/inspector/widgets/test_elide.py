import itertools

import pytest
from PySide6 import QtGui

from inspector.widgets import short_names

RESNET = [f"layer{stage}_{block}_conv{k}" for stage, block, k in itertools.product((1, 2, 3), range(9), (1, 2))]


@pytest.mark.parametrize("name", ["block_{}_depthwise_of_the_net", "convolution_number_{}", "{}_convolution_of_a_net"])
def test_shortened_names_still_differ(qapp, name):
    names = [name.format(number) for number in range(10, 30)]
    metrics = QtGui.QFontMetricsF(qapp.font())
    room = 0.8 * metrics.horizontalAdvance(names[0])
    shown = short_names(names, metrics, room)
    assert len(set(shown.values())) == 20 and all(metrics.horizontalAdvance(text) <= room for text in shown.values())


@pytest.mark.parametrize("letters", [9, 11, 20])
def test_names_that_differ_in_several_places_lose_letters_of_their_words(qapp, letters):
    metrics = QtGui.QFontMetricsF(qapp.font())
    room = metrics.horizontalAdvance("layer1_0_conv1"[:letters])
    shown = short_names(["conv1", *RESNET, "linear"], metrics, room)
    assert len(set(shown.values())) == len(RESNET) + 2 and shown["conv1"] == "conv1"
    assert (shown["layer2_3_conv1"] == "layer2_3_conv1") == (letters == 20)


def test_the_last_word_of_a_name_is_kept_longest(qapp):
    metrics = QtGui.QFontMetricsF(qapp.font())
    kinds = ("expand", "depthwise", "project", "squeeze_excite_conv")
    names = [f"expanded_conv_{block}_{kind}" for block in range(1, 9) for kind in kinds]
    shown = short_names(names, metrics, metrics.horizontalAdvance("e_c_4_depthwise_"))
    assert len(set(shown.values())) == len(names)
    assert shown["expanded_conv_4_depthwise"] == "e_c_4_depthwise" and shown["expanded_conv_4_project"].endswith(
        "project"
    )


def test_there_may_be_no_names(qapp):
    assert short_names([], QtGui.QFontMetricsF(qapp.font()), 10) == {}
