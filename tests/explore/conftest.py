"""A generator's file that makes samples of a class."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import levels
from levels import NAMES, SIDE, Levels
from tightrope.core.spec import DataSpec
from tightrope.training.artifact import write_generator


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "g.safetensors")


@pytest.fixture
def bounded(tmp_path: Path) -> Path:
    """One whose latents are uniform."""
    return write(tmp_path / "uniform.safetensors", uniform=True)


def write(path: Path, **fields: bool) -> Path:
    spec = DataSpec(modality="images", shape=(1, SIDE, SIDE), classes=NAMES, shares=(0.25,) * 4, count=400)
    facts = {"recipe": levels.__file__, "fields": json.dumps(fields), "spec": json.dumps(spec.to_json()), "seen": "8"}
    write_generator(path, {"G": Levels(**fields).networks(spec)["G"]}, facts)
    return path
