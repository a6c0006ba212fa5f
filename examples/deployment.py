"""How much speed fewer MACs bring on the device: networks are exported, run, and timed.

    python examples/deployment.py DIR --data DATA.npz

DIR holds the networks that `examples/deployment_models.py` makes. Each is exported to LiteRT in float32 and,
calibrated on 300 training images, in int8. Every exported file is run and compared with Keras before it is kept.
Accuracy is that of the exported files on all test images. Latency is measured in turns, one image at a time: the
fastest pass, and the median. "Arrives" is the share of the reduction in MACs that becomes speed:
(latency before / latency after) / (MACs before / MACs after).
"""

import argparse
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

import firekeras
from firekeras import datasets
from firekeras.export.side_by_side import measure_stages
from firekeras.keras_models import model_file

NETWORKS = ("original", "pruned", "pruned8")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, help="the folder of the networks, and of the exported files")
    parser.add_argument("--data", required=True, help="as `firekeras measure --data` takes it")
    parser.add_argument("--test-images", type=int, help="test images at most; all by default")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def export(paths, samples):
    """The exported files, `original.tflite`, `original_int8.tflite` and so on."""
    for path in paths.values():
        network = model_file.load_model(path, compile=False)
        for suffix, int8 in (("", False), ("_int8", True)):
            made = firekeras.export_model(
                network, path.with_name(f"{path.stem}{suffix}.tflite"), samples=samples, int8=int8
            )
            print(f"{made.path.name}: {made.difference}", flush=True)


def table(stages, costs):
    """One row per exported file."""
    rows = [
        "| file | accuracy | MACs | parameters | KiB | fastest ms | median ms | arrives |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for stem, stage in stages.items():
        name = stem.removesuffix("_int8")
        before = stages[stem.replace(name, "original")]
        fewer = costs["original"].macs / costs[name].macs
        arrives = f"{before.latency.fastest / stage.latency.fastest / fewer:.2f}" if fewer > 1 else ""
        rows.append(
            f"| {stage.path.name} | {stage.accuracy:.4f} | {costs[name].macs / 1e6:.1f} M | "
            f"{costs[name].params / 1e6:.3f} M | {stage.size / 1024:.0f} | {stage.latency.fastest * 1e3:.2f} | "
            f"{stage.latency.median * 1e3:.2f} | {arrives} |"
        )
    return "\n".join(rows)


def main():
    options = arguments()
    data = datasets.load_dataset(options.data)
    test = data.x_test[: options.test_images], data.y_test[: options.test_images]
    paths = {name: options.folder / f"{name}.keras" for name in NETWORKS}
    chosen = np.random.default_rng(0).permutation(len(data.x_train))[:300]
    export(paths, data.x_train[chosen])
    files = [options.folder / f"{name}{suffix}.tflite" for name in paths for suffix in ("", "_int8")]
    costs = {name: firekeras.count_costs(model_file.load_model(path, compile=False)) for name, path in paths.items()}
    stages = {stage.path.stem: stage for stage in measure_stages(files, test, runs=100, threads=options.threads)}
    print(f"\n{table(stages, costs)}")


if __name__ == "__main__":
    main()
