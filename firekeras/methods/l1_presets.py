"""The pruned networks of Li et al. 2017, table 1: the share of filters that each convolution loses."""

from __future__ import annotations

import dataclasses

from firekeras.refusals import unknown


@dataclasses.dataclass(frozen=True)
class Preset:
    """The rates of one pruned network.

    Args:
        convolutions: How many convolutions the network has, not counting 1x1 shortcuts.
        rates: The share of the filters that go, by the convolution's number, from 1.
        projections: The same for the 1x1 shortcuts, which decide for everything that their outputs are added to.
    """

    convolutions: int
    rates: dict[int, float]
    projections: dict[int, float] = dataclasses.field(default_factory=dict)


def _resnet(blocks, by_stage, skipped) -> Preset:
    """The rates of the first convolutions of all blocks, which have even numbers, except for those to skip."""
    stages = [rate for count, rate in zip(blocks, by_stage, strict=True) for _ in range(count)]
    rates = {2 * block: rate for block, rate in enumerate(stages, start=1) if 2 * block not in skipped}
    return Preset(1 + 2 * len(stages), rates)


PRESETS = {
    "vgg16-a": Preset(13, dict.fromkeys((1, *range(8, 14)), 0.5)),
    "resnet56-a": _resnet((9, 9, 9), (0.1, 0.1, 0.1), (16, 20, 38, 54)),
    "resnet56-b": _resnet((9, 9, 9), (0.6, 0.3, 0.1), (16, 18, 20, 34, 38, 54)),
    "resnet110-a": _resnet((18, 18, 18), (0.5, 0.0, 0.0), (36,)),
    "resnet110-b": _resnet((18, 18, 18), (0.5, 0.4, 0.3), (36, 38, 74)),
    "resnet34-a": _resnet((3, 4, 6, 3), (0.3, 0.3, 0.3, 0.0), (2, 8, 14, 16, 26, 28, 30, 32)),
    "resnet34-b": _resnet((3, 4, 6, 3), (0.5, 0.6, 0.4, 0.0), (2, 8, 14, 16, 26, 28, 30, 32)),
    "resnet34-c": Preset(33, {}, projections={2: 0.2}),  # section 4.3: what the third stage hands on
}

PAPERS = {13: "vgg16-a", 33: "resnet34-b", 55: "resnet56-b", 109: "resnet110-b"}  # the smallest of each depth


def known_preset(name: str) -> Preset:
    """The preset of this name; if there is none, raises `ValueError` with the nearest name."""
    if name in PRESETS:
        return PRESETS[name]
    raise unknown("preset", name, PRESETS)


def preset_rates(name: str, kernels) -> dict[str, float]:
    """The rates of a preset by layer.

    Args:
        name: The name of the preset, such as `"resnet56-b"`.
        kernels: The kernel of each convolution of the network, in topological order,
            `(*taps, input channels, filters)`.

    Raises:
        ValueError: If there is no such preset, or it is for another network.
    """
    preset, convolutions = known_preset(name), _spatial(kernels)
    shortcuts = [layer for layer in kernels if layer not in convolutions]
    if len(convolutions) != preset.convolutions or max(preset.projections, default=0) > len(shortcuts):
        raise ValueError(
            f"The preset {name!r} is for a network of {preset.convolutions} convolutions, not counting 1x1 ones"
            f"{' that project shortcuts' if preset.projections else ''}. Received: one of {len(convolutions)}, and "
            f"{len(shortcuts)} of 1x1. Give rates by layer: rates={{'conv1': 0.5}}."
        )
    of_convolutions = {convolutions[number - 1]: rate for number, rate in preset.rates.items()}
    return of_convolutions | {shortcuts[number - 1]: rate for number, rate in preset.projections.items()}


def paper_rates(kernels) -> dict[str, float]:
    """The rates by layer of the smallest network in table 1 that is as deep as this one.

    Args:
        kernels: As `preset_rates` takes them.

    Raises:
        ValueError: If the table has none of this depth.
    """
    depth = len(_spatial(kernels))
    if depth in PAPERS:
        return preset_rates(PAPERS[depth], kernels)
    raise ValueError(
        f"Table 1 of Li et al. has networks of {', '.join(map(str, PAPERS))} convolutions, not counting 1x1 ones. "
        f"Received: one of {depth}. Give a target, such as {{'conv_macs': 0.5}}, or rates of your own."
    )


def _spatial(kernels):
    """The convolutions that are not 1x1."""
    return [layer for layer, kernel in kernels.items() if max(kernel.shape[:-2]) > 1]
