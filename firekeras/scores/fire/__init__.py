"""FIRE measured: one pass over the data, counting zeros where filters meet their ReLUs."""
