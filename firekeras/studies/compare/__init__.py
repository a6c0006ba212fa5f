"""A fair comparison of methods: the same network, data, epochs and target for each, over several seeds.

Each run uses the same engine and pace as `compress`. `settings` holds what all runs share, `contest` does one run,
`results` keeps the outcomes, and `report` shows them.
"""

from firekeras.studies.compare.comparison import compare
from firekeras.studies.compare.entries import ByName, Scratch, Unpruned
from firekeras.studies.compare.results import Comparison, Outcome

__all__ = ["ByName", "Comparison", "Outcome", "Scratch", "Unpruned", "compare"]
