import keras
import numpy as np

from firekeras.data.samples import shuffles


class Numbered(keras.utils.PyDataset):
    def __init__(self, number):
        super().__init__()
        self.number = number

    @property
    def num_batches(self):
        return self.number

    def __getitem__(self, k):
        return np.zeros((2, 3)), np.zeros(2)


def test_keras_is_asked_to_shuffle_only_what_it_can():
    x = np.zeros((4, 2))
    assert shuffles((x, x)) and shuffles({"a": x}) and shuffles(Numbered(3))
    assert not shuffles(Numbered(None)) and not shuffles(iter([(x, x)]))
