"""FIRE predicted: a regressor from statistics of a filter's weights to its FIRE."""
