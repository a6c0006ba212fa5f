"""Which cases of a test run on all backends, if the rest runs on one."""

import pytest


def every_backend_runs(cases, *chosen):
    """The names of all cases, the chosen ones marked."""
    unknown = set(chosen) - set(cases)
    assert not unknown, f"there are no cases {unknown}"
    return [pytest.param(name, marks=pytest.mark.every_backend if name in chosen else ()) for name in cases]
