"""The rules, by what an operation does with channels. Importing this registers them."""

from firekeras.channels.rules import (
    applications,
    attention,
    channelwise,
    elementwise,
    mixing,
    normalization,
    products,
    recurrent,
    shapes,
    slicing,
    wrappers,
)

__all__ = [
    "applications",
    "attention",
    "channelwise",
    "elementwise",
    "mixing",
    "normalization",
    "products",
    "recurrent",
    "shapes",
    "slicing",
    "wrappers",
]
