"""One fair comparison of methods: the same network, data, epochs and target for each, over several seeds.

`settings` says what is the same for all, `contest` does one run, `budget` its learning rate,
`results` keeps what came out, `report` shows it.
"""

from firekeras.compare.comparison import compare
from firekeras.compare.contest import Scratch
from firekeras.compare.results import Comparison, Outcome

__all__ = ["Comparison", "Outcome", "Scratch", "compare"]
