"""Which ranking of filters leaves the best network: one cut to a share of the conv MACs, settled, then fine-tuned.

    python examples/rankings.py [--networks conv_bn plain residual] [--seeds 0] [--rankings "fire*" random]
    python examples/rankings.py --networks MODEL.keras --data CIFAR10.npz --images 10000
    python examples/rankings.py --table

The networks are those of fashion_mnist.py, trained for 4 epochs and settled (BatchNormalization's statistics measured
again on training images), or a trained classifier from a file. Units of Dense layers stay. After the cut the means of
removed channels are folded into the layers that read them, and the network is settled: that is "cut". Then it trains
for 6 epochs at a learning rate that falls from 1e-3 to zero along a cosine, and is settled: that is "end". The table
shows test accuracy. Contribution is measured if there is no BatchNormalization. Each run is written at once, so the
same command resumes if interrupted.
"""

import argparse
import dataclasses
import fnmatch
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import fashion_mnist as fashion
import keras
import numpy as np

import firekeras
from firekeras import datasets
from firekeras.cli import classifier
from firekeras.keras_models import model_file
from firekeras.plan.balance import balanced
from firekeras.plan.units import open_scores
from firekeras.recovery import get_recovery

RESULTS = Path(__file__).parent / "results" / "rankings.jsonl"
MEASURED = 2000  # images for criteria and recovery
KEEP_DENSE = {"Dense": 0.0}

# Rankings


class Scored:
    """A trained network with the scores of its filters, each measured once, when first used."""

    def __init__(self, model, data, seed):
        self.model, self.seen, self.seed = model, tuple(array[:MEASURED] for array in data.train), seed
        self.graph, self.found = firekeras.channel_graph(model), {}
        self.normalised = any(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers)

    def __getitem__(self, criterion):
        if criterion == "contribution" and not self.normalised:
            criterion = "contribution_measured"
        if criterion not in self.found:
            self.found[criterion] = firekeras.score_filters(self.model, criterion, self.seen, seed=self.seed)
        return self.found[criterion]

    def balanced(self, criterion, weight):
        return balanced(self[criterion], self.graph, weight) if weight else self[criterion]

    def together(self, *criteria):
        """The mean of a filter's ranks within its layer, by the criteria that score it; dead filters go first."""
        within = [open_scores(self.graph, self.balanced(criterion, 1)) for criterion in criteria]
        blend = np.full(self.graph.num_units, np.nan)
        some = np.isfinite(within).any(0)
        blend[some] = np.nanmean(np.array(within)[:, some], 0)
        blend[open_scores(self.graph, self["fire"]) == 1] = 2
        values = self.graph.by_layer(blend)
        return firekeras.FilterScores(values, criterion="+".join(criteria), l1=self["l1"].l1)


RANKINGS = {
    "fire within": lambda scored: scored.balanced("fire", 1),
    "fire 0.5": lambda scored: scored.balanced("fire", 0.5),
    "fire over all": lambda scored: scored.balanced("fire", 0),
    "l1 within": lambda scored: scored.balanced("l1", 1),
    "contribution within": lambda scored: scored.balanced("contribution", 1),
    "contribution 0.5": lambda scored: scored.balanced("contribution", 0.5),
    "taylor within": lambda scored: scored.balanced("taylor", 1),
    "random within": lambda scored: scored.balanced("random", 1),
    "fire+l1 within": lambda scored: scored.together("fire", "l1"),
    "fire+l1+contribution within": lambda scored: scored.together("fire", "l1", "contribution"),
}


# One run


def tried(scored, ranking, share, data, epochs):
    """One cut by a ranking, and the accuracy right after it and at the end."""
    plan = firekeras.plan_pruning(
        scored.graph, RANKINGS[ranking](scored), target={"conv_macs": share}, layer_caps=KEEP_DENSE
    )
    smaller = firekeras.prune(scored.model, plan)
    for step in get_recovery(["fold_means", "batch_norm"]):
        step(scored.model, smaller, plan, scored.seen, 250)
    macs = plan.costs_after.conv_macs / plan.costs_before.conv_macs
    return {"conv_macs": macs, "cut": fashion.accuracy(smaller, data), "widths": widths(smaller)} | trained_on(
        smaller, data, epochs
    )


def widths(model):
    return {name: width for name, width in firekeras.channel_graph(model).widths.items() if "dense" not in name}


def trained_on(model, data, epochs):
    start = time.monotonic()
    fashion.fit_cosine(model, data, epochs)
    seconds = round(time.monotonic() - start, 1)
    return {"end": fashion.accuracy(fashion.settle(model, data), data), "seconds": seconds}


# The networks


def of_fashion(name, seed, data, options):
    """One of the networks of fashion_mnist.py, trained on 20,000 images or fewer, and settled."""
    return fashion.settle(fashion.base(name, seed, data, 4, options.cache), data)


def of_file(path, data):
    model = model_file.load_model(path, compile=False)
    logits = classifier.gives_logits(model)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=logits), metrics=["accuracy"])
    return fashion.settle(model, data)


def loaded(name, options):
    """The data of a network: all of its training images, and those that the runs train on."""
    if name in fashion.NETWORKS:
        whole = fashion.load(options.data or fashion.DATA)
    else:
        found = datasets.load_dataset(options.data)
        whole = fashion.Data((found.x_train, found.y_train), None, (found.x_test, found.y_test))
    fewer = tuple(array[: options.images] for array in whole.train)
    return whole, dataclasses.replace(whole, train=fewer, validation=None)


def run(name, seed, options):
    """Runs all missing rankings and shares of one network."""
    missing = [key for key in keys(name, seed, options) if not there(key, options)]
    if not missing:
        return
    whole, data = loaded(name, options)
    model = of_fashion(name, seed, whole, options) if name in fashion.NETWORKS else of_file(name, whole)
    scored = Scored(model, data, seed)
    print(f"{Path(name).stem}: {fashion.accuracy(model, data):.4f} before the cut", flush=True)
    for key in missing:
        keras.utils.set_random_seed(seed)
        found = one(key, model, scored, data, options)
        fashion.append(options.results, key | found)
        print(line(key | found), flush=True)


def one(key, model, scored, data, options):
    if key["ranking"] != "unpruned":
        return tried(scored, key["ranking"], key["share"], data, options.epochs)
    whole = keras.models.clone_model(model)
    whole.set_weights(model.get_weights())
    return {"conv_macs": 1.0, "cut": fashion.accuracy(model, data)} | trained_on(whole, data, options.epochs)


def keys(name, seed, options):
    found = [(1.0, "unpruned"), *((share, ranking) for share in options.shares for ranking in chosen(options))]
    common = {"network": Path(name).stem, "seed": seed, "images": options.images, "epochs": options.epochs}
    return [common | {"share": share, "ranking": ranking} for share, ranking in found]


def there(key, options):
    return fashion.recorded(key, fashion.read(options.results))


def chosen(options):
    return [name for name in RANKINGS if any(fnmatch.fnmatch(name, pattern) for pattern in options.rankings)]


def line(record):
    return (
        f"{record['network'][:8]:8} {record['ranking']:28} {record['conv_macs']:6.1%}  {record['cut']:.4f}, "
        f"then {record['end']:.4f}  {record['seconds']:6.1f} s"
    )


# What is shown


def tables(records, options):
    """Markdown, a table per network: "right after the cut / at the end" by share, means over seeds."""
    networks = list(dict.fromkeys(record["network"] for record in records))
    return "\n\n".join(table([r for r in records if r["network"] == name], name, options) for name in networks)


def table(records, network, options):
    lines = [f"| {network} | " + " | ".join(f"{share:g} of conv MACs" for share in options.shares) + " |"]
    lines.append("|---|" + "---|" * len(options.shares))
    for name in ["unpruned", *RANKINGS]:
        cells = [cell(records, name, share) for share in options.shares]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cell(records, name, share):
    key = {"ranking": name, "share": 1.0 if name == "unpruned" else share}
    found = [(record["cut"], record["end"]) for record in records if key.items() <= record.items()]
    return " / ".join(f"{value:.4f}" for value in np.mean(found, 0)) if found else "-"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=list(fashion.NETWORKS), help="by name, or a file")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--rankings", nargs="+", default=["*"], help="names or patterns (default: all)")
    parser.add_argument("--shares", nargs="+", type=float, default=[0.5, 0.25], help="shares of the conv MACs to keep")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--images", type=int, default=10_000, help="training images after the cut")
    parser.add_argument("--data", type=Path, help="Fashion-MNIST's folder; for a file, an .npz of its data")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--cache", type=Path, default=fashion.CACHE, help="folder for the trained networks")
    parser.add_argument("--table", action="store_true", help="run nothing: print the existing results as Markdown")
    return parser.parse_args()


def main():
    options = arguments()
    if not options.table:
        for seed in options.seeds:
            for name in options.networks:
                run(name, seed, options)
    print(tables(fashion.read(options.results), options))


if __name__ == "__main__":
    main()
