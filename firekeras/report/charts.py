"""The charts of a run, as SVG: the metric by round, and against what is left of the MACs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from xml.etree.ElementTree import Element

from firekeras.channels.costs import SHOWN
from firekeras.report.markup import px, tag
from firekeras.report.run_report import RunReport
from firekeras.report.tables import metric

# About the width of a phone or of half a page in pixels, so the text in the chart has the size of the text around it.
WIDTH, HEIGHT = 420, 270
LEFT, RIGHT, TOP, BOTTOM = 56, 14, 12, 40


@dataclasses.dataclass(frozen=True)
class Scale:
    """Maps values to pixels.

    Args:
        low, high: The ends of the axis as values; low < high.
        start, end: The positions of these ends, in pixels.
    """

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def around(cls, values: Iterable[float], start, end) -> Scale:
        """A scale with a little room around all finite values."""
        finite = [value for value in values if math.isfinite(value)] or [0.0]
        low, high = min(finite), max(finite)
        room = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
        return cls(low - room, high + room, start, end)

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def step(self) -> float:
        """The distance between two ticks: 1, 2 or 5 times a power of ten, for at most five ticks."""
        rough = (self.high - self.low) / 5
        power = 10.0 ** math.floor(math.log10(rough))
        return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)

    def ticks(self, step) -> list[float]:
        """The multiples of `step` on the axis."""
        return [k * step for k in range(math.ceil(self.low / step), math.floor(self.high / step) + 1)]


def accuracy_chart(run: RunReport) -> Element:
    """The metric by round, after the cut and after training; crosses mark rounds that were undone."""
    cut = {record.number: record.after_cut for record in run.rounds}
    if run.progress:
        cut[run.progress.number] = run.progress.accuracy_after_cut
    values = (run.baseline, run.limit, *(record.accuracy for record in run.rounds), *cut.values())
    y = Scale.around(values, HEIGHT - BOTTOM, TOP)
    x = Scale(-0.4, max([*cut, 1]) + 0.4, LEFT, WIDTH - RIGHT)
    cuts = [_square(x(at), y(value), f"Round {at}: {metric(value)} after the cut") for at, value in cut.items()
            if math.isfinite(value)]  # fmt: skip
    tuned = [(record, x(record.number)) for record in run.rounds]
    marks = [*_stems(tuned, y), *cuts, _path([(x(0), y(run.baseline)), *_kept(tuned, y)]), *_results(tuned, y)]
    label = f"{run.monitor} by round, from {metric(run.baseline)} to {metric(run.accuracy)}; see the table of rounds"
    return _chart(label, x, y, max(1, round(x.step())), "round", [*_levels(run, y), *marks])


def frontier_chart(run: RunReport) -> Element:
    """The metric of each round's model against the share of the MACs that are left."""
    field, before = macs_field(run)
    shares = [100 * getattr(record, field) / before for record in run.rounds]
    values = (run.baseline, run.limit, *(record.accuracy for record in run.rounds))
    y = Scale.around(values, HEIGHT - BOTTOM, TOP)
    x = Scale.around([100.0, *shares], LEFT, WIDTH - RIGHT)
    tuned = [(record, x(share)) for record, share in zip(run.rounds, shares, strict=True)]
    marks = [_path([(x(100), y(run.baseline)), *_kept(tuned, y)]), *_results(tuned, y)]
    left = f"{getattr(run.costs_after, field) / before:.1%}"
    label = f"{run.monitor} against {SHOWN[field]} left: {metric(run.accuracy)} with {left}; see the table of rounds"
    return _chart(label, x, y, x.step(), f"% of {SHOWN[field]} left", [*_levels(run, y), *marks])


def macs_field(run: RunReport) -> tuple[str, int]:
    """The kind of MACs to compare, and their number before: those of convolutions, if there are any."""
    field = run.costs_before.headline
    return field, getattr(run.costs_before, field) or 1


def key(kind: str) -> Element:
    """The mark for the legend: of `"tuned"`, `"cut"`, `"undone"`, `"baseline"` or `"limit"`."""
    marks = {"tuned": _dot, "cut": _square, "undone": _cross}
    mark = marks[kind](8, 6, "") if kind in marks else tag("line", class_=kind, x1=0, x2=16, y1=6, y2=6)
    return tag("svg", mark, class_="key", viewBox="0 0 16 12", width=16, height=12, aria_hidden="true")


def _chart(label, x, y, x_step, title, marks):
    return tag(
        "svg",
        *_y_axis(y),
        *_x_axis(x, x_step),
        tag("text", title, class_="title", x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 4),
        *marks,
        class_="chart",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=label,
    )


def _y_axis(y):
    step = y.step()
    for value in y.ticks(step):
        yield tag("line", class_="grid", x1=LEFT, x2=WIDTH - RIGHT, y1=px(y(value)), y2=px(y(value)))
        yield tag("text", _short(value, step), class_="y", x=LEFT - 6, y=px(y(value) + 4))


def _x_axis(x, step):
    for value in x.ticks(step):
        yield tag("line", class_="grid", x1=px(x(value)), x2=px(x(value)), y1=HEIGHT - BOTTOM, y2=HEIGHT - BOTTOM + 4)
        yield tag("text", _short(value, step), class_="x", x=px(x(value)), y=HEIGHT - BOTTOM + 17)


def _levels(run, y):
    """Lines at the baseline and at the limit that the tolerance sets."""
    for kind, value in (("baseline", run.baseline), ("limit", run.limit)):
        if math.isfinite(value):
            yield tag("line", class_=kind, x1=LEFT, x2=WIDTH - RIGHT, y1=px(y(value)), y2=px(y(value)))


def _stems(tuned, y):
    """Lines from the metric after a cut to the metric after training."""
    for record, x in tuned:
        if math.isfinite(record.after_cut) and math.isfinite(record.accuracy):
            ends = {"y1": px(y(record.accuracy_after_cut)), "y2": px(y(record.accuracy))}
            yield tag("line", class_="stem", x1=px(x), x2=px(x), **ends)


def _kept(tuned, y):
    return [(x, y(record.accuracy)) for record, x in tuned if record.accepted]


def _results(tuned, y):
    """Marks for trained rounds; a metric that is not finite is not drawn."""
    for record, x in tuned:
        if math.isfinite(record.accuracy):
            words = f"Round {record.number}: {metric(record.accuracy)} trained, {record.outcome}"
            yield (_dot if record.accepted else _cross)(x, y(record.accuracy), words)


def _path(points):
    drawn = [f"{px(x)},{px(y)}" for x, y in points if math.isfinite(y)]
    return tag("polyline", class_="tuned", points=" ".join(drawn))


def _dot(x, y, words):
    return tag("circle", tag("title", words), class_="tuned", cx=px(x), cy=px(y), r=4)


def _square(x, y, words):
    return tag("rect", tag("title", words), class_="cut", x=px(x - 3.5), y=px(y - 3.5), width=7, height=7)


def _cross(x, y, words):
    arms = f"M{px(x - 4)} {px(y - 4)}L{px(x + 4)} {px(y + 4)}M{px(x - 4)} {px(y + 4)}L{px(x + 4)} {px(y - 4)}"
    return tag("path", tag("title", words), class_="undone", d=arms)


def _short(value, step):
    return f"{value:.{max(0, -math.floor(math.log10(step) + 1e-9))}f}"
