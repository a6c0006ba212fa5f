"""Prints how well each regressor predicts FIRE of a network, and from which features.

    python examples/detector_quality.py MODEL.keras DATA.npz [--samples 2000] [--trees 50] [--output table.json]
    python examples/detector_quality.py MODEL.keras DATA.npz --rounds 2 --limit 2000

FIRE is measured on test images. "filter" leaves random fifths of the filters out of training, "layer" one layer at a
time. With `--rounds` the network is then pruned and fine-tuned on `--limit` training images, and the predictions of the
first round's detectors for each round's network are compared with newly measured FIRE: the drift. The model
is assumed to output logits; here the predicted filters include those that a detector was trained on.
"""

import argparse
import json
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from sklearn.ensemble import RandomForestRegressor

import firekeras
from firekeras import datasets
from firekeras.methods import FirePruning
from firekeras.scores.detector.fire_detector import FireDetector

SHOWN = {
    "mae": "MAE",
    "ndcg": "NDCG@10%",
    "precision_10_10": "P@10%",
    "precision_40_40": "P@40%",
    "spearman": "Spearman",
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a .keras file")
    parser.add_argument("data", help="as `firekeras measure --data` takes it")
    parser.add_argument("--samples", type=int, default=2000, help="how many test images to measure FIRE on, at most")
    parser.add_argument("--trees", type=int, default=50, help="trees per random forest; fewer are faster")
    parser.add_argument("--rounds", type=int, default=0, help="rounds of pruning to follow the detectors through")
    parser.add_argument("--limit", type=int, default=2000, help="training images to fine-tune on")
    parser.add_argument("--ratio", type=float, default=0.1, help="share of the filters that go in a round")
    parser.add_argument("--learning-rate", type=float, default=0.005)
    parser.add_argument("--output", help="a JSON file for the figures")
    return parser.parse_args()


def detectors(trees):
    """The rows of the table: each detector, untrained."""
    forest = RandomForestRegressor(trees, min_samples_leaf=2, random_state=0)
    return {
        "closed form": FireDetector("gaussian"),
        "linear, paper": FireDetector("linear", features="paper"),
        "linear, bn": FireDetector("linear"),
        "forest, paper": FireDetector(forest, features="paper"),
        "forest, bn": FireDetector(forest),
    }


def compared(kind, detectors, compare):
    """Prints and yields a row for each detector; the closed form has none without BatchNormalization."""
    for name, detector in detectors.items():
        try:
            metrics = compare(detector)
        except ValueError as error:
            print(f"{kind:8} {name:16}  none: {error}")
            continue
        print(f"{kind:8} {name:16}" + "".join(f"{metrics[key]:11.3f}" for key in SHOWN), flush=True)
        yield {"kind": kind, "detector": name, **metrics}


def drift(model, profile, dataset, options):
    """One row per round and detector: predictions of the first round's detectors against new measurements."""
    fitted = {name: detector.fit(model, profile) for name, detector in detectors(options.trees).items()}
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(options.learning_rate, momentum=0.9), loss, metrics=["accuracy"])
    train = dataset.x_train[: options.limit], dataset.y_train[: options.limit]
    held_out = dataset.x_test[-1000:], dataset.y_test[-1000:]
    every_layer = {"balance": 0.0, "max_cut": 1.0}  # FIRE over all layers together, as the paper ranks
    kept = {"epochs": None, "tolerance": 1.0, "distill": False}  # an epoch a round, at a constant rate
    sizes = {"pruning_ratio": options.ratio, "max_rounds": options.rounds, "batch_size": 100}
    settings = {**every_layer, **kept, **sizes}
    rounds = firekeras.compression_rounds(model, train, held_out, method=FirePruning(), **settings)
    for record in rounds:
        print(f"round {record.number}: {record.accuracy:.3f} accuracy, {record.filters_removed} filters removed")
        fresh = firekeras.measure_fire(record.model, dataset.x_test[: options.samples], batch_size=100)
        yield from compared(f"round {record.number}", fitted, lambda d: d.evaluate(record.model, fresh))  # noqa: B023


def main():
    options = arguments()
    model = keras.models.load_model(options.model, compile=False)
    dataset = datasets.load_dataset(options.data)
    profile = firekeras.measure_fire(model, dataset.x_test[: options.samples], batch_size=100)
    counted = sum(int(ranked.sum()) for ranked in profile.rankable().values())
    fire = np.concatenate([profile[name][ranked] for name, ranked in profile.rankable().items()])
    print(f"{model.name}: {counted} filters that can be ranked, FIRE {fire.min():.2f} to {fire.max():.2f}")
    print(f"{'':25}" + "".join(f"{title:>11}" for title in SHOWN.values()))
    rows = []
    for by in ("filter", "layer"):
        rows += compared(by, detectors(options.trees), lambda d: d.cross_validate(profile, by))  # noqa: B023
    if options.rounds:
        rows += drift(model, profile, dataset, options)
    if options.output:
        with open(options.output, "w") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
