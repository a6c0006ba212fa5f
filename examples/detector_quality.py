"""Prints how well each regressor predicts FIRE of a network, and from which features.

    python examples/detector_quality.py MODEL.keras DATA.npz [--samples 2000] [--trees 50] [--output table.json]
    python examples/detector_quality.py MODEL.keras DATA.npz --rounds 2 --limit 2000
    python examples/detector_quality.py MODEL.keras DATA.npz --closed-form

FIRE is measured on test images. "filter" leaves random fifths of the filters out of training, "layer" one layer at a
time. With `--rounds` the network is then pruned and fine-tuned on `--limit` training images, and the predictions of the
first round's detectors for each round's network are compared with newly measured FIRE: the drift. The model
is assumed to output logits; here the predicted filters include those that a detector was trained on.

`--closed-form` prints instead, for each layer, what the closed form has to go by: how far it and FIRE spread over the
filters, and how FIRE follows it, and the skewness of what BatchNormalization gives, over `--samples` images.
"""

import argparse
import json
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from scipy.stats import spearmanr
from sklearn.ensemble import RandomForestRegressor

import firekeras
from firekeras import datasets
from firekeras.methods import FirePruning
from firekeras.scores.detector.features import gaussian_fire
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
    parser.add_argument("--closed-form", action="store_true", help="look at the closed form layer by layer")
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


def by_layer(model, profile, x):
    """One row per layer with a BatchNormalization right behind it and FIRE, and one for all of them together."""
    closed = FireDetector("gaussian").fit(model, profile).predict(model)
    behind = {}
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            behind[layer.input._keras_history.operation.name] = layer.output
    names = [name for name in behind if name in profile and np.isfinite(profile[name]).all()]
    seen = list(moments(keras.Model(model.input, [behind[name] for name in names]), x))
    rows = [_row(n, profile[n], closed[n], *found) for n, found in zip(names, seen, strict=True)]
    together = [np.concatenate([part[n] for n in names]) for part in (profile, closed)]
    rows.append(_row("all", *together, *map(np.concatenate, zip(*seen, strict=True))))
    print(f"{'':14}  filters  deviation of FIRE  of closed form  FIRE follows: closed form  mean, deviation  skewness")
    for row in rows:
        name, filters, *figures = row.values()
        print(
            f"{name:14}{filters:9}" + "".join(f"{f:{w}.3f}" for f, w in zip(figures, (19, 16, 27, 17, 10), strict=True))
        )
    yield from rows


def _row(name, fire, closed, mean, deviation, skewness):
    follows = {"closed_form": closed, "moments": gaussian_fire(mean, deviation), "skewness": skewness}
    ranks = {f"follows_{what}": spearmanr(fire, values)[0] for what, values in follows.items()}
    return {"layer": name, "filters": len(fire), "fire": fire.std(), "closed_form": closed.std(), **ranks}


def moments(model, x, size=100):
    """Mean, deviation and skewness of each channel of each output, over all positions and samples."""
    count, sums = [0.0] * len(model.outputs), [np.zeros((3, output.shape[-1])) for output in model.outputs]
    for start in range(0, len(x), size):
        for number, values in enumerate(keras.tree.flatten(model.predict_on_batch(x[start : start + size]))):
            values = np.asarray(values, "float64").reshape(-1, values.shape[-1])
            count[number] += len(values)
            sums[number] += [(values**power).sum(axis=0) for power in (1, 2, 3)]
    for n, (first, second, third) in zip(count, sums, strict=True):
        mean, deviation = first / n, np.sqrt(second / n - (first / n) ** 2)
        yield mean, deviation, (third / n - 3 * mean * second / n + 2 * mean**3) / deviation**3


def quality(model, profile, dataset, options):
    """A row for each detector, by what it was not trained on; then those of the rounds."""
    print(f"{'':25}" + "".join(f"{title:>11}" for title in SHOWN.values()))
    for by in ("filter", "layer"):
        yield from compared(by, detectors(options.trees), lambda d: d.cross_validate(profile, by))  # noqa: B023
    if options.rounds:
        yield from drift(model, profile, dataset, options)


def main():
    options = arguments()
    model = keras.models.load_model(options.model, compile=False)
    dataset = datasets.load_dataset(options.data)
    profile = firekeras.measure_fire(model, dataset.x_test[: options.samples], batch_size=100)
    counted = sum(int(ranked.sum()) for ranked in profile.rankable().values())
    fire = np.concatenate([profile[name][ranked] for name, ranked in profile.rankable().items()])
    print(f"{model.name}: {counted} filters that can be ranked, FIRE {fire.min():.2f} to {fire.max():.2f}")
    if options.closed_form:
        rows = list(by_layer(model, profile, dataset.x_test[: options.samples]))
    else:
        rows = list(quality(model, profile, dataset, options))
    if options.output:
        with open(options.output, "w") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
