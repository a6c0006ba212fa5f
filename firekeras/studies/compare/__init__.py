"""One fair comparison of methods: the same network, data, epochs and target for each, over several seeds.

Each run is one of `compress`, by the same engine and pace. `settings` says what is the same for all, `contest`
does one run, `results` keeps what came out, `report` shows it.
"""

from firekeras.studies.compare.comparison import compare
from firekeras.studies.compare.contest import Scratch, Unpruned
from firekeras.studies.compare.results import Comparison, Outcome

__all__ = ["Comparison", "Outcome", "Scratch", "Unpruned", "compare"]
