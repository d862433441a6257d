"""The contract suite runs on every recipe of the package, or on your own: pytest tests/contract --recipe my_gan.py"""

from __future__ import annotations

from typing import Any

import pytest

from tightrope import recipes
from toys import SHAPES, ToyDataset


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        own = metafunc.config.getoption("--recipe")
        names = [own] if own else recipes.names()
        cases = [(name, modality) for name in names for modality in recipes.header(name).modalities]
        metafunc.parametrize("case", cases, ids=[f"{n}-{m}" for n, m in cases], indirect=True)


@pytest.fixture
def case(request: pytest.FixtureRequest) -> tuple[str, Any, ToyDataset]:
    """(name, recipe of the toy preset, data of one of its modalities)."""
    name, modality = request.param
    header = recipes.header(name)
    return name, recipes.find(name)(**header.resolve("toy", {})), ToyDataset(SHAPES[modality])
