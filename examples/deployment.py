"""Prunes a classifier, fine-tunes it briefly, exports it, and prints what of it arrives on the device.

    python examples/deployment.py MODEL.keras --data DATA.npz --output DIR [--macs 0.5] [--images 20000]

Once with any widths, once with `round_to=8`: FIRE is measured on `--images` training images, filters go in one cut
until `--macs` of the MACs are left, means are folded and BatchNormalization's statistics measured anew, and one pass
over those images fine-tunes (SGD, momentum 0.9, learning rate from 0.02 to 0, random flips, batches of 64). Both, and
the original, are exported to LiteRT in float32 and, calibrated on 300 training images, in int8. Every exported file is
run and compared with Keras before it is kept. Accuracy is that of the exported files on all test images, which decide
nothing. Latency is measured in turns, one image at a time: the fastest pass, and the median.

Models that are in DIR already are taken from there. "Arrives" is how much of the reduction in MACs arrives as speed:
(latency before / latency after) / (MACs before / MACs after).
"""

import argparse
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import firekeras
from firekeras import classifier, datasets, model_file
from firekeras.recovery import get_recovery
from firekeras.stages import measure_stages

VARIANTS = {"pruned": 1, "pruned8": 8}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a .keras file of a classifier")
    parser.add_argument("--data", required=True, help="as `firekeras measure --data` takes it")
    parser.add_argument("--output", type=pathlib.Path, required=True, help="a folder for models and exported files")
    parser.add_argument("--macs", type=float, default=0.5, help="share of the MACs that is left")
    parser.add_argument("--images", type=int, default=20_000, help="training images to measure FIRE and fine-tune on")
    parser.add_argument("--test-images", type=int, help="at most so many test images; all by default")
    parser.add_argument("--learning-rate", type=float, default=0.02)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def subset(x, y, limit):
    chosen = np.random.default_rng(0).permutation(len(x))[:limit]
    return x[chosen], y[chosen]


def flipped(x, seed=1):
    left_to_right = np.random.default_rng(seed).random(len(x)) < 0.5
    return np.where(left_to_right[:, None, None, None], x[:, :, ::-1], x)


def pruned(model, profile, train, options, round_to):
    """The smaller network, fine-tuned for one pass over the images."""
    plan = firekeras.plan_pruning(model, profile, target={"macs": options.macs}, round_to=round_to)
    smaller = firekeras.prune(model, plan)
    for step in get_recovery(["fold_means", "batch_norm"]):
        step(model, smaller, plan, train, 64)
    keras.utils.set_random_seed(0)
    steps = -(-len(train[0]) // 64)
    classifier.compile_for_tuning(smaller, keras.optimizers.schedules.CosineDecay(options.learning_rate, steps))
    smaller.fit(flipped(train[0]), train[1], batch_size=64, verbose=0)
    return smaller


def make_models(options, train):
    """The Keras files of all stages, in DIR."""
    model = model_file.load_model(options.model, compile=False)
    classifier.compile_for_tuning(model, options.learning_rate)
    paths = {name: options.output / f"{name}.keras" for name in ("original", *VARIANTS)}
    if not paths["original"].exists():
        model.save(paths["original"])
    if not all(path.exists() for path in paths.values()):
        profile = firekeras.measure_fire(model, train, batch_size=128)
        for name, round_to in VARIANTS.items():
            pruned(model, profile, train, options, round_to).save(paths[name])
            print(f"Written: {paths[name]}", flush=True)
    return paths


def export(paths, samples):
    """The exported files, `original.tflite`, `original_int8.tflite` and so on."""
    for path in paths.values():
        network = model_file.load_model(path, compile=False)
        for suffix, int8 in (("", False), ("_int8", True)):
            made = firekeras.export_model(
                network, path.with_name(f"{path.stem}{suffix}.tflite"), samples=samples, int8=int8
            )
            print(f"{made.path.name}: {made.difference}", flush=True)


def main():
    options = arguments()
    options.output.mkdir(parents=True, exist_ok=True)
    data = datasets.load_dataset(options.data)
    train, test = (
        subset(data.x_train, data.y_train, options.images),
        subset(data.x_test, data.y_test, options.test_images),
    )
    paths = make_models(options, train)
    export(paths, train[0][:300])
    files = [options.output / f"{name}{suffix}.tflite" for name in paths for suffix in ("", "_int8")]
    costs = {name: firekeras.count_costs(model_file.load_model(path, compile=False)) for name, path in paths.items()}
    stages = {stage.path.stem: stage for stage in measure_stages(files, test, runs=100, threads=options.threads)}
    print("\n| file | accuracy | MACs | parameters | KiB | fastest ms | median ms | arrives |")
    print("|---|---|---|---|---|---|---|---|")
    for stem, stage in stages.items():
        name = stem.removesuffix("_int8")
        before = stages[stem.replace(name, "original")]
        fewer = costs["original"].macs / costs[name].macs
        arrives = before.latency.fastest / stage.latency.fastest / fewer
        print(
            f"| {stage.path.name} | {stage.accuracy:.4f} | {costs[name].macs / 1e6:.1f} M | "
            f"{costs[name].params / 1e6:.3f} M | {stage.size / 1024:.0f} | {stage.latency.fastest * 1e3:.2f} | "
            f"{stage.latency.median * 1e3:.2f} | {'' if name == 'original' else f'{arrives:.2f}'} |"
        )


if __name__ == "__main__":
    main()
