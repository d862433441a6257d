"""NumPy files, IDX and tables."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import picture

from tightrope.data import ImageDataset, PointDataset, load

GREY = np.random.default_rng(0).integers(0, 256, (5, 16, 16), np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (5, 16, 16, 3), np.uint8)


def pixels(data: ImageDataset | PointDataset) -> np.ndarray:
    return data.modality.to_array(data.batch(torch.arange(len(data))))


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (GREY, GREY[..., None]),
        (GREY[..., None], GREY[..., None]),
        (GREY[:, None], GREY[..., None]),
        (COLOUR, COLOUR),
        (COLOUR.transpose(0, 3, 1, 2), COLOUR),
        (COLOUR.astype(np.float32) / 255, COLOUR),
        (COLOUR / 127.5 - 1, COLOUR),
        (np.repeat(GREY[..., None], 3, axis=3), GREY[..., None]),
    ],
    ids=["NHW", "NHW1", "N1HW", "NHW3", "N3HW", "float 0..1", "float -1..1", "grey in colour"],
)
@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_layouts_and_ranges(tmp_path: Path, stored: np.ndarray, expected: np.ndarray, kind: str) -> None:
    path = tmp_path / f"x.{kind}"
    np.save(path, stored) if kind == "npy" else np.savez_compressed(path, images=stored)
    assert np.array_equal(pixels(load(path)), expected)


def test_arrays_are_cut_and_scaled_like_files(tmp_path: Path) -> None:
    image = picture(2, 60, 40)
    np.save(tmp_path / "x.npy", np.stack([np.asarray(image)] * 2))
    (tmp_path / "files").mkdir()
    for i in range(2):
        image.save(tmp_path / "files" / f"{i}.png")
    assert np.array_equal(pixels(load(tmp_path / "x.npy", size=24)), pixels(load(tmp_path / "files", size=24)))


def test_npz_with_labels_and_class_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x_train=GREY, y_train=np.array([[7], [3], [7], [7], [3]]))
    data = load(tmp_path / "x.npz")
    assert data.spec.classes == ("3", "7")
    assert data.labels(torch.arange(5)).tolist() == [1, 0, 1, 1, 0]
    np.savez(tmp_path / "y.npz", images=GREY, labels=np.array([0, 1, 0, 1, 2], np.uint8), classes=np.array(["cup", "jar", "pot"]))
    assert load(tmp_path / "y.npz").spec.classes == ("cup", "jar", "pot")


def write_idx(folder: Path, images: np.ndarray, labels: np.ndarray | None, packed: bool) -> None:
    for name, array in (("train-images-idx3-ubyte", images), ("train-labels-idx1-ubyte", labels)):
        if array is not None:
            content = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()
            (folder / (name + ".gz" * packed)).write_bytes(gzip.compress(content) if packed else content)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("as_file", [False, True])
def test_idx(tmp_path: Path, packed: bool, as_file: bool) -> None:
    write_idx(tmp_path, GREY, np.array([2, 0, 2, 1, 0], np.uint8), packed)
    data = load(tmp_path / ("train-images-idx3-ubyte" + ".gz" * packed) if as_file else tmp_path)
    assert np.array_equal(pixels(data)[..., 0], GREY)
    assert data.spec.classes == ("0", "1", "2")
    assert data.labels(torch.arange(5)).tolist() == [2, 0, 2, 1, 0]
    assert load(**data.source).fingerprint == data.fingerprint


def test_idx_without_labels(tmp_path: Path) -> None:
    write_idx(tmp_path, GREY, None, packed=True)
    assert load(tmp_path).spec.classes == ()


def test_28_pixels_become_32_by_their_background(tmp_path: Path) -> None:
    images = np.full((3, 28, 28), 7, np.uint8)
    images[:, 8:20, 8:20] = np.random.default_rng(0).integers(0, 256, (3, 12, 12))
    write_idx(tmp_path, images, None, packed=False)
    padded = pixels(load(tmp_path))[..., 0]
    assert padded.shape == (3, 32, 32)
    assert np.array_equal(padded[:, 2:30, 2:30], images)
    assert (padded[:, :2] == 7).all()
    assert np.array_equal(pixels(load(tmp_path, size=28))[..., 0], images)


def test_a_changed_array_is_seen(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", GREY)
    before = load(tmp_path / "x.npy").fingerprint
    np.save(tmp_path / "x.npy", np.concatenate([GREY, GREY]))
    assert load(tmp_path / "x.npy").fingerprint != before


ROWS = np.random.default_rng(3).normal([5, -2], [3, 0.5], (200, 2)).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "delimiter", "header"),
    [("a.csv", ",", ""), ("b.csv", ",", "x,y"), ("c.csv", ";", "x;y"), ("d.tsv", "\t", ""), ("e.txt", " ", "x y")],
)
def test_tables(tmp_path: Path, name: str, delimiter: str, header: str) -> None:
    np.savetxt(tmp_path / name, ROWS, delimiter=delimiter, header=header, comments="", fmt="%.9g")
    data = load(tmp_path / name)
    assert np.array_equal(data.points, ROWS)


def test_own_points_are_standardised_by_mean_and_one_scalar(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", ROWS)
    data = load(tmp_path / "x.npy")
    assert data.spec.modality == "points"
    assert data.spec.shape == (2,)
    assert (data.centres, data.sigma, data.rejects) == (None, None, [])
    standard = data.batch(torch.arange(200))
    assert standard.dtype == torch.float32
    assert standard.mean(0).abs().max() < 1e-5
    assert abs(standard.square().mean().sqrt() - 1) < 1e-5
    assert data.spec.scale == pytest.approx(np.std(ROWS - ROWS.mean(0)), rel=1e-5)
    assert np.allclose(data.modality.to_array(standard), ROWS, atol=1e-5)


def test_points_of_one_and_of_sixteen_coordinates(tmp_path: Path) -> None:
    for width in (1, 16):
        np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(50, width)))
        data = load(tmp_path / "x.npy")
        assert data.spec.shape == (width,)
        assert data.modality.grid(data.batch(torch.arange(50))).shape == (512, 512, 3)


def test_points_come_back_from_the_file_that_sampling_writes(tmp_path: Path) -> None:
    points = load("ring8")
    index = torch.arange(20)
    (written,) = points.modality.save(points.batch(index), [f"{i:06d}" for i in range(20)], tmp_path)
    back = load(written)
    assert back.spec.shape == (2,) and np.allclose(back.points, points.points[:20], atol=1e-6)
