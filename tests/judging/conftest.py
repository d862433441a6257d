"""Folders of drawings to judge; caches of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def drawings(n: int, seed: int, size: int = 16) -> np.ndarray:
    """Bright bars of four angles at random places, uint8 (n, size, size)."""
    random = np.random.default_rng(seed)
    angle = (np.arange(n) % 4 * np.pi / 4)[:, None, None]
    y, x = np.meshgrid(np.linspace(-1, 1, size), np.linspace(-1, 1, size), indexing="ij")
    centre, width = random.uniform(-0.5, 0.5, (2, n, 1, 1)), random.uniform(0.15, 0.35, (n, 1, 1))
    across = (x - centre[0]) * np.cos(angle) + (y - centre[1]) * np.sin(angle)
    return ((np.abs(across) < width) * random.uniform(100, 255, (n, 1, 1))).astype(np.uint8)


def write(folder: Path, images: np.ndarray) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{i:04d}.png")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    import os

    os.environ["TIGHTROPE_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An array of 600 drawings."""
    path = tmp_path_factory.mktemp("real") / "real.npz"
    np.savez(path, images=drawings(600, seed=0))
    return path


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A folder of 200 other drawings."""
    return write(tmp_path / "fresh", drawings(200, seed=1))
