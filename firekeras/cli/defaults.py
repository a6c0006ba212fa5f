"""Defaults of the command line that others show too."""

UNCOMPILED = 0.01  # the learning rate of a model that was not compiled, which SGD trains
