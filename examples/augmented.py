"""Augmented images, as used to train networks for CIFAR: shuffled, flipped and cropped."""

import math

import keras
import numpy as np

BATCH = 128
PADDING = 4  # pixels around an image by which crops may move


class Augmented(keras.utils.PyDataset):
    """Shuffled batches of images that are flipped and cropped at random, as He et al. 2016, section 4.2."""

    def __init__(self, x, y, seed=0, batch=BATCH):
        super().__init__()
        self.batch = batch
        self.x, self.y, self.rng = x, y, np.random.default_rng(seed)
        self.order = self.rng.permutation(len(y))

    def __len__(self):
        return math.ceil(len(self.y) / self.batch)

    def __getitem__(self, index):
        chosen = self.order[index * self.batch : (index + 1) * self.batch]
        return self._changed(self.x[chosen]), self.y[chosen]

    def _changed(self, images):
        padded = np.pad(images, ((0, 0), (PADDING, PADDING), (PADDING, PADDING), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, images.shape[1:3], axis=(1, 2))
        rows, columns = self.rng.integers(0, 2 * PADDING + 1, (2, len(images)))
        cropped = np.moveaxis(windows[np.arange(len(images)), rows, columns], 1, -1)
        flipped = self.rng.random(len(images)) < 0.5
        return np.where(flipped[:, None, None, None], cropped[:, :, ::-1], cropped)

    def on_epoch_end(self):
        self.order = self.rng.permutation(len(self.y))
