"""What distillation is worth, by how far the network was trained that teaches: networks on Fashion-MNIST.

    apt install dataset-fashion-mnist
    python examples/distillation.py [--networks plain residual] [--seeds 0] [--results FILE.jsonl]
    python examples/distillation.py --table

Each network of fashion_mnist.py is trained for 4 epochs at a constant rate, or for 12 along a cosine, to the end. From
each of them `firekeras.compress` goes to a quarter of the conv MACs in 8 epochs, with the first network as the teacher
and without. Accuracy is on all 10,000 test images. Each run is written at once, so the same command resumes if
interrupted.
"""

import argparse
import itertools
from pathlib import Path

import fashion_mnist as job
import keras

import firekeras

RESULTS = Path(__file__).parent / "results" / "distillation.jsonl"
BASES = {"4 epochs": (job.fit, 4), "12 epochs, to the end": (job.fit_cosine, 12)}
SETTINGS = {"target": {"conv_macs": 0.25}, "epochs": 8}


def trained(key, data, cache=job.CACHE):
    """The network that a run begins with: trained now, or read from the cache; compiled with the usual rate."""
    fit, epochs = BASES[key["base"]]
    path = cache / f"{key['network']}-{key['seed']}-{fit.__name__}-{epochs}-{len(data.train[1])}.keras"
    if not path.exists():
        keras.utils.set_random_seed(key["seed"])
        model = fit(job.compiled(job.NETWORKS[key["network"]]()), data, epochs)
        cache.mkdir(parents=True, exist_ok=True)
        job.atomic.save_model(model, path)
    return job.compiled(keras.models.load_model(path, compile=False))


def run(key, data):
    """One run, as recorded in the results: `learned` is the accuracy of the first network on training images."""
    keras.backend.clear_session()
    model = trained(key, data)
    learned = accuracy(model, data.train)
    before = accuracy(job.settle(model, data), data.test)
    keras.utils.set_random_seed(key["seed"])
    smaller = job.by_compress(model, data, distill=key["distilled"], **SETTINGS)
    macs = firekeras.count_costs(smaller).conv_macs / firekeras.count_costs(model).conv_macs
    after = accuracy(smaller, data.test)
    return key | {"learned": learned, "before": before, "conv_macs": round(macs, 4), "accuracy": after}


def accuracy(model, images):
    return round(model.evaluate(*images, batch_size=250, verbose=0, return_dict=True)["accuracy"], 4)


def keys(arguments):
    """What distinguishes one run from another, of all runs."""
    names = ("network", "base", "seed", "distilled")
    every = itertools.product(arguments.networks, BASES, arguments.seeds, (False, True))
    return [dict(zip(names, values, strict=True)) for values in every]


def table(records):
    """A Markdown table: a line for each first network of which both runs are there."""
    lines = [
        "| network | trained for | seed | on training images | before | without | distilled | points |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    firsts = {(one["network"], one["base"], one["seed"]): one for one in records if not one["distilled"]}
    seconds = {(one["network"], one["base"], one["seed"]): one for one in records if one["distilled"]}
    return "\n".join(lines + [line(firsts[key], seconds[key]) for key in firsts if key in seconds])


def line(without, distilled):
    points = 100 * (distilled["accuracy"] - without["accuracy"])
    accuracies = (without["learned"], without["before"], without["accuracy"], distilled["accuracy"])
    shown = " | ".join(f"{accuracy:.4f}" for accuracy in accuracies)
    return f"| {without['network']} | {without['base']} | {without['seed']} | {shown} | {points:+.2f} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=list(job.NETWORKS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--data", type=Path, default=job.DATA)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()

    data = None if arguments.table else job.load(arguments.data)
    for key in [] if arguments.table else keys(arguments):
        if not job.recorded(key, job.read(arguments.results)):
            job.append(arguments.results, run(key, data))
            print(job.read(arguments.results)[-1], flush=True)
    print(table(job.read(arguments.results)))


if __name__ == "__main__":
    main()
