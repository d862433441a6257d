"""Stacked MNIST from a user's files: composed lazily, the same for the same files, labels that tell the digits."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tightrope.core.errors import InputError
from tightrope.data import inspect, load, pick


def write_idx(path: Path, values: np.ndarray) -> None:
    head = bytes([0, 0, 8, values.ndim]) + b"".join(n.to_bytes(4, "big") for n in values.shape)
    content = head + values.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def digits(folder: Path, split: str, count: int, suffix: str = "") -> None:
    """Image i shows the digit i % 10 as a brightness, with a black border."""
    labels = np.arange(count) % 10
    images = np.zeros((count, 28, 28))
    images[:, 4:24, 4:24] = 20 * labels[:, None, None] + 10
    write_idx(folder / f"{split}-images-idx3-ubyte{suffix}", images)
    write_idx(folder / f"{split}-labels-idx1-ubyte{suffix}", labels)


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    place = tmp_path / "mnist"
    place.mkdir()
    digits(place, "train", 60, ".gz")
    digits(place, "t10k", 20)
    return place


def test_three_digits_are_the_channels_and_the_label(mnist):
    data = load(f"stacked:500:{mnist}")
    assert data.spec.shape == (3, 32, 32) and data.spec.count == len(data) == 500
    assert data.spec.classes[123] == "123" and len(data.spec.classes) == 1000
    assert sum(data.spec.shares) == pytest.approx(1.0)
    index = torch.arange(500)
    images, labels = data.batch(index), data.labels(index)
    read = (((images[:, :, 16, 16] + 1) * 127.5 - 10) / 20).round().long()
    assert torch.equal(read @ torch.tensor([100, 10, 1]), labels)
    assert images.dtype == torch.float32 and images.min() == -1 and (images[:, :, :6] == -1).all(), "a margin of 2 pixels"
    assert len(labels.unique()) > 300, "the channels are drawn apart"


def test_the_count_by_default_and_both_splits(mnist):
    data = load(f"stacked:{mnist}")
    assert len(data) == 128_000 and data._parts.max() == 79 and data._digits.nbytes == 80 * 32 * 32


def test_the_same_files_give_the_same_images(mnist):
    one, two, other = (load(f"stacked:{n}:{mnist}") for n in (300, 300, 301))
    index = torch.tensor([0, 7, 299])
    assert torch.equal(one.batch(index), two.batch(index)) and one.fingerprint == two.fingerprint != other.fingerprint
    again = load(**one.source)
    assert again.fingerprint == one.fingerprint and again.source == one.source
    digits(mnist, "t10k", 30)
    assert load(**one.source).fingerprint != one.fingerprint


def test_what_reads_images_reads_these(mnist):
    facts = inspect(f"stacked:200:{mnist}", size=16)
    assert facts["spec"]["shape"] == (3, 16, 16) and facts["count"] == 200 and len(facts["classes"]) == 1000
    json.dumps(facts, default=str)
    data = load(f"stacked:200:{mnist}")
    assert len(pick(data, 64, 0)) == 64 and data.modality.grid(data.batch(pick(data, 4, 0))).shape[2] == 3
    assert len(data.names()) == 200 and data.names()[0].count("-") == 2


@pytest.mark.parametrize("name", ["stacked:", "stacked:1:x", "stacked:99999999999:x"])
def test_a_name_that_says_too_little(name):
    with pytest.raises(InputError, match="stacked:FOLDER"):
        load(name)


def test_a_folder_without_digits(tmp_path, mnist):
    with pytest.raises(InputError, match="names no folder that holds MNIST"):
        load(f"stacked:{tmp_path / 'nothing'}")
    (mnist / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(InputError, match="not grey digits with labels"):
        load(f"stacked:{mnist}")
