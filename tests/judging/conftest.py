"""Data and samples to judge."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from toys import drawings, write_images


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An array of 600 drawings."""
    path = tmp_path_factory.mktemp("real") / "real.npz"
    np.savez(path, images=drawings(600, seed=0))
    return path


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A folder of 200 other drawings."""
    return write_images(tmp_path / "fresh", drawings(200, seed=1))
