"""Rounds of pruning and fine-tuning: the engine, its settings, and the directory of a run."""
