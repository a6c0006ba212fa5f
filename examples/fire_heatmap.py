"""Draws FIRE of a whole network: a row per layer, its filters sorted from most to least active.

    python examples/fire_heatmap.py [MODEL.keras DATA.npz] [--samples 2000] [--output docs/fire-heatmap.png]

Without a model it trains the demo network on digits, so nothing needs to be downloaded.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import matplotlib
import numpy as np

import firekeras
from firekeras import datasets, zoo

matplotlib.use("agg")
import matplotlib.pyplot as plt

COLUMNS = 256  # each row is stretched to this many, so narrow and wide layers both fill the picture


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", help="a .keras file; without it, the demo network is trained")
    parser.add_argument("data", nargs="?", default="digits", help="as `firekeras measure --data` takes it")
    parser.add_argument("--samples", type=int, default=2000, help="how many test images to use, at most")
    parser.add_argument("--output", default="docs/fire-heatmap.png")
    return parser.parse_args()


def trained_demo():
    keras.utils.set_random_seed(0)
    model, dataset = zoo.digits_cnn(), datasets.load_dataset("digits")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), loss, metrics=["accuracy"])
    model.fit(dataset.x_train, dataset.y_train, epochs=15, verbose=0)
    return model


def sorted_fire(profile):
    """FIRE of each layer that has any, in ascending order, unscored filters (NaN) last."""
    return {name: np.sort(fire) for name, fire in profile.items() if np.isfinite(fire).any()}


def stretched(fire):
    """FIRE of one layer, `(filters,)`, as a row of the picture, `(COLUMNS,)`."""
    return fire[np.arange(COLUMNS) * fire.size // COLUMNS]


def draw(profile, title):
    scored = sorted_fire(profile)
    picture = np.stack([stretched(fire) for fire in scored.values()])
    figure, axes = plt.subplots(figsize=(9, max(3, 1.6 + 0.19 * len(scored))), layout="constrained")
    colours = matplotlib.colormaps["cividis"].with_extremes(bad="none")
    image = axes.imshow(picture, cmap=colours, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    axes.set_yticks(range(len(scored)), [f"{name} ({fire.size})" for name, fire in scored.items()], fontsize=8)
    axes.set_xticks([0, COLUMNS - 1], ["most active filter", "least active"])
    axes.get_xticklabels()[0].set_horizontalalignment("left")
    axes.get_xticklabels()[1].set_horizontalalignment("right")
    axes.set_title(title, fontsize=10, loc="left")
    figure.colorbar(image, ax=axes, label="FIRE: share of zeros", aspect=40)
    return figure


def main():
    options = arguments()
    model = keras.models.load_model(options.model, compile=False) if options.model else trained_demo()
    images = datasets.load_dataset(options.data).x_test[: options.samples]
    profile = firekeras.measure_fire(model, images, batch_size=100)
    unscored = len(profile) - len(sorted_fire(profile))
    title = (
        f"FIRE of {model.name} on {profile.samples} test images, a row per layer (in brackets: its filters)\n"
        f"layers whose filters have no ReLU of their own, not shown: {unscored}"
    )
    draw(profile, title).savefig(options.output, dpi=110)
    print(f"Written: {options.output}")


if __name__ == "__main__":
    main()
