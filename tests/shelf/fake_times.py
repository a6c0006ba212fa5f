"""Passes that take 10 us, and 1 us for each 1,000 MACs, for tables of latency."""

import firekeras
from firekeras.export import layer_times
from firekeras.export.latency import Latency


def timed_by_macs(models, *, batch_size=1, threads=None, on_progress=None, **settings):
    """What `measure_latencies` gives, without a clock."""
    if on_progress:
        on_progress(2, 4)
        on_progress(4, 4)
    seconds = [1e-5 + 1e-9 * firekeras.count_costs(model).macs for model in models]
    return [Latency(s, 0.0, batch_size, s, "Keras (fake)", threads) for s in seconds]


def table_of(model, monkeypatch):
    """A latency table of a model."""
    monkeypatch.setattr(layer_times, "measure_latencies", timed_by_macs)
    return firekeras.latency_table(model, runtime="keras", device="here")
