import pytest
from PySide6 import QtGui

from inspector.widgets import best_elide


@pytest.mark.parametrize("name", ["block_{}_depthwise_of_the_net", "convolution_number_{}", "{}_convolution_of_a_net"])
def test_shortened_names_still_differ(qapp, name):
    names = [name.format(number) for number in range(10, 30)]
    metrics = QtGui.QFontMetricsF(qapp.font())
    room = 0.8 * metrics.horizontalAdvance(names[0])
    mode = best_elide(names, metrics, room)
    assert len({metrics.elidedText(each, mode, room) for each in names}) == 20
