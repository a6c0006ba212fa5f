"""FIRE: model and data in, `FireProfile` out, in one pass over the data."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from firekeras.arguments import typed
from firekeras.channels.check import check_weights
from firekeras.data.checks import checked_data, num_samples, shuffled_or_share
from firekeras.data.ending import watched
from firekeras.keras_models import devices
from firekeras.network import Network
from firekeras.quiet import without_retracing_warnings
from firekeras.refusals import check_batch_size, check_share, checked_whole
from firekeras.scores.detector.features import extract_features
from firekeras.scores.fire.counting import ZeroCount
from firekeras.scores.fire.counting_pass import CountingPass
from firekeras.scores.fire.enough import StopWhenSettled
from firekeras.scores.fire.progress import ProgressLine, ProgressReports
from firekeras.scores.profile import FilterScores, FireProfile


@typed
@without_retracing_warnings()
def measure_fire(
    model: keras.Model,
    data: Any,
    *,
    batch_size: int | None = None,
    fraction: float | str = 1.0,
    neuron_maps: bool = False,
    seed: int = 0,
    cut: float = 0.05,
    on_progress: Callable[[int, int | None], None] | None = None,
) -> FireProfile:
    """Measures the FIRE of every filter: the share of its ReLU outputs that are zero.

    The FIRE of a filter is (zeros after its ReLU) / (samples x positions), in inference mode
    (FIREPruning, Fang et al. 2020, section 3.1, eq. 1-3). Its ReLU is the first that its channel passes
    through with only channel-wise layers between; filters that meet something else first are not
    scored (NaN, with a reason). The counts are exact integers.

    Args:
        model: A built Functional or Sequential model. It is not changed, and need not be compiled.
        data: What `model.fit` takes: arrays, `(x, y)`, a `tf.data.Dataset`, `PyDataset`, torch
            `DataLoader` or generator. Labels are ignored.
        batch_size: Batch size for arrays. Defaults to 32.
        fraction: Share of the data to use, above 0, up to 1: for arrays a random choice of samples, for
            data in batches the first ones. `"auto"` stops once it is certain, with 95% confidence,
            which filters are the next to go (see `firekeras.scores.fire.enough`); data in batches must
            then come in random order. Defaults to 1.0; the paper uses 0.2.
        neuron_maps: Whether to keep the inactive rate of each position (NIRE) too, in `maps`.
            Defaults to False.
        seed: Seed of the choice of samples. Defaults to 0.
        cut: For `fraction="auto"`, the share of filters that will be removed, above 0 and below 1.
            Defaults to 0.05.
        on_progress: A function that is called a few times a second with the number of finished batches
            and the number of all, `None` if unknown. Defaults to a progress bar on terminals.

    Returns:
        A `FireProfile`: `profile["conv1"]` is a float64 array `(filters,)`, each in [0, 1].

    Raises:
        ValueError: If the model has no ReLU, its weights are NaN, the data are empty or do not fit the
            model's inputs, or `fraction` or `cut` is out of range.

    Example:
    >>> profile = firekeras.measure_fire(model, x_train, fraction=0.5)
    >>> profile["conv1"].shape, profile.samples == len(x_train) // 2
    ((8,), True)
    """
    network, counts = count_zeros(
        model,
        data,
        batch_size=batch_size,
        fraction=fraction,
        neuron_maps=neuron_maps,
        seed=seed,
        cut=cut,
        on_progress=on_progress,
    )
    return profile_from_counts(network, counts, extract_features(network))


def count_zeros(
    model: keras.Model,
    data: Any,
    *,
    batch_size: int | None = None,
    fraction: float | str = 1.0,
    neuron_maps: bool = False,
    seed: int = 0,
    cut: float = 0.05,
    on_progress: Callable[[int, int | None], None] | None = None,
) -> tuple[Network, dict[Any, ZeroCount]]:
    """Counts the zeros behind each ReLU, for `profile_from_counts`.

    Args:
        model, data, and all others: As in `measure_fire`.

    Returns:
        The network, and a count for each of its ReLUs, by its key.
    """
    devices.check_strategy(model)
    check_batch_size(batch_size)
    checked_whole("seed", seed, 0)
    check_share("cut", cut, "the share of filters that will be removed", above=0, below=1)
    model = _on_this_process(model)
    network = Network.of(model)
    check_weights(model)
    check_has_relus(network)
    auto = fraction == "auto"
    data, steps = shuffled_or_share(checked_data(model, data), fraction, seed)
    axes = {relu.key: relu.axis for relu in network.relus}
    counting = CountingPass.of(model, axes, neuron_maps, spread=auto)
    stop = [StopWhenSettled(lambda: rates_so_far(network, counting.counts()), num_samples(data), cut)] if auto else []
    line = ProgressReports(on_progress) if on_progress else ProgressLine("Measuring FIRE")
    with line, watched(None if steps else data, line.title, shown=False) as watch:
        counting.run(data, batch_size=batch_size, steps=steps, callbacks=[line, *stop, *watch])
    counts = counting.counts()
    counting.keep()
    return network, counts


def _on_this_process(model):
    """The model, or a copy on the devices of this process if it is distributed over several.

    Each process then counts separately, and their shares of the data may differ in size.
    """
    if not devices.several_processes():
        return model
    with devices.alone():
        return Network.of(model).copy()


def check_has_relus(network):
    """Raises `ValueError` if no filter has its own ReLU, so there is no FIRE."""
    if not network.relus:
        reasons = [f"{name}: {reason}" for name, reason in list(network.unscored.items())[:3]]
        if not network.graph.filter_layers:
            raise ValueError(f"The model {network.model.name!r} has no filters to measure: {network.graph.why_none()}.")
        raise ValueError(
            f"No filter of {network.model.name!r} has a ReLU of its own, so there is no FIRE to measure "
            f"({'; '.join(reasons)}). Use another criterion: score_filters(model, criterion='l1'), or method='l1'."
        )


def with_fire(network: Network) -> FilterScores:
    """Equal scores for all filters that have FIRE, NaN for the others."""
    scores = {name: np.full(width, np.nan) for name, width in network.graph.widths.items()}
    for relu in network.relus:
        for name, filters, _ in filters_behind(network, relu):
            scores[name][filters] = 0.0
    return FilterScores(scores, criterion="fire", reasons=network.unscored)


def rates_so_far(network, counts):
    """(mean, deviation, samples) over samples so far, of the filters that can be ranked, each an array."""
    means, deviations = [], []
    for relu in network.relus:
        channels = [channel for name, _, own in filters_behind(network, relu) for channel in own]
        means.append(counts[relu.key].rates()[channels])
        deviations.append(counts[relu.key].deviation()[channels])
    samples = max(count.samples for count in counts.values())
    return np.concatenate(means), np.concatenate(deviations), samples


def profile_from_counts(network, counts, features, mode="inference") -> FireProfile:
    """Sums counts by filter: a filter whose layer is called twice has two ReLUs.

    Args:
        network: The network that was counted.
        counts: A `ZeroCount` for each ReLU, by key; a ReLU without one is passed over.
        features: The features of its filters, as `extract_features` returns them.
        mode: How the model ran: `"inference"` or `"training"`.
    """
    widths = network.graph.widths
    zeros = {name: np.zeros(width, "int64") for name, width in widths.items()}
    seen = {name: np.zeros(width, "int64") for name, width in widths.items()}
    maps: dict[str, list] = defaultdict(list)
    for relu in network.relus:
        count = counts.get(relu.key)
        if count is None:
            continue
        zeros_of = count.by_channel()
        for name, filters, channels in filters_behind(network, relu):
            np.add.at(zeros[name], filters, zeros_of[channels].reshape(filters.size, -1).sum(axis=1))
            np.add.at(seen[name], filters, count.seen)
            if count.per_position:
                maps[name].append((filters, zeros_of[channels] / max(1, count.samples)))
    return FireProfile(
        zeros,
        seen,
        samples=max(count.samples for count in counts.values()),
        features=features,
        graph=network.graph,
        reasons=network.unscored,
        maps={name: _joined_maps(name, widths[name], parts) for name, parts in maps.items()},
        mode=mode,
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )


def filters_behind(network, relu):
    """Yields (layer, filters, channels): which channels of a ReLU's output are whose filters'."""
    owners = [(channel, *network.births[label]) for channel, label in enumerate(relu.labels.tolist()) if label]
    for name in dict.fromkeys(owner[1] for owner in owners):
        mine = [(channel, filter) for channel, owner, filter in owners if owner == name]
        channels, filters = np.array(mine).T
        yield name, filters, channels


def _joined_maps(name, width, parts):
    """The map of each filter, `(filters, *positions)`: the mean over the calls of its layer."""
    positions = {rates.shape[1:] for _, rates in parts}
    if len(positions) > 1:
        raise ValueError(
            f"Layer {name!r} is called on images of different sizes {sorted(positions)}, so its filters have no single "
            "map. Measure with neuron_maps=False."
        )
    total = np.zeros((width, *positions.pop()), "float32")
    calls = np.zeros(width)
    for filters, rates in parts:
        np.add.at(total, filters, rates)
        np.add.at(calls, filters, 1)
    return (total / np.maximum(calls, 1).reshape(-1, *[1] * (total.ndim - 1))).astype("float32")
