"""Whatever a test registers is forgotten after it."""

import pytest

from firekeras.channels import registry
from firekeras.export.formats import FORMATS
from firekeras.methods import METHODS
from firekeras.recovery import RECOVERY
from firekeras.scores.criteria import CRITERIA, gaussian
from firekeras.scores.detector.regressors import REGRESSORS

REGISTRIES = (registry._RULES, gaussian._FOLLOWERS, CRITERIA, METHODS, FORMATS, RECOVERY, REGRESSORS)


@pytest.fixture
def registries():
    """Restores all tables of rules, criteria, methods, formats, recovery steps and regressors."""
    before = [dict(table) for table in REGISTRIES]
    yield
    for table, entries in zip(REGISTRIES, before, strict=True):
        table.clear()
        table.update(entries)
