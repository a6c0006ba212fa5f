"""Latency as a table of layers predicts it, against exported files.

    python examples/benchmarks/latency_table.py [NAME.keras ...] [--runs 100]

For each network: measures its table in LiteRT on one thread, plans for shares of the latency, exports the pruned
networks and times all files in turns. The last rows of a network are cuts to the MACs of one of the plans, without a
table. Without names: two networks of `firekeras.zoo`, with random weights.
"""

import argparse
import contextlib
import time

import keras

import firekeras
from firekeras.export.exporting import momentary_file
from firekeras.export.latency import measure_latencies

SHARES = (0.75, 0.5, 0.35)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("paths", nargs="*")
    arguments.add_argument("--runs", type=int, default=100)
    chosen = arguments.parse_args()
    print(
        "| network | plan | filters gone | MACs left | ms, predicted | measured | of the whole, predicted | measured |"
    )
    print("|---|---|---|---|---|---|---|---|")
    errors = [pair for model in networks(chosen.paths) for pair in rows(model, chosen.runs)]
    for what, apart in zip(("time", "share of the whole"), zip(*errors, strict=True), strict=True):
        print(f"\nError of the {what}: largest {max(apart):.0%}, mean {sum(apart) / len(apart):.0%} of {len(apart)}.")


def networks(paths):
    if not paths:
        return [firekeras.zoo.digits_cnn(), firekeras.zoo.resnet_cifar(20)]
    return [keras.models.load_model(path, compile=False) for path in paths]


def rows(model, runs):
    """Prints the rows of a network; returns the errors of the predictions for pruned ones."""
    began = time.monotonic()
    table = firekeras.latency_table(model)
    seconds = time.monotonic() - began
    plans = dict(planned(model, table))
    with contextlib.ExitStack() as momentary:
        cut = [firekeras.prune(model, plan) for plan in plans.values()]
        files = [momentary.enter_context(momentary_file(network)) for network in (model, *cut)]
        latencies = measure_latencies(files, runs=runs)
    whole = table.predict(model), latencies[0].fastest
    show(model, f"whole; its table took {seconds:.0f} s", None, whole, whole)
    pairs = zip(plans.items(), latencies[1:], strict=True)
    return [show(model, *plan, (plan[1].costs_after.latency, latency.fastest), whole) for plan, latency in pairs]


def planned(model, table):
    scores = firekeras.score_filters(model, "l1")
    for step in sorted({1, table.step}):
        for share in SHARES:
            with contextlib.suppress(ValueError):  # out of reach
                target = {"latency": share}
                yield (
                    f"latency {share:.0%}, round_to={step}",
                    firekeras.plan_pruning(model, scores, target=target, round_to=step, latency=table),
                )
    macs = firekeras.plan_pruning(model, scores, target={"latency": 0.5}, latency=table).costs_after.macs
    target = {"macs": macs / firekeras.count_costs(model).macs}
    yield "MACs as for 50%", firekeras.plan_pruning(model, scores, target=target, latency=table)


def show(model, name, plan, times, whole):
    """Prints a row; returns the errors of the predicted time, and of the predicted share of the whole network's."""
    gone, left = (plan.num_removed, plan.costs_after.macs / plan.costs_before.macs) if plan else (0, 1)
    predicted, measured = times
    shares = predicted / whole[0], measured / whole[1]
    cells = (model.name, name, gone, f"{left:.0%}", *(f"{1e3 * t:.3f}" for t in times), *(f"{s:.0%}" for s in shares))
    print("|", " | ".join(map(str, cells)), "|", flush=True)
    return abs(predicted / measured - 1), abs(shares[0] / shares[1] - 1)


if __name__ == "__main__":
    main()
