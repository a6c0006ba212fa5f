"""The rows of examples/fashion_mnist.py: its networks, its data files, its results and its table."""

import gzip
import pathlib
import sys

import numpy as np
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "examples"))
import fashion_mnist as fashion

import firekeras

pytestmark = pytest.mark.usefixtures("uncompiled")


def write_idx(path, array):
    shape = np.array(array.shape, ">i4").tobytes()
    path.write_bytes(gzip.compress(bytes([0, 0, 8, array.ndim]) + shape + array.tobytes()))


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for split, images in (("train", 80), ("t10k", 20)):
        write_idx(tmp_path / f"{split}-images-idx3-ubyte.gz", rng.integers(0, 256, (images, 28, 28), "uint8"))
        write_idx(tmp_path / f"{split}-labels-idx1-ubyte.gz", rng.integers(0, 10, images, "uint8"))
    return tmp_path


def made(network, seed, row, settled, seconds=100.0):
    found = {"network": network, "seed": seed, "row": row, "settled": settled, "seconds": seconds}
    return found | {"epochs": 8, "images": 20_000, "conv_macs": 1.0, "saved": settled - 0.05}


def test_the_network_of_rounds_has_its_cost_and_narrower_ones_the_share_that_was_asked_for():
    macs = firekeras.count_costs(fashion.conv_bn()).conv_macs
    assert macs == 8_778_240
    for build in fashion.NETWORKS.values():
        narrow, whole = (firekeras.count_costs(one).conv_macs for one in (fashion.narrowed(build, 0.25), build()))
        assert 0.24 < narrow / whole <= 0.25


def test_missing_data_are_reported_with_the_command_that_installs_them(tmp_path):
    with pytest.raises(SystemExit, match="apt install dataset-fashion-mnist"):
        fashion.load(tmp_path)


def test_a_row_that_is_there_is_not_run_again(folder, tmp_path, capsys):
    given = ["--networks", "plain", "--rows", "as trained", "--epochs", "2", "--images", "64"]
    given += ["--data", str(folder), "--cache", str(folder), "--results", str(tmp_path / "rows.jsonl")]
    assert fashion.main(given) == 0
    (record,) = fashion.read(tmp_path / "rows.jsonl")
    assert record["conv_macs"] == 1
    assert record["settled"] == record["saved"]
    capsys.readouterr()
    assert fashion.main(given) == 0
    assert fashion.read(tmp_path / "rows.jsonl") == [record]
    assert capsys.readouterr().out.startswith("| plain, 1 seed |")


def test_the_table_has_means_over_seeds_differences_by_seed_and_fits_80_columns():
    records = [made("conv_bn", seed, fashion.REFERENCE, 0.90 + seed / 100) for seed in range(3)]
    records += [made("conv_bn", seed, "unpruned constant 20", 0.91 + seed / 50, seconds=300) for seed in range(3)]
    records += [made("conv_bn", seed, "unpruned constant 8", 0.85) for seed in range(3)]
    shown = fashion.tables(records, fashion.arguments(["--table"]))
    assert "| unpruned constant 20 | 100.0% | 0.9300 | +2.00 ± 1.00 | 0.8800 | 300 | 3.00 |" in shown
    assert max(map(len, shown.splitlines())) <= 80
