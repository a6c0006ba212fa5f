"""Remarks of a run or a network, of which several often say the same of one layer each."""

from __future__ import annotations

import collections
import re
from collections.abc import Iterable

OF_LAYER = re.compile(r"\S+ (\(\w+\) .*)", re.DOTALL)  # "norm_1 (GroupNormalization) normalises over channels"


def joined(remarks: Iterable[str]) -> list[str]:
    """The remarks, with those that say the same of layers of one type as one.

    Args:
        remarks: Sentences, some of which begin with a layer and its type in brackets.
    """
    same: dict[str, list[str]] = collections.defaultdict(list)
    for remark in remarks:
        of_layer = OF_LAYER.fullmatch(remark)
        same[of_layer[1] if of_layer else remark].append(remark)
    return [first + (f" So it is in {len(more)} more." if more else "") for first, *more in same.values()]
