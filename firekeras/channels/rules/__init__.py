"""The rules, by what an operation does with channels. Importing this registers them."""

from firekeras.channels.rules import channelwise, joining, mixing, shapes

__all__ = ["channelwise", "joining", "mixing", "shapes"]
