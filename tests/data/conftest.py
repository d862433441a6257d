"""Pictures and folders to load; every test has its own cache."""

from __future__ import annotations

from pathlib import Path

import pytest
from pictures import picture


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of this test; also where the environment points."""
    monkeypatch.setenv("TIGHTROPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TIGHTROPE_FASHION", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three good pictures, no classes."""
    place = tmp_path / "pictures"
    place.mkdir()
    for i in range(3):
        picture(i).save(place / f"{i}.png")
    return place
