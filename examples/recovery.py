"""Prints the effect of recovery before fine-tuning, and of distillation during it, on a network.

    python examples/recovery.py MODEL.keras --data DATA.npz [--limit 10000] [--seeds 3] [--ratio 0.2]

For each seed it draws training images, measures FIRE on them, and cuts the given share of the filters once. Each row
then starts from the same cut: recovery steps, accuracy on test images right after them, one epoch of
fine-tuning in the seed's order, and accuracy again. It prints the mean over seeds and, with several, the standard
deviation. The test images decide nothing.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import firekeras
from firekeras import datasets
from firekeras.cli import classifier
from firekeras.recovery import get_recovery
from firekeras.recovery.distill import fit_distilled

VARIANTS = {
    "nothing": ([], False),
    "fold_means": (["fold_means"], False),
    "batch_norm": (["batch_norm"], False),
    "both": (["fold_means", "batch_norm"], False),
    "both, distilled": (["fold_means", "batch_norm"], True),
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a .keras file of a classifier")
    parser.add_argument("--data", required=True, help="as `firekeras measure --data` takes it")
    parser.add_argument("--limit", type=int, default=10_000, help="training images, at most")
    parser.add_argument("--test-limit", type=int, help="test images, at most; all by default")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds, from 0")
    parser.add_argument("--ratio", type=float, default=0.2, help="share of the filters that go")
    parser.add_argument("--balance", type=float, default=0.0, help="0 ranks over all layers, 1 within each")
    parser.add_argument("--max-cut", type=float, default=1.0, help="share of a layer that may go in the cut")
    parser.add_argument("--learning-rate", type=float, default=0.01)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--temperature", type=float, default=3.0, help="temperature of the distillation")
    parser.add_argument("--weight", type=float, default=0.5, help="the teacher's share of the loss")
    return parser.parse_args()


def accuracy(model, images):
    return model.evaluate(*images, batch_size=250, verbose=0, return_dict=True)["accuracy"]


def subset(x, y, limit, seed):
    chosen = np.random.default_rng(seed).permutation(len(x))[:limit]
    return x[chosen], y[chosen]


def tried(model, plan, variant, train, test, seed, options):
    """Accuracy right after the cut and its recovery, and after an epoch of fine-tuning."""
    steps, distilled = VARIANTS[variant]
    smaller = firekeras.prune(model, plan)
    for step in get_recovery(steps):
        for note in step(model, smaller, plan, train, options.batch_size):
            print(f"  {variant}: {note}")
    after_cut = accuracy(smaller, test)
    keras.utils.set_random_seed(seed)
    fit = {"batch_size": options.batch_size, "verbose": 0}
    if distilled:
        fit_distilled(smaller, model, *train, temperature=options.temperature, weight=options.weight, **fit)
    else:
        smaller.fit(*train, **fit)
    return after_cut, accuracy(smaller, test)


def run(model, dataset, test, seed, options):
    """(after the cut, after fine-tuning) of each variant, `(variants, 2)`."""
    train = subset(dataset.x_train, dataset.y_train, options.limit, seed)
    profile = firekeras.measure_fire(model, train, batch_size=options.batch_size)
    plan = firekeras.plan_pruning(
        model, profile, pruning_ratio=options.ratio, balance=options.balance, max_cut=options.max_cut
    )
    macs = plan.costs_after.conv_macs / plan.costs_before.conv_macs
    print(f"seed {seed}: {plan.num_removed} filters go, {macs:.1%} of the conv MACs stay", flush=True)
    rows = []
    for variant in VARIANTS:
        rows.append(tried(model, plan, variant, train, test, seed, options))
        print(f"  {variant}: {rows[-1][0]:.4f}, then {rows[-1][1]:.4f}", flush=True)
    return np.array(rows)


def shown(values):
    """Mean and standard deviation of a few values, `(seeds,)`."""
    return f"{values.mean():.4f}" + (f" ± {values.std(ddof=1):.4f}" if values.size > 1 else "")


def main():
    options = arguments()
    model = keras.models.load_model(options.model, compile=False)
    dataset = datasets.load_dataset(options.data)
    classifier.check_classes(model, dataset)
    classifier.compile_for_tuning(model, options.learning_rate)
    test = subset(dataset.x_test, dataset.y_test, options.test_limit, seed=0)
    print(f"{model.name}: accuracy {accuracy(model, test):.4f} on {len(test[0])} test images before the cut")
    results = np.stack([run(model, dataset, test, seed, options) for seed in range(options.seeds)], axis=-1)
    print("\n| recovery | right after the cut | after one epoch |\n|---|---|---|")
    for variant, (after_cut, tuned) in zip(VARIANTS, results, strict=True):
        print(f"| {variant} | {shown(after_cut)} | {shown(tuned)} |")


if __name__ == "__main__":
    main()
