"""Shared by all tests: the places of optional real files, a cache of their own, one thread a process, and the contract suite's option."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def parity() -> Path:
    """The folder of reference vectors; skips where there is none."""
    folder = Path(os.environ.get("TIGHTROPE_PARITY", ROOT.parent / "shared" / "parity"))
    if not folder.is_dir():
        pytest.skip("the reference vectors are not here (set TIGHTROPE_PARITY)")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Pixels, features and networks that tests make stay out of the user's cache."""
    os.environ["TIGHTROPE_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Two test processes share two cores; results must not depend on who runs beside them."""
    torch.set_num_threads(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--recipe", help="run the contract suite on this recipe's file alone")
