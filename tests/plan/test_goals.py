"""Targets as people write them."""

import pytest

from firekeras.plan.goals import amount_of, checked_target, described, goals_of, in_words

BEFORE = {"ram": 1000, "macs": 200}


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        (256_000, 256_000),
        ("256 kB", 256_000),
        ("256kB", 256_000),
        ("256 KiB", 262_144),
        ("1.5M", 1_500_000),
        ("512000", 512_000),
        ("64 bytes", 64),
        (0.5, None),
        (50, None),
        ("50", None),
        ("half", None),
        ("256 kBit", None),
        (True, None),
        ("2 ms", None),
    ],
)
def test_an_amount_is_a_number_above_100_or_text(value, amount):
    assert amount_of(value) == amount


def test_bytes_are_for_what_is_counted_in_bytes():
    assert amount_of("3 MB", "") is None and amount_of("3 M", "") == 3_000_000
    assert in_words("ram", 31232.0) == "31,232 B" and in_words("macs", 5000) == "5,000"


TIMES = [("2 ms", 0.002), ("1.5s", 1.5), ("300us", 0.0003), ("2", None), (3, None)]


@pytest.mark.parametrize(("value", "seconds"), TIMES)
def test_a_time_is_text_with_a_unit(value, seconds):
    assert amount_of(value, "s") == (None if seconds is None else pytest.approx(seconds))
    assert in_words("latency", 0.0021) == in_words("litert_latency", 0.0021) == "2.1 ms"


def test_shares_are_of_what_is_there_and_amounts_stand_for_themselves():
    target = checked_target({"ram": "512 B", "macs": 0.25})
    assert goals_of(target, BEFORE) == {"ram": 512, "macs": 50}


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"ram": 50}, r"50% is 0\.5"),
        ({"ram": "50%"}, r"50% is 0\.5"),
        ({"rma": 0.5}, "Did you mean 'ram'"),
        ({"FLOPs": 0.5}, "Did you mean 'macs'"),
        ({"ram": "3 parsecs"}, r"^'parsecs' is no unit of ram: expected B, kB.* Received: \{'ram': '3 parsecs'\}"),
        ({"latency": "2 kB"}, r"^'kB' is no unit of latency: expected s, ms or us, such as '2 ms'"),
        ({"macs": "2 MB"}, r"^'MB' is no unit of macs: expected k, M or G"),
        ({"latency": 5000}, "target must be one of"),
        ({"ram": 0.5, "flash": "much"}, "target must be one of"),
        ({"ram": "0 kB"}, "target must be one of"),
        ({"ram": f"{'9' * 400} kB"}, "target must be one of"),
    ],
)
def test_what_is_no_target_is_refused(target, words):
    with pytest.raises(ValueError, match=words):
        checked_target(target, ("ram", "flash", "macs", "latency"))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"macs": 0.3719}, "37.19% of the MACs"),
        ({"ram": "256 kB", "conv_macs": 0.5}, "256 kB of int8 RAM and 50% of the conv MACs"),
        ({"flash": 512_000}, "512,000 B of int8 flash"),
        ({"litert_latency": 0.8}, "80% of the latency in LiteRT"),
        ({"latency": "2 ms"}, "2 ms of latency"),
    ],
)
def test_a_target_is_described_in_plain_words(target, words):
    assert described(target) == words
