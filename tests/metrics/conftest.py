"""Features and networks that tests make stay out of the user's cache."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    import os

    os.environ["TIGHTROPE_CACHE"] = str(tmp_path_factory.mktemp("cache"))
