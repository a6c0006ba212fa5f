"""Images and labels for the command line and for examples: by name, from a file or folder, or synthetic."""

from firekeras.datasets.dataset import Dataset, hold_out
from firekeras.datasets.loading import load_dataset
from firekeras.datasets.scaling import scaled
from firekeras.datasets.synthetic import synthetic_images

__all__ = ["Dataset", "hold_out", "load_dataset", "scaled", "synthetic_images"]
