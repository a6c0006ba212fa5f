"""Work that takes several steps: each file is one task, such as measuring, running or exporting."""

from inspector.tasks.converting import Converting
from inspector.tasks.exporting import Exporting
from inspector.tasks.figures import Figures
from inspector.tasks.judging import Judging
from inspector.tasks.measuring import Measuring
from inspector.tasks.running import Running
from inspector.tasks.saving import Saving
from inspector.tasks.scoring import Scoring
from inspector.tasks.tabling import Tabling
from inspector.tasks.task import Task, in_words
from inspector.tasks.timing import Timing
