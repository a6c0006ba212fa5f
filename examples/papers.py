"""What the tables of the four papers need where there is no GPU: three trained networks and Fashion-MNIST.

    apt install dataset-fashion-mnist
    python examples/papers.py FOLDER [--networks plain residual conv_bn]

It writes FOLDER/fashion-mnist.npz and a NAME.keras for each network of fashion_mnist.py, trained to the end: 12 epochs
of Adam, whose rate falls by a cosine from 1e-3, on the images that `firekeras compare` trains on too. The command that
it prints for each network runs the comparison; repeat it with --seeds 3 for two more seeds.
"""

import argparse
from pathlib import Path

import fashion_mnist
import keras
import numpy as np

from firekeras import atomic, datasets

EPOCHS = 12
METHODS = "fire,fire:paper,l1,l1:paper,play_and_prune:paper,fppmo:paper,random,scratch,unpruned"


def written_data(folder, path, images=22_000):
    """Fashion-MNIST as one file, from 0 to 1, with a number of training images; written if it is not there."""
    if not path.exists():
        (x, y), (x_test, y_test) = (fashion_mnist.read_idx(folder, split) for split in ("train", "t10k"))
        with atomic.whole_file(path) as draft:
            np.savez(draft, x_train=x[:images], y_train=y[:images], x_test=x_test, y_test=y_test)
    return path


def trained(name, data):
    """The network, trained to the end, and compiled with the rate that it began with."""
    x, y, *validation = datasets.hold_out(datasets.load_dataset(data))
    split = fashion_mnist.Data((x, y), tuple(validation), ())
    keras.utils.set_random_seed(0)
    return fashion_mnist.compiled(fashion_mnist.fit_cosine(fashion_mnist.NETWORKS[name](), split, EPOCHS))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, default=fashion_mnist.DATA)
    parser.add_argument("--networks", nargs="+", default=list(fashion_mnist.NETWORKS))
    arguments = parser.parse_args()

    arguments.folder.mkdir(parents=True, exist_ok=True)
    data = written_data(arguments.data, arguments.folder / "fashion-mnist.npz")
    for name in arguments.networks:
        path = arguments.folder / f"{name}.keras"
        if not path.exists():
            atomic.save_model(trained(name, data), path)
        print(
            f"firekeras compare {path} --data {data} --output {path.with_suffix('')} --methods {METHODS} "
            "--conv-macs 0.5 --conv-macs 0.25 --epochs 8 --seeds 1"
        )


if __name__ == "__main__":
    main()
