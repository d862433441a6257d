"""What ships inside the package: counts, sizes, balance, and that naming it needs no torch."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tightrope.core.errors import InputError
from tightrope.data import load, names, pick
from tightrope.data.catalog import EMBEDDED_FOLDER

SHARED = Path(os.environ.get("TIGHTROPE_SHARED", Path(__file__).parents[3] / "shared")) / "data"


def bytes_of(name: str) -> int:
    return sum(path.stat().st_size for path in EMBEDDED_FOLDER.glob(f"{name}[.-]*"))


def test_fashion() -> None:
    data = load("fashion")
    assert data.spec.shape == (1, 32, 32)
    assert len(data) >= 10_000
    counts = torch.bincount(data.labels(torch.arange(len(data))))
    assert (counts == len(data) // 10).all()
    assert data.spec.classes[0] == "T-shirt/top"
    assert "MIT" in data.licence
    assert bytes_of("fashion") <= 6_000_000
    assert data.batch(torch.arange(500))[:, :, [0, 1, 30, 31]].max() == -1  # the margin
    assert load("fashion", size=28).spec.shape == (1, 28, 28)
    assert load(**data.source).fingerprint == data.fingerprint


def test_emoji() -> None:
    data = load("emoji")
    assert data.spec.shape == (3, 64, 64)
    assert len(data) == 3819
    assert bytes_of("emoji") <= 10_000_000
    drawings = data.names()
    assert len(set(drawings)) == 3819
    labels = data.labels(torch.arange(3819)).tolist()
    classes = {name: data.spec.classes[label] for name, label in zip(drawings, labels, strict=True)}
    expected = {"grinning-face": "smileys", "waving-hand": "people", "zebra": "animals", "pizza": "food", "rocket": "travel"}
    assert {name: classes[name] for name in expected} == expected
    corners = data.batch(torch.arange(500))[:, :, 0, 0]
    assert (corners == 1).float().mean() > 0.9  # over white


def test_small_emoji_are_means_of_blocks() -> None:
    large, small = load("emoji"), load("emoji", size=32)
    index = torch.tensor([5, 1000])
    blocks = large.modality.to_array(large.batch(index)).reshape(2, 32, 2, 32, 2, 3).mean((2, 4))
    assert np.abs(small.modality.to_array(small.batch(index)) - blocks).max() <= 0.51


@pytest.mark.parametrize("name", ["fashion", "emoji"])
def test_indices_state_the_sum_of_every_mosaic(name: str) -> None:
    record = json.loads((EMBEDDED_FOLDER / f"{name}.json").read_text("utf-8"))
    for part in record["mosaics"]:
        assert hashlib.sha256((EMBEDDED_FOLDER / part["file"]).read_bytes()).hexdigest() == part["sha256"]


def test_attribution_ships() -> None:
    text = (EMBEDDED_FOLDER / "ATTRIBUTION.md").read_text("utf-8")
    for words in ("Copyright © 2017 Zalando SE", "Permission is hereby granted", "Google", "Apache License", "emojibase"):
        assert words in text


def test_names_say_what_is_loaded() -> None:
    listed = names()
    assert list(listed) == ["fashion", "emoji", "emoji-pairs", "ring8", "grid25"]
    assert f"{len(load('fashion')):,}" in listed["fashion"]
    assert f"{len(load('emoji')):,}" in listed["emoji"]
    assert all("\n" not in line for line in listed.values())


def test_names_come_without_torch() -> None:
    code = "import sys; from tightrope.data import names; names(); sys.exit('torch' in sys.modules or 'PIL' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0


def test_whole_fashion_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIGHTROPE_FASHION", str(tmp_path))
    with pytest.raises(InputError, match="TIGHTROPE_FASHION"):
        load("fashion")
    place = SHARED / "fashion-mnist"
    if not place.is_dir():
        pytest.skip("the IDX files are not here (set TIGHTROPE_SHARED)")
    part = load("fashion") if monkeypatch.delenv("TIGHTROPE_FASHION") is None else None
    monkeypatch.setenv("TIGHTROPE_FASHION", str(place))
    whole = load("fashion")
    assert len(whole) == 60_000
    assert whole.spec.classes == part.spec.classes
    assert (whole.name, whole.spec.shape) == ("fashion", (1, 32, 32))
    # the embedded images are the first of every class
    labels = whole.labels(torch.arange(60_000))
    for label in range(10):
        mine = torch.nonzero(labels == label)[:20, 0]
        embedded = torch.arange(label, 200, 10)
        assert torch.equal(whole.batch(mine), part.batch(embedded))


def test_pick_is_balanced_and_repeatable() -> None:
    data = load("fashion")
    index = pick(data, 64, seed=3)
    assert torch.equal(index, pick(data, 64, seed=3))
    assert not torch.equal(index, pick(data, 64, seed=4))
    counts = torch.bincount(data.labels(index), minlength=10)
    assert counts.max() - counts.min() <= 1
    assert len(set(index.tolist())) == 64
    points = load("ring8")
    assert len(set(pick(points, 500, seed=0).tolist())) == 500


def test_pick_of_more_than_there_are(folder: Path) -> None:
    assert sorted(pick(load(folder), 64, seed=0).tolist()) == [0, 1, 2]
