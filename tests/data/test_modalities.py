"""Mixtures of points, and how images and points are shown and saved; and `inspect`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import picture
from PIL import Image

from tightrope.core.errors import InputError
from tightrope.data import Images, Points, inspect, load


@pytest.mark.parametrize(("name", "modes", "sigma", "reach"), [("ring8", 8, 0.01, 1.0), ("grid25", 25, 0.05, 4.0)])
def test_mixtures_follow_the_protocol(name: str, modes: int, sigma: float, reach: float) -> None:
    data = load(name)
    assert len(data) == 100_000
    assert data.centres.shape == (modes, 2)
    assert data.sigma == sigma
    assert np.abs(data.centres).max() == pytest.approx(reach)
    offsets = data.points[:, None] - data.centres
    nearest = np.linalg.norm(offsets, axis=2).argmin(1)
    assert np.bincount(nearest, minlength=modes).min() > 0.9 * 100_000 / modes
    assert offsets[np.arange(100_000), nearest].std() == pytest.approx(sigma, rel=0.01)
    standard = data.batch(torch.arange(100_000))
    assert standard.std() == pytest.approx(1, abs=1e-3)
    assert np.allclose(data.modality.to_array(standard), data.points, atol=1e-5)
    assert load(name).fingerprint == data.fingerprint


def test_mixtures_are_the_same_everywhere() -> None:
    """The streams are frozen: a fingerprint in a run means the same points on every machine."""
    assert np.allclose(load("ring8").points[0], RING_FIRST, atol=1e-6)
    assert np.allclose(load("grid25").points[0], GRID_FIRST, atol=1e-6)


RING_FIRST = (-0.7216129, 0.7292672)
GRID_FIRST = (4.0764451, -3.9870293)


def test_a_drawing_of_points_is_clean() -> None:
    data = load("ring8")
    drawing = data.modality.grid(data.batch(torch.arange(1000)))
    assert drawing.shape == (512, 512, 3)
    assert (drawing[0] == 255).all()
    red = (drawing[..., 0].astype(int) - drawing[..., 2]) > 60
    grey = (drawing < 240).all(-1) & ~red
    assert red.sum() > 100
    assert grey.sum() > 100
    assert red[256, 490:].any() or red[230:280, 460:].any()  # the mode at (1, 0) is on the right


def test_points_far_away_sit_on_the_edge_and_do_not_move_the_view() -> None:
    data = load("ring8")
    far = torch.tensor([[1e6, 0.0]])
    drawing = data.modality.grid(far)
    assert (drawing[250:262, 505:, 0].astype(int) - drawing[250:262, 505:, 2]).max() > 60


def test_points_without_real_data_and_none_at_all() -> None:
    assert Points().grid(torch.randn(10, 2)).shape == (512, 512, 3)
    assert (Points().grid(torch.zeros(0, 2)) == 255).all()
    assert (Points().grid(torch.zeros(3, 2)) < 250).any()


def test_points_are_saved_in_data_units(tmp_path: Path) -> None:
    modality = Points(scale=2.0, mean=np.array([10.0, -1.0]))
    (path,) = modality.save(torch.tensor([[0.5, 1.0], [0.0, 0.0]]), ["a", "b"], tmp_path)
    assert path.read_text("utf-8") == "name,x0,x1\na,11.0,1.0\nb,10.0,-1.0\n"


def test_pixels_round_trip_and_clamp() -> None:
    every = torch.arange(256, dtype=torch.float32).reshape(1, 1, 16, 16) / 127.5 - 1
    assert np.array_equal(Images().to_array(every).ravel(), np.arange(256))
    outside = torch.tensor([-9.0, -1.0, 0.0, 1.0, 9.0]).reshape(1, 1, 1, 5)
    assert Images().to_array(outside).ravel().tolist() == [0, 0, 128, 255, 255]
    assert Images().to_array(every.to(torch.bfloat16)).dtype == np.uint8


def test_a_grid_is_one_to_one_on_white() -> None:
    samples = torch.full((5, 1, 8, 6), -1.0)
    sheet = Images().grid(samples)
    assert sheet.shape == (2 * 10 + 2, 3 * 8 + 2, 3)
    assert (sheet[2:10, 2:8] == 0).all()
    assert (sheet[:2] == 255).all()
    assert (sheet[12:20, 18:24] == 255).all()  # the sixth place is empty
    assert Images().grid(samples, columns=5).shape == (12, 42, 3)


def test_images_are_saved_as_they_are(tmp_path: Path) -> None:
    for channels in (1, 3):
        samples = torch.rand(2, channels, 8, 8) * 2 - 1
        paths = Images().save(samples, ["a", "b"], tmp_path / "new")
        assert [path.name for path in paths] == ["a.png", "b.png"]
        stored = np.stack([np.asarray(Image.open(path)).reshape(8, 8, channels) for path in paths])
        assert np.array_equal(stored, Images().to_array(samples))
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["a.png", "b.png"]


def test_broken_samples_are_refused(tmp_path: Path) -> None:
    broken = torch.zeros(2, 1, 8, 8)
    broken[0, 0, 0, 0] = torch.nan
    for call in (Images().grid, Images().to_array):
        with pytest.raises(InputError, match="1 values that are not finite"):
            call(broken)
    with pytest.raises(InputError, match="shape"):
        Images().to_array(torch.zeros(2, 2, 8, 8))
    with pytest.raises(InputError, match="2 images and 1 names"):
        Images().save(torch.zeros(2, 1, 8, 8), ["a"], tmp_path)
    with pytest.raises(InputError, match="not finite"):
        Points().grid(torch.full((3, 2), torch.inf))
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot be written"):
        Images().save(torch.zeros(1, 1, 8, 8), ["a"], tmp_path / "file" / "sub")


def test_inspect_a_folder(tmp_path: Path) -> None:
    for name, side in (("cat", 40), ("dog", 100)):
        (tmp_path / "set" / name).mkdir(parents=True)
        for i in range(2):
            picture(i, side, side + 10).save(tmp_path / "set" / name / f"{i}.png")
    (tmp_path / "set" / "cat" / "bad.png").write_bytes(b"no")
    (tmp_path / "set" / "README.md").write_text("# Pets\n\nPhotographs of pets, CC BY-SA 4.0.\n", "utf-8")
    record = inspect(tmp_path / "set")
    json.dumps(record)
    assert record["count"] == 4
    assert record["classes"] == {"cat": 2, "dog": 2}
    assert record["spec"]["shape"] == (3, 32, 32)
    assert record["originals"]["shorter_side"] == {"min": 40, "median": 40, "max": 100}
    assert record["originals"]["histogram"] == {"32-63": 2, "64-127": 2}
    assert record["originals"]["kinds"] == {"PNG RGB": 4}
    assert record["rejects"] == [{"path": "cat/bad.png", "reason": "not an image of a known format, or its beginning is damaged"}]
    assert record["licence"] == "CC BY-SA 4.0 (as README.md says)"
    assert Path(record["cache"]).is_dir()
    assert record["fingerprint"] == load(tmp_path / "set").fingerprint


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("LICENSE", "MIT License\n\nCopyright", "MIT (as LICENSE says)"),
        ("COPYRIGHT.txt", "a.jpg: CC0\nb.jpg: CC BY 4.0", "CC0, CC BY 4.0 (as COPYRIGHT.txt says)"),
        ("LICENSE.md", "All rights reserved by Me.", "All rights reserved by Me. (as LICENSE.md says)"),
        ("README", "Nothing about it.", None),
    ],
)
def test_a_licence_is_repeated_as_stated(folder: Path, name: str, text: str, expected: str | None) -> None:
    (folder / name).write_text(text, "utf-8")
    assert load(folder).licence == expected


def test_inspect_points() -> None:
    record = inspect("ring8")
    json.dumps(record)
    assert record["modality"] == "points"
    assert len(record["points"]["centres"]) == 8
    assert record["points"]["sigma"] == 0.01
