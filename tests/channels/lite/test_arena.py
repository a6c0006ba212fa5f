"""Tensors are laid as LiteRT for Microcontrollers lays them; what it reported for real files is held here."""

import numpy as np
import pytest

from firekeras.channels.lite.arena import FLOAT32, peak, planned
from firekeras.channels.program import Product, Program, Step, Tensor

# sizes of tensors, first and last step of each, and the head of the arena that its recording allocator reported
PREACTIVATED = (  # concatenations whose parts stay alive: the order of equal buffers decides
    [3072, *(3 * [16384]), 12288, *(3 * [28672]), 12288, *(3 * [40960]), 12288, *(3 * [53248]), 13312],
    [
        *((0, 1), (1, 5), (2, 3), (3, 4), (4, 5), (5, 9), (6, 7), (7, 8), (8, 9)),
        *((9, 13), (10, 11), (11, 12), (12, 13), (13, 14), (14, 15), (15, 16), (16, 16)),
    ],
    151552,
)  # fmt: skip
RESNET8 = (
    [3072, 16384, 16384, 16384, 16384, 8192, 8192, 8192, 8192, 4096, 4096, 4096, 4096],
    [(0, 1), (1, 4), (2, 3), (3, 4), (4, 7), (5, 6), (6, 8), (7, 8), (8, 11), (9, 10), (10, 12), (11, 12), (12, 12)],
    49152,
)


def program(sizes, lives, scratch=None):
    """A network of tensors of these sizes, each made in the first and read last in the last step of its life."""
    steps = max(last for _, last in lives)
    return Program(
        tensors=tuple(Tensor(Product(size)) for size in sizes),
        steps=tuple(
            Step(
                f"layer{moment}",
                "ADD",
                reads=tuple(k for k, (first, last) in enumerate(lives) if last == moment > first),
                makes=tuple(k for k, (first, _) in enumerate(lives) if first == moment),
                scratch=scratch if moment == 1 else None,
            )
            for moment in range(1, steps + 1)
        ),
        inputs=tuple(k for k, (first, _) in enumerate(lives) if not first),
        outputs=tuple(k for k, (_, last) in enumerate(lives) if last == steps),
    )


@pytest.mark.parametrize(("sizes", "lives", "head"), [PREACTIVATED, RESNET8])
def test_the_arena_is_as_large_as_the_allocator_reports(sizes, lives, head):
    assert planned(program(sizes, lives), ()) == head
    assert planned(program(sizes, lives), (), FLOAT32) == 4 * head


@pytest.mark.parametrize("seed", range(6))
def test_what_lies_upon_each_other_adds_up_to_the_arena(seed):
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 12, 30)
    lives = list(zip(first.tolist(), (first + rng.integers(1, 5, 30)).tolist(), strict=True))
    found = peak(program((16 * rng.integers(1, 400, 30)).tolist(), lives), ())
    assert sum(product.factor for product in found.stack) == found.planned >= found.alive


def test_sizes_are_rounded_up_and_scratch_counts_in_int8_alone():
    small = program([17, 1], [(0, 1), (1, 1)], scratch=Product(40))
    assert planned(small, ()) == 32 + 16 + 48
    assert planned(small, (), FLOAT32) == 80 + 16


def test_the_peak_names_the_layer_that_runs_at_it():
    assert peak(program([16, 320, 160, 16], [(0, 1), (1, 2), (2, 3), (3, 3)]), ()).layer == "layer2"
