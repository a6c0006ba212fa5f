"""Makes the networks for `examples/deployment.py`: pruned by FIRE in one cut, and fine-tuned.

    python examples/deployment_models.py MODEL.keras --data DATA.npz --output DIR [--macs 0.5] [--epochs 4]

It writes `original.keras`; `pruned.keras`, with any widths; and `pruned8.keras`, with `round_to=8`. FIRE is measured
on 10,000 training images, one cut leaves `--macs` of the MACs, means are folded, BatchNormalization's statistics are
measured again, and the network is fine-tuned for `--epochs` epochs on all training images, flipped and cropped at
random (SGD, Nesterov momentum 0.9, learning rate from 0.02 to 0 along a cosine, batches of 128). The test
images decide nothing. KERAS_BACKEND is respected.
"""

import argparse
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from augmented import Augmented

import firekeras
from firekeras import atomic, datasets
from firekeras.cli import classifier
from firekeras.keras_models import model_file
from firekeras.recovery import get_recovery

MEASURED = 10_000
VARIANTS = {"original": None, "pruned": 1, "pruned8": 8}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a .keras file of a classifier")
    parser.add_argument("--data", required=True, help="as `firekeras measure --data` takes it")
    parser.add_argument("--output", type=pathlib.Path, required=True, help="a folder")
    parser.add_argument("--macs", type=float, default=0.5, help="share of the MACs that is left")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--limit", type=int, help="training images, at most")
    parser.add_argument("--learning-rate", type=float, default=0.02)
    parser.add_argument("--only", choices=VARIANTS, nargs="+", default=list(VARIANTS))
    return parser.parse_args()


def cut(model, train, macs, round_to):
    """The smaller network, recovered as far as possible without training."""
    seen = tuple(array[:MEASURED] for array in train)
    profile = firekeras.measure_fire(model, seen, batch_size=250)
    plan = firekeras.plan_pruning(model, profile, target={"macs": macs}, round_to=round_to)
    smaller = firekeras.prune(model, plan)
    for step in get_recovery(["fold_means", "batch_norm"]):
        step(model, smaller, plan, seen, 250)
    return smaller


def fine_tune(network, train, options):
    """Trains in place."""
    keras.utils.set_random_seed(0)
    data = Augmented(*train)
    schedule = keras.optimizers.schedules.CosineDecay(options.learning_rate, options.epochs * len(data))
    classifier.compile_for_tuning(network, schedule)
    network.fit(data, epochs=options.epochs, verbose=2)


def made(name, options, train):
    """One of the networks."""
    network = model_file.load_model(options.model, compile=False)
    if VARIANTS[name]:
        network = cut(network, train, options.macs, VARIANTS[name])
    if name != "original":
        fine_tune(network, train, options)
    return network


def main():
    options = arguments()
    options.output.mkdir(parents=True, exist_ok=True)
    data = datasets.load_dataset(options.data, limit=options.limit)
    test = data.x_test, data.y_test
    for name in options.only:
        network = made(name, options, (data.x_train, data.y_train))
        atomic.save_model(network, options.output / f"{name}.keras")
        classifier.compile_for_tuning(network, options.learning_rate)
        accuracy = network.evaluate(*test, batch_size=250, verbose=0, return_dict=True)["accuracy"]
        costs = firekeras.count_costs(network)
        print(f"{name}: accuracy {accuracy:.4f}, MACs {costs.macs:,}, parameters {costs.params:,}", flush=True)


if __name__ == "__main__":
    main()
