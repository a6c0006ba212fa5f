import io
import os
import re
import subprocess
import sys
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from firekeras import datasets
from firekeras.datasets import Dataset, hold_out, load_dataset, scaled
from firekeras.datasets.synthetic import SYNTHETIC


def shares(labels):
    return np.bincount(labels) / len(labels)


def assert_same(a, b):
    for name in ("x_train", "y_train", "x_test", "y_test"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


# digits


def test_digits_are_raw_images_and_class_numbers():
    dataset = load_dataset("digits")
    assert dataset.x_train.shape == (1438, 8, 8, 1)
    assert dataset.x_test.shape == (359, 8, 8, 1)
    assert dataset.x_train.dtype == np.float32
    assert dataset.y_train.dtype == np.int64
    assert (dataset.x_train.min(), dataset.x_train.max()) == (0, 16)
    assert dataset.class_names == tuple("0123456789")


def test_digits_are_split_in_proportion_and_apart():
    dataset = load_dataset("digits")
    np.testing.assert_allclose(shares(dataset.y_train), shares(dataset.y_test), atol=0.003)
    images = {x.tobytes() for x in np.concatenate([dataset.x_train, dataset.x_test])}
    assert len(images) == 1797


def test_the_seed_decides_the_split():
    assert_same(load_dataset("digits", seed=3), load_dataset("digits", seed=3))
    other = load_dataset("digits", seed=4)
    assert not np.array_equal(load_dataset("digits", seed=3).x_test, other.x_test)


def test_limit_draws_classes_in_proportion():
    dataset = load_dataset("digits", limit=100)
    assert len(dataset.x_train) == len(dataset.y_train) == len(dataset.x_test) == 100
    assert np.bincount(dataset.y_train).min() >= 9
    assert_same(dataset, load_dataset("digits", limit=100))


def test_limit_may_be_below_the_number_of_classes_or_above_the_number_of_images():
    assert len(load_dataset("digits", limit=3).y_train) == 3
    assert_same(load_dataset("digits", limit=10_000), load_dataset("digits"))


@pytest.mark.parametrize("limit", [0, -1, 2.5])
def test_limit_must_be_a_positive_integer(limit):
    with pytest.raises(ValueError, match=rf"limit must be a whole number.* Received: {limit}"):
        load_dataset("digits", limit=limit)


@pytest.mark.parametrize("image_size", [8, (8,), (8, 0), (8.0, 8), "8x8"])
def test_image_size_must_be_a_height_and_a_width(image_size):
    with pytest.raises(ValueError, match=r"must be \(height, width\)|a tuple of whole numbers"):
        load_dataset("digits", image_size=image_size)


def test_only_folders_are_resized():
    assert load_dataset("digits", image_size=(8, 8)).x_train.shape[1:3] == (8, 8)
    with pytest.raises(ValueError, match=r"resizes image folders only.*8x8.*Leave it out"):
        load_dataset("digits", image_size=(16, 16))


# .npz files


def arrays(**changes):
    rng = np.random.default_rng(0)
    content = {
        "x_train": rng.integers(0, 256, (12, 6, 5, 3)).astype("uint8"),
        "y_train": np.arange(12) % 3,
        "x_test": rng.integers(0, 256, (6, 6, 5, 3)).astype("uint8"),
        "y_test": np.arange(6) % 3,
    }
    return {**content, **changes}


def saved(tmp_path, content):
    path = tmp_path / "data.npz"
    np.savez(path, **content)
    return path


def assert_refused(tmp_path, content, *guidance):
    path = saved(tmp_path, content)
    with pytest.raises(ValueError) as refusal:
        load_dataset(path)
    for words in (str(path), *guidance):
        assert words in str(refusal.value)


def test_npz_is_loaded_as_it_is(tmp_path):
    content = arrays()
    dataset = load_dataset(str(saved(tmp_path, content)))
    assert_same(dataset, Dataset(**content))
    assert dataset.x_train.dtype == np.uint8
    assert dataset.y_train.dtype == np.int64
    assert dataset.class_names is None


@pytest.mark.parametrize(
    "encode",
    [
        lambda y: y[:, np.newaxis],
        lambda y: np.eye(3)[y],
        lambda y: np.eye(3, dtype=bool)[y],
        lambda y: y.astype("float32"),
        lambda y: y.astype("uint8"),
    ],
)
def test_npz_labels_become_class_numbers(tmp_path, encode):
    plain = arrays()
    encoded = arrays(y_train=encode(plain["y_train"]), y_test=encode(plain["y_test"]))
    dataset = load_dataset(saved(tmp_path, encoded))
    np.testing.assert_array_equal(dataset.y_train, plain["y_train"])
    assert dataset.y_train.dtype == np.int64


def test_npz_images_become_uint8_or_float32_with_a_channel_axis(tmp_path):
    integers = {"x_train": np.ones((12, 6, 5), "int32"), "x_test": np.ones((6, 6, 5), "int16")}
    dataset = load_dataset(saved(tmp_path, arrays(**integers)))
    assert dataset.x_train.shape == (12, 6, 5, 1)
    assert dataset.x_train.dtype == dataset.x_test.dtype == np.float32


def test_npz_limit_is_stratified(tmp_path):
    dataset = load_dataset(saved(tmp_path, arrays()), limit=3)
    assert sorted(dataset.y_train) == sorted(dataset.y_test) == [0, 1, 2]


def test_npz_needs_all_four_arrays(tmp_path):
    content = arrays()
    del content["x_train"], content["y_train"]
    assert_refused(
        tmp_path,
        content,
        "missing x_train, y_train. It has: x_test, y_test.",
        "Expected all of",
        "numpy.savez_compressed(path, x_train=..., ",
    )


@pytest.mark.parametrize(
    ("changes", "guidance"),
    [
        ({"x_train": np.array([{}, {}])}, ("`x_train`", "objects are refused", "numpy.asarray")),
        ({"y_test": np.array(list("abcabc"))}, ("`y_test`", "array of numbers", "class numbers")),
        ({"x_test": np.zeros((0, 6, 5, 3))}, ("`x_test` is empty", "(0, 6, 5, 3)", "at least one")),
        ({"x_test": np.full((6, 6, 5, 3), np.nan)}, ("`x_test`", "NaN", "repair those samples")),
        ({"y_train": np.full(12, np.inf)}, ("`y_train`", "infinite")),
        ({"x_train": np.zeros((12, 90))}, ("(n, height, width, channels)", "(12, 90)")),
        (
            {"x_train": np.zeros((12, 3, 6, 5))},
            ("channels-first", "numpy.moveaxis(x_train, 1, -1)"),
        ),
        ({"x_test": np.zeros((6, 7, 5, 3))}, ("same size", "(6, 7, 5, 3)", "Resize")),
        (
            {"y_train": np.arange(11)},
            ("12 images and y_train has 11 labels", "one label per image"),
        ),
        ({"y_train": np.arange(12) - 1}, ("`y_train` must be class numbers", "values -1 to 10")),
        ({"y_train": np.arange(12) / 2}, ("`y_train` must be class numbers", "float64")),
        ({"y_train": np.full((12, 3), 1 / 3)}, ("one-hot", "shape (12, 3)")),
    ],
)
def test_npz_refusals_say_what_to_do(tmp_path, changes, guidance):
    assert_refused(tmp_path, arrays(**changes), *guidance)


def test_npz_that_is_something_else_is_refused(tmp_path):
    path = tmp_path / "data.npz"
    path.write_bytes(b"not a zip file")
    with pytest.raises(ValueError, match=r"data\.npz is not an \.npz file.*Write it again"):
        load_dataset(path)


def test_npz_that_is_damaged_inside_is_refused(tmp_path):
    path = saved(tmp_path, arrays())
    content = bytearray(path.read_bytes())
    content[300:320] = bytes(20)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"data\.npz: `x_train` is damaged.*Write the file again"):
        load_dataset(path)


# Image folders


def write_images(folder, count, size=(6, 5), suffix=".png", value=0):
    folder.mkdir(parents=True, exist_ok=True)
    height, width = size
    for i in range(count):
        colour = (value, i, 255 - i)
        Image.new("RGB", (width, height), colour).save(folder / f"{i:03}{suffix}")


@pytest.fixture
def split_folder(tmp_path):
    for label, name in enumerate(("cat", "dog")):
        write_images(tmp_path / "train" / name, 4, value=label)
        write_images(tmp_path / "test" / name, 2, value=label)
    return tmp_path


@pytest.fixture
def class_folder(tmp_path):
    write_images(tmp_path / "cat", 10, value=0)
    write_images(tmp_path / "dog", 20, value=1)
    return tmp_path


def test_folder_with_train_and_test(split_folder):
    dataset = load_dataset(split_folder)
    assert dataset.x_train.shape == (8, 6, 5, 3)
    assert dataset.x_test.shape == (4, 6, 5, 3)
    assert dataset.x_train.dtype == np.uint8
    assert dataset.class_names == ("cat", "dog")
    np.testing.assert_array_equal(dataset.y_train, [0, 0, 0, 0, 1, 1, 1, 1])
    np.testing.assert_array_equal(dataset.x_train[:, 0, 0, 0], dataset.y_train)
    np.testing.assert_array_equal(dataset.x_train[5, 0, 0], [1, 1, 254])


@pytest.mark.parametrize("name", ["val", "validation"])
def test_folder_may_call_its_test_part_otherwise(split_folder, name):
    (split_folder / "test").rename(split_folder / name)
    assert len(load_dataset(split_folder).y_test) == 4


def test_folder_of_classes_is_split_in_proportion(class_folder):
    dataset = load_dataset(class_folder)
    np.testing.assert_array_equal(np.bincount(dataset.y_train), [8, 16])
    np.testing.assert_array_equal(np.bincount(dataset.y_test), [2, 4])
    np.testing.assert_array_equal(dataset.x_test[:, 0, 0, 0], dataset.y_test)
    assert_same(dataset, load_dataset(class_folder))
    assert not np.array_equal(dataset.x_test, load_dataset(class_folder, seed=1).x_test)


def test_folder_limit_leaves_the_other_images_unread(split_folder):
    (split_folder / "train" / "cat" / "000.png").write_bytes(b"broken")
    seeds = range(20)
    outcomes = set()
    for seed in seeds:
        try:
            outcomes.add(len(load_dataset(split_folder, limit=2, seed=seed).y_train))
        except ValueError:
            outcomes.add("read the broken image")
    assert outcomes == {2, "read the broken image"}


def test_folder_reads_every_format_and_converts_to_rgb(tmp_path):
    for suffix in (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".PNG"):
        write_images(tmp_path / "cat", 1, suffix=suffix)
    write_images(tmp_path / "dog", 4)
    Image.new("L", (5, 6), 9).save(tmp_path / "dog" / "grey.png")
    Image.new("RGBA", (5, 6), (9, 9, 9, 0)).save(tmp_path / "dog" / "alpha.png")
    (tmp_path / "dog" / "notes.txt").write_text("not an image")
    (tmp_path / "dog" / "._000.png").write_bytes(b"not an image")
    (tmp_path / ".git").mkdir()
    dataset = load_dataset(tmp_path)
    assert len(dataset.y_train) + len(dataset.y_test) == 12
    assert dataset.x_train.shape[1:] == (6, 5, 3)


def test_folder_images_are_resized_to_height_and_width(class_folder):
    write_images(class_folder / "cat", 1, size=(9, 9))
    dataset = load_dataset(class_folder, image_size=(4, 7))
    assert dataset.x_train.shape[1:] == (4, 7, 3)


def test_folder_with_images_of_several_sizes_names_the_odd_one(class_folder):
    write_images(class_folder / "odd", 5, size=(9, 8))
    with pytest.raises(ValueError, match=r"odd.00\d\.png is 9x8 pixels, but .* is 6x5. Set `ima"):
        load_dataset(class_folder)


def test_folder_with_a_broken_image_names_it(class_folder):
    broken = class_folder / "dog" / "007.png"
    broken.write_bytes(broken.read_bytes()[:40])
    with pytest.raises(ValueError, match=rf"1 of 30 images cannot be read: {re.escape(str(broken))} .*Replace or rem"):
        load_dataset(class_folder)


def test_folder_with_16_bit_images_is_refused(class_folder):
    deep = class_folder / "dog" / "007.png"
    Image.fromarray(np.full((6, 5), 40_000, "uint16")).save(deep)
    with pytest.raises(ValueError, match=rf"{re.escape(str(deep))} .it has more than 8 bits"):
        load_dataset(class_folder)


def test_folder_without_test_images_says_where_they_belong(tmp_path):
    write_images(tmp_path / "train" / "cat", 2)
    write_images(tmp_path / "train" / "dog", 2)
    with pytest.raises(ValueError, match="no test images: expected a folder test, val or valid"):
        load_dataset(tmp_path)
    (tmp_path / "test").mkdir()
    with pytest.raises(ValueError, match=r"test holds no images. Expected .*/CLASS/"):
        load_dataset(tmp_path)


def test_folder_with_a_test_class_that_was_not_trained_is_refused(split_folder):
    write_images(split_folder / "test" / "horse", 1)
    with pytest.raises(ValueError, match="'horse' is not among the training classes: cat, dog"):
        load_dataset(split_folder)


def test_folder_with_a_class_without_images_is_refused(class_folder):
    (class_folder / "labels").mkdir()
    with pytest.raises(ValueError, match=r"labels holds no images.*or remove the folder"):
        load_dataset(class_folder)


@pytest.mark.parametrize("names", [[], ["train"], ["train", "test"], ["Train", "Val"]])
def test_folder_without_classes_is_refused(tmp_path, names):
    for name in names:
        write_images(tmp_path / name, 3)
    with pytest.raises(ValueError, match=r"no class folders.*at least two classes.*It has folders"):
        load_dataset(tmp_path)


def test_a_folder_with_one_class_is_told_from_one_without_any(tmp_path):
    write_images(tmp_path / "cat", 3)
    with pytest.raises(ValueError, match=r"has one class folder, cat\. Expected at least two"):
        load_dataset(tmp_path)


# Image files of strangers


def class_folders(folder, *images):
    """Two classes of two images each, and the given ones among the first."""
    write_images(folder / "cat", 2)
    write_images(folder / "dog", 2)
    for number, image in enumerate(images):
        image.save(folder / "cat" / f"x{number}.png")
    return folder


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 5 6\nshowpage\n", "not a PNG, JPEG, BMP or WebP image"),
        (b"P6 5 6 255 " + bytes(90), "not a PNG"),
        (b"GIF89a" + bytes(50), "not a PNG"),
        (b"", "not a PNG"),
    ],
    ids=["PostScript", "PPM", "GIF", "empty"],
)
def test_only_four_formats_are_decoded_whatever_the_name(tmp_path, content, reason):
    (class_folders(tmp_path) / "cat" / "x.png").write_bytes(content)
    with pytest.raises(ValueError, match=rf"1 of 5 images cannot be read: .*x\.png \(it is {reason}"):
        load_dataset(tmp_path)


def test_a_pipe_is_not_waited_for_and_a_device_not_read(tmp_path):
    class_folders(tmp_path)
    os.mkfifo(tmp_path / "cat" / "x.png")
    (tmp_path / "dog" / "y.png").symlink_to("/dev/zero")
    with pytest.raises(ValueError, match=r"2 of 6 images .*x\.png \(it is a folder, a pipe or a device.*y\.png"):
        load_dataset(tmp_path)


def test_huge_declared_sizes_are_refused_before_they_are_decoded(tmp_path):
    header = b"IHDR" + (20_000).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    chunk = (13).to_bytes(4, "big") + header + zlib.crc32(header).to_bytes(4, "big")
    data = (9).to_bytes(4, "big") + b"IDAT" + bytes(13)
    (class_folders(tmp_path) / "cat" / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + data)
    with pytest.raises(ValueError, match=r"x\.png \((it declares 20000x20000 pixels|Image size \(400000000 pixels\))"):
        load_dataset(tmp_path)
    with pytest.raises(ValueError, match="at most 67,108,864 pixels in total"):
        load_dataset(tmp_path, image_size=(100_000, 100_000))


def test_all_unreadable_files_are_listed_together_or_skipped(tmp_path):
    write_images(class_folders(tmp_path) / "dog", 20)
    for number in range(12):
        (tmp_path / "dog" / f"bad{number:02}.png").write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"12 of 34 .*bad00.*bad09.*; and 2 more\..*skip them with `skip_unreadable`"):
        load_dataset(tmp_path, limit=100)
    dataset = load_dataset(tmp_path, skip_unreadable=True, seed=1)
    assert len(dataset.y_train) + len(dataset.y_test) == 22 and len(dataset.skipped) == 12
    assert len(dataset.x_train) == len(dataset.y_train) and dataset.skipped[0].name.startswith("bad")


def test_skipping_leaves_every_class(split_folder):
    for path in (split_folder / "train" / "dog").iterdir():
        path.write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"4 of 12 images .* nothing is left of a class, or of the test images"):
        load_dataset(split_folder, skip_unreadable=True)


@pytest.mark.parametrize(
    ("modes", "channels", "expected"),
    [
        ("L", None, 1),
        (("L", "LA", "1"), None, 1),
        (("L", "RGB"), None, 3),
        ("RGB", 1, 1),
        ("RGBA", 3, 3),
        (("RGBA", "P", "L"), 4, 4),
        ("LA", 2, 2),
        ("CMYK", 3, 3),
    ],
)
def test_channels_are_those_asked_for_and_grey_stays_grey(tmp_path, modes, channels, expected):
    modes = [modes] if isinstance(modes, str) and modes in ("L", "RGB", "RGBA", "LA", "P", "CMYK") else modes
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number, mode in enumerate(modes):
            ending = "jpg" if mode == "CMYK" else "png"
            for k in range(2):
                Image.new(mode, (5, 6), 1 if mode in "1LP" else None).save(tmp_path / name / f"{number}{k}.{ending}")
    dataset = load_dataset(tmp_path, channels=channels)
    assert dataset.x_train.shape[1:] == (6, 5, expected) and dataset.x_train.dtype == np.uint8


def test_alpha_is_dropped_or_kept_and_palettes_are_looked_up(tmp_path):
    clear = Image.new("RGBA", (5, 6), (9, 8, 7, 0))
    palette = Image.new("P", (5, 6), 3)
    palette.putpalette([9, 8, 7] * 4)
    palette.info["transparency"] = bytes([0, 0, 0, 0])
    class_folders(tmp_path, clear, palette)
    images = np.concatenate([(d := load_dataset(tmp_path)).x_train, d.x_test])
    assert sorted(map(tuple, images[:, 0, 0]))[-2:] == [(9, 8, 7), (9, 8, 7)]
    images = np.concatenate([(d := load_dataset(tmp_path, channels=4)).x_train, d.x_test])
    assert sorted(map(tuple, images[:, 0, 0]))[-2:] == [(9, 8, 7, 0), (9, 8, 7, 0)]


def test_channels_are_one_to_four(tmp_path):
    with pytest.raises(ValueError, match=r"channels must be one of 1, 2, 3, 4. Received: 5"):
        load_dataset(tmp_path, channels=5)


# Scaling


def test_images_are_scaled_then_standardized():
    digits = load_dataset("digits", limit=20)
    done = scaled(digits, 1 / 16, mean=[0.5], std=0.25)
    np.testing.assert_allclose(done.x_test, (digits.x_test / 16 - 0.5) / 0.25, rtol=1e-6)
    assert done.x_train.dtype == np.float32 and digits.x_train.max() == 16
    assert scaled(digits) is digits


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"scale": 0}, "scale must not be 0"),
        ({"scale": "1/255"}, "scale must be a number or None. Received: '1/255'"),
        ({"std": [1, 2, 3]}, "std is one number, or one for each of 1 channels"),
        ({"mean": float("nan")}, "mean must be a number"),
    ],
)
def test_scales_are_numbers(settings, words):
    with pytest.raises(ValueError, match=words):
        scaled(load_dataset("digits", limit=2), **settings)


# .npz files of strangers


def packed(tmp_path, header=None, body=b"", compression=zipfile.ZIP_DEFLATED):
    """A file whose x_train has another header and body."""
    path = tmp_path / "data.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for key, array in arrays().items():
            stream = io.BytesIO()
            np.lib.format.write_array(stream, array)
            content = stream.getvalue()
            if key == "x_train" and header is not None:
                text = header.encode().ljust(117) + b"\n"
                content = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + body
            archive.writestr(f"{key}.npy", content, compression if key == "x_train" else zipfile.ZIP_STORED)
    return path


@pytest.mark.parametrize(
    ("header", "body", "words"),
    [
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000), }", b"", "bytes do not hold"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, -1), }", b"1234", "bytes do not hold"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (2, }", b"12345678", "is damaged"),
        ("(" * 100, b"", "is damaged"),
        ("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"cos\nsystem\n", "objects are refused"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (80000000,), }", bytes(80_000_000), "unpacks to 80,000"),
    ],
    ids=["huge", "negative", "unclosed", "nested", "pickle", "bomb"],
)
def test_declared_shapes_are_compared_with_the_file(tmp_path, header, body, words):
    with pytest.raises(ValueError, match=rf"data\.npz: `x_train` .*{words}"):
        load_dataset(packed(tmp_path, header, body))


def test_other_compressions_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"`x_train` is damaged .compression of type 14"):
        load_dataset(packed(tmp_path, compression=zipfile.ZIP_LZMA))


def test_encrypted_and_damaged_archives_are_refused_in_words(tmp_path):
    path = saved(tmp_path, arrays())
    content = bytearray(path.read_bytes())
    entry = content.find(b"PK\x01\x02")
    content[entry + 8] |= 1  # the flag of an encrypted member
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"`x_train` is damaged .*encrypted"):
        load_dataset(path)
    content[entry] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"is not an \.npz file, or is truncated .*Write it again"):
        load_dataset(path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x_train": np.full((12, 6, 5, 3), 1e300), "x_test": np.ones((6, 6, 5, 3))}, "1e.300, too large for float32"),
        ({"y_train": np.full(12, 1e300)}, "`y_train` must be class numbers .*below 2,147,483,648"),
        ({"y_test": np.full(6, 2**63 + 5, "uint64")}, "`y_test` must be class numbers"),
        ({"x_test": np.ones((6, 6, 5, 3))}, "x_train is of type uint8, x_test of type float64"),
    ],
)
def test_values_that_would_change_silently_are_refused(tmp_path, changes, words):
    with pytest.raises(ValueError, match=words):
        load_dataset(saved(tmp_path, arrays(**changes)))


# Anything else


def test_a_typo_gets_the_nearest_name():
    with pytest.raises(ValueError, match=r"Unknown data source 'digit' .*Did you mean 'digits'"):
        load_dataset("digit")


def test_the_ending_of_a_path_makes_no_name_near(tmp_path):
    saved(tmp_path, arrays()).rename(tmp_path / "nan.npz")
    (tmp_path / "plain.npy").write_bytes(b"")
    with pytest.raises(ValueError, match=r"a \.npy file") as refused:
        load_dataset(tmp_path / "plain.npy")
    assert "Did you mean" not in str(refused.value)


def test_a_mistyped_path_gets_the_nearest_path(tmp_path):
    path = saved(tmp_path, arrays())
    with pytest.raises(ValueError, match=rf"no such name or path.*Did you mean '{path}'"):
        load_dataset(tmp_path / "dat.npz")


def test_for_another_kind_of_file_the_message_says_what_is_accepted(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("a,b")
    with pytest.raises(ValueError, match=r"a \.csv file.*Expected 'digits'.*\.npz.*FOLDER/CLASS"):
        load_dataset(path)


# Holding out


def test_hold_out_is_stratified_and_takes_training_images_only():
    dataset = load_dataset("digits")
    x_train, y_train, x_val, y_val = hold_out(dataset, share=0.2)
    assert (len(x_train), len(x_val)) == (1150, 288)
    np.testing.assert_allclose(shares(y_train), shares(y_val), atol=0.003)
    held_together = {x.tobytes() for x in np.concatenate([x_train, x_val])}
    assert held_together == {x.tobytes() for x in dataset.x_train}
    assert len(y_train) + len(y_val) == len(dataset.y_train)


def test_hold_out_follows_the_seed():
    dataset = load_dataset("digits", limit=50)
    first, again = hold_out(dataset, seed=1), hold_out(dataset, seed=1)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[2], hold_out(dataset, seed=2)[2])


def test_hold_out_leaves_and_takes_at_least_one_image():
    dataset = load_dataset("digits", limit=2)
    for share in (0.001, 0.999):
        assert [len(part) for part in hold_out(dataset, share)] == [1, 1, 1, 1]
    with pytest.raises(ValueError, match=r"at least two training images. Received: 1"):
        hold_out(load_dataset("digits", limit=1))


@pytest.mark.parametrize("share", [0, 1, -0.1, 10])
def test_hold_out_share_is_a_share(share):
    with pytest.raises(ValueError, match=f"above 0 and below 1.*Received: {share}"):
        hold_out(load_dataset("digits", limit=20), share)


def test_data_are_loaded_without_keras_or_tensorflow():
    code = (
        "import sys; from firekeras.datasets import load_dataset; load_dataset('digits'); "
        "sys.exit(len({'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("kind", SYNTHETIC)
def test_synthetic_images_are_images_that_the_seed_decides(kind):
    x = datasets.synthetic_images((16, 12, 3), 40, kind=kind, seed=1)
    assert x.shape == (40, 16, 12, 3) and x.dtype == "float32"
    assert x.min() >= 0 and x.max() <= 255 and 30 < x.std() < 90
    np.testing.assert_array_equal(x, datasets.synthetic_images((16, 12, 3), 40, kind=kind, seed=1))
    assert not np.array_equal(x, datasets.synthetic_images((16, 12, 3), 40, kind=kind, seed=2))


def test_neighbouring_pixels_of_pink_images_agree_and_those_of_noise_do_not():
    def agreement(kind):
        x = datasets.synthetic_images((32, 32, 3), 20, kind=kind)
        return np.corrcoef(x[:, :, 1:].ravel(), x[:, :, :-1].ravel())[0, 1]

    assert agreement("pink") > 0.7 and abs(agreement("noise")) < 0.05


def test_an_unknown_kind_of_synthetic_images_is_refused():
    with pytest.raises(ValueError, match="kind must be one of"):
        datasets.synthetic_images((8, 8, 1), 2, kind="brown")
