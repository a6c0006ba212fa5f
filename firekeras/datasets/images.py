"""Image files of strangers: decoded by four of Pillow's decoders, which start no program, into arrays of one size."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from firekeras.paths import open_regular
from firekeras.refusals import cause

FORMATS = ("PNG", "JPEG", "BMP", "WEBP")  # Pillow would start Ghostscript on a PostScript file, whatever its name
MAX_PIXELS = 8192 * 8192  # of one image: 0.2 GB in memory, however small the file
GREY = ("1", "L", "LA", "La")
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
SHOWN = 10  # unreadable files in a message


class Unreadable(NamedTuple):
    """An image file that cannot be read, and why."""

    path: Path
    reason: str


class Form(NamedTuple):
    """The form that images are brought into.

    Args:
        size: Height and width in pixels; None leaves them as they are, all of one size.
        channels: 1 (grey), 2 (grey and alpha), 3 (RGB) or 4 (RGBA); None takes 1 if all images are grey, else 3.
    """

    size: tuple[int, int] | None = None
    channels: int | None = None


def read_images(paths: list[Path], form: Form) -> tuple[np.ndarray, list[Unreadable]]:
    """Reads images of one size.

    Args:
        paths: The files.
        form: The form to bring them into.

    Returns:
        uint8 array `(n, height, width, channels)` of those that can be read, in their order, and the others.

    Raises:
        ValueError: If they differ in size and `form.size` is None, or do not fit into memory.
    """
    channels = form.channels or _common_channels(paths)
    images, first, count, unreadable = None, None, 0, []
    for path in paths:
        try:
            image = _array(path, form.size, channels)
        except Exception as error:  # Pillow raises nearly anything on a damaged file
            unreadable.append(Unreadable(path, _reason(error)))
            continue
        if images is None:
            images, first = _room_for(len(paths), image), path
        _check_size(image, path, images[0], first)
        images[count] = image
        count += 1
    return (np.empty((0, 0, 0, channels), "uint8") if images is None else images[:count]), unreadable


def listed_unreadable(unreadable: list[Unreadable], count: int) -> str:
    """How many of `count` images cannot be read, which, and why."""
    shown = "; ".join(f"{path} ({reason})" for path, reason in sorted(unreadable)[:SHOWN])
    more = f"; and {len(unreadable) - SHOWN} more" if len(unreadable) > SHOWN else ""
    return f"{len(unreadable)} of {count} images cannot be read: {shown}{more}."


def _reason(error):
    if isinstance(error, UnidentifiedImageError):
        return "it is not a PNG, JPEG, BMP or WebP image"
    return cause(error)


def _common_channels(paths):
    return 1 if all(_is_grey(path) for path in paths) else 3


def _is_grey(path):
    """Unreadable files have no say."""
    try:
        with _opened(path) as image:
            return image.mode in GREY
    except Exception:
        return True


def _array(path, size, channels):
    with _opened(path) as image:
        _check_8_bits(image.mode)
        image.load()
        converted = _converted(image, MODES[channels])
    if size is not None:
        converted = converted.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.asarray(converted).reshape(converted.height, converted.width, channels)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    with warnings.catch_warnings(), open_regular(path) as file:
        warnings.simplefilter("ignore")
        with Image.open(file, formats=FORMATS) as image:
            _check_pixels(*image.size)
            yield image


def _converted(image, mode):
    """Alpha is dropped if it is not asked for, as Keras's own loaders do."""
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image if image.mode == mode else image.convert(mode)


def _check_pixels(width, height):
    if width * height > MAX_PIXELS:
        raise ValueError(f"it declares {width}x{height} pixels, more than {MAX_PIXELS:,} in total")


def _check_8_bits(mode):
    # Pillow would clip deeper images to 255 and leave most of them white
    if mode.startswith(("I", "F")):
        raise ValueError(
            f"it has more than 8 bits per channel, Pillow mode {mode!r}: convert it, or save the images as float32 in "
            "an .npz file"
        )


def _room_for(count, image):
    try:
        return np.empty((count, *image.shape), "uint8")
    except MemoryError as error:
        gib = count * image.nbytes / 2**30
        raise ValueError(
            f"{count} images of {_pixels(image)} pixels do not fit into memory: {gib:.1f} GiB. "
            "Take fewer (`limit`), or a smaller `image_size`."
        ) from error


def _check_size(image, path, first_image, first):
    if image.shape != first_image.shape:
        raise ValueError(
            f"{path} is {_pixels(image)} pixels, but {first} is {_pixels(first_image)}. Set `image_size` (height, "
            "width) to resize all images to one size."
        )


def _pixels(image):
    return f"{image.shape[0]}x{image.shape[1]}"
