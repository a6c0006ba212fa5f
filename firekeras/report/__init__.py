"""Reports on what was pruned, what was not, and why: in the terminal, as an HTML page, in TensorBoard."""
