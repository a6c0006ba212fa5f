"""Prints the accuracy after cuts by each criterion at equal MACs, without fine-tuning, as a Markdown table.

    python examples/criteria.py MODEL.keras --data cifar10.npz --limit 2000 --targets 0.8 0.6 0.4
    python examples/criteria.py vgg16.keras --data cifar10.npz --criteria fire l1 contribution --balance 0 0.5 1
    python examples/criteria.py resnet56.keras --data cifar10.npz --leave "*conv2" conv1

Each plan is cut at once; BatchNormalization's statistics are then measured again on training images, since otherwise
their mismatch would hide the differences between criteria. Criteria that need data get the same training images;
accuracy is on test images. The model is assumed to output logits. A dash marks a target that cannot be reached.
"""

import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import firekeras
from firekeras import datasets
from firekeras.recovery import reestimate_batch_norm
from firekeras.scores.criteria import CRITERIA


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a .keras file")
    parser.add_argument("--data", required=True, help="as `firekeras measure --data` takes it")
    parser.add_argument("--limit", type=int, default=2000, help="how many training images, and test images")
    parser.add_argument("--criteria", nargs="+", default=sorted(set(CRITERIA) - {"apoz"}))  # the same as fire
    parser.add_argument("--balance", nargs="+", type=float, default=[0.0], help="weights of the rank within the layer")
    parser.add_argument("--targets", nargs="+", type=float, default=[0.8, 0.6, 0.4], help="shares of conv MACs to keep")
    parser.add_argument("--ratios", nargs="+", type=float, default=[], help="shares of filters to remove, in addition")
    parser.add_argument("--leave", nargs="+", default=[], help="layers to leave alone, by name or pattern")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def chosen(x, y, limit, rng):
    picked = rng.permutation(len(x))[:limit]
    return x[picked], y[picked]


class Table:
    """Cuts one model in many ways."""

    def __init__(self, model, train, test, options):
        self.model, self.train, self.test, self.options = model, train, test, options
        self.graph = firekeras.channel_graph(model)

    def columns(self):
        """The settings of each plan for `plan_pruning`, by heading."""
        targets = {f"{share:.0%} of conv MACs": {"target": {"conv_macs": share}} for share in self.options.targets}
        return targets | {f"{ratio:.0%} of filters gone": {"pruning_ratio": ratio} for ratio in self.options.ratios}

    def row(self, scores, balance):
        return [self.cell(scores, {"balance": balance, "max_cut": 1, **asked}) for asked in self.columns().values()]

    def cell(self, scores, settings):
        """Accuracy after the cut, the share of filters gone, and that of conv MACs left unless it is the target."""
        caps = dict.fromkeys(self.options.leave, 0.0)
        try:
            plan = firekeras.plan_pruning(self.graph, scores, layer_caps=caps, **settings)
        except ValueError:
            return "-"
        smaller = firekeras.prune(self.model, plan)
        reestimate_batch_norm(smaller, self.train[0], batch_size=250, samples=len(self.train[0]))
        kept = plan.costs_after.conv_macs / plan.costs_before.conv_macs
        beside = f"{kept:.0%} MACs" if "pruning_ratio" in settings else f"{plan.num_removed / plan.ranked:.0%} gone"
        return f"{self.accuracy(smaller):.3f} ({beside})"

    def accuracy(self, model):
        return model.evaluate(*self.test, batch_size=250, verbose=0, return_dict=True)["accuracy"]


def main():
    options = arguments()
    rng = np.random.default_rng(options.seed)
    dataset = datasets.load_dataset(options.data)
    model = keras.models.load_model(options.model, compile=False)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, metrics=["accuracy"])
    train = chosen(dataset.x_train, dataset.y_train, options.limit, rng)
    table = Table(model, train, chosen(dataset.x_test, dataset.y_test, options.limit, rng), options)
    print(f"{model.name}: {table.accuracy(model):.3f} before\n")
    print("| criterion | seconds |", " | ".join(table.columns()), "|")
    print("|---|---|" + "---|" * len(table.columns()))
    for name in options.criteria:
        start = time.perf_counter()
        scores = firekeras.score_filters(model, name, data=train, seed=options.seed)
        seconds = time.perf_counter() - start
        for weight in options.balance:
            label = f"{name}, balanced {weight:g}" if weight else name
            print(f"| {label} | {seconds:.1f} |", " | ".join(table.row(scores, weight)), "|", flush=True)


if __name__ == "__main__":
    main()
