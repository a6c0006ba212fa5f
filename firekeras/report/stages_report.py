"""Files on the way to the device, side by side; time by layer, and by width."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from firekeras.channels.costs import COSTS, SHOWN
from firekeras.report.board_report import is_exported, needs_of
from firekeras.report.fitting import FittingTable
from firekeras.report.tables import metric, short_number

SMALL = 0.03  # seconds, of which Python may well be most
CLEAR = 0.9  # of the MACs, or of the time: what is less has clearly fallen
OF_DEVICE = {"ram": "RAM (.keras: int8)", "flash": "flash (.keras: int8)"}
OF_INT8_INPUTS = (
    "RAM and flash of a .keras file are those of its export with --int8 --int8-inputs. Inputs and outputs of float32, "
    "as --int8 alone leaves them, may take more."
)
MOSTLY_PYTHON = (
    "The times in Keras show no clear difference: of a small network's, most is Python. Add --litert to time the "
    "network itself, or export it and report that file."
)


def stages_table(stages: Sequence) -> Table:
    """The table, a column per file.

    Args:
        stages: `Stage`s. Shares in brackets are relative to the first; those of RAM and flash only if both are what a
            file takes, or both what a `.keras` file will take in int8. A dash marks what a file does not contain.
    """
    names = [stage.path.name for stage in stages]
    table = FittingTable("On the way to the device", ["", *names], goes_on=True)
    for cost in SHOWN:
        amounts = [_amount(stage, cost) for stage in stages]
        if any(amount is not None for amount in amounts):
            kinds = [cost in OF_DEVICE and is_exported(stage) for stage in stages]
            table.add_row(OF_DEVICE.get(cost, SHOWN[cost]), *_with_shares(amounts, COSTS[cost].unit, kinds))
    table.add_row("size", *_with_shares([stage.size for stage in stages], "B"))
    table.add_row("accuracy", *(metric(stage.accuracy) for stage in stages))
    table.add_row("fastest pass, ms", *(f"{stage.latency.fastest * 1e3:.3g}" for stage in stages))
    table.add_row("median, ms", *(_median(stage.latency) for stage in stages))
    table.add_row("run by", *(stage.latency.runtime for stage in stages))
    table.add_row("threads", *(str(stage.latency.threads or "its own") for stage in stages))
    table.add_row("batch", *(str(stage.latency.batch_size) for stage in stages))
    return table


def footnotes(stages: Sequence) -> list[str]:
    """What the table's figures leave open, in sentences: which file RAM is that of, and why a time does not fall.

    Args:
        stages: `Stage`s, as in `stages_table`.
    """
    predicted = any(each.costs and each.costs.ram is not None and not is_exported(each) for each in stages)
    no_faster = any(_cut_but_no_faster(stages[0], other) for other in stages[1:])
    return [OF_INT8_INPUTS] * predicted + [MOSTLY_PYTHON] * no_faster


def _cut_but_no_faster(first, other):
    """Whether a small network in Keras has lost MACs, and hardly any time in its fastest pass, the least disturbed."""
    pair = first.latency, other.latency
    if not all(each.runtime.startswith("Keras") and each.fastest < SMALL for each in pair):
        return False
    cut = bool(first.costs and other.costs) and other.costs.macs < CLEAR * first.costs.macs
    return cut and other.latency.fastest > CLEAR * first.latency.fastest


def _amount(stage, cost):
    """A cost; flash of an exported file is its size, if it is one for microcontrollers: one whose RAM is known."""
    if stage.costs is None:
        return None
    known = stage.costs.ram is not None
    return needs_of(stage)[cost] if cost in OF_DEVICE and known else getattr(stage.costs, cost)


def _median(latency):
    return f"{latency.median * 1e3:.3g} ± {latency.spread * 1e3:.1g}"


def _with_shares(amounts, unit="", kinds=None):
    """Each amount with its share of the first, if that is of the same kind; a dash if there is no amount."""
    first, *others = amounts
    shown = ["-" if amount is None else short_number(amount, unit) for amount in amounts]
    same = [kinds is None or kind == kinds[0] for kind in kinds or amounts][1:]
    shares = [_share(amount, first) if alike else "" for amount, alike in zip(others, same, strict=True)]
    return [text + share for text, share in zip(shown, ["", *shares], strict=True)]


def _share(amount, first):
    return f" ({amount / first:.1%})" if amount is not None and first else ""


def layers_table(name: str, seconds) -> Table:
    """Time by layer.

    Args:
        name: The name of the file.
        seconds: The seconds of each layer, in the order in which they run.
    """
    table = FittingTable(f"Time by layer of {name}", ("layer", "ms", "share"))
    total = sum(seconds.values()) or 1
    for layer, each in seconds.items():
        table.add_row(Text(layer), f"{each * 1e3:.3f}", f"{each / total:.1%}")
    return table


def widths_table(latencies, macs) -> Table:
    """Time by width.

    Args:
        latencies: The `Latency` of each width.
        macs: The MACs of each width.
    """
    table = FittingTable("Four convolutions, by width", ("width", "fastest pass", "GMAC/s", "a multiple of"))
    for width, latency in latencies.items():
        multiple = next((str(n) for n in (16, 8, 4, 2) if width % n == 0), "")
        rate = macs[width] / latency.fastest / 1e9
        table.add_row(str(width), f"{latency.fastest * 1e3:.3f} ms", f"{rate:.1f}", multiple)
    return table
