"""The contract suite runs on every recipe of the package and of docs/examples, or on yours: pytest tests/contract --recipe my_gan.py"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tightrope import recipes
from toys import SHAPES, ToyDataset

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"

# fields beside those of the toy preset, with which the suite runs too
VARIANTS: dict[str, tuple[dict[str, Any], ...]] = {
    "swift": ({"augmentation": "apa", "augment_target": 0.6, "augment": 0.5},),
    "gan": (
        {"objective": "relativistic", "pack": 2},
        {"objective": "relativistic-average", "top_k": 0.5},
        {"unroll": 2, "norm": True, "latent": "normal", "init": 0.02},
    ),
    "dcgan": ({"pack": 2},),
    "cgan": ({"networks_of": "mlp", "units": 24},),
    "acgan": ({"dropout": 0.5},),
    "stylegan3": ({"variant": "r", "conditional": True, "blur": 2.0},),
    "srgan": (
        {"network": "srresnet", "content": "l2", "objective": "relativistic-average", "matching": 1.0},
        {"adversarial": 0.0, "crop": 96},
    ),
    "esrgan": ({"critic": "vgg"}, {"adversarial": 0.0, "turn": False}),
    "improved_gan": ({"technique": "feature-matching", "history": 0.0, "reference": 0, "target": 1.0},),
}

Request = tuple[str, str, dict[str, Any]]


def requests(own: str | None) -> dict[str, Request]:
    """(recipe, modality, fields) of every case, by its name."""
    examples = sorted(EXAMPLES.glob("*.py"))
    found: dict[str, Request] = {}
    for name in [own] if own else [*recipes.names(), *map(str, examples)]:
        header = recipes.header(name)
        for modality in header.modalities:
            found[f"{header.name}-{modality}"] = (name, modality, {})
        for fields in VARIANTS.get(name, ()):
            label = "-".join(str(value) for value in fields.values() if not isinstance(value, float))
            found[f"{header.name}-{label}"] = (name, header.modalities[-1], fields)
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        cases = requests(metafunc.config.getoption("--recipe"))
        metafunc.parametrize("case", cases.values(), ids=cases.keys(), indirect=True)


@pytest.fixture
def case(request: pytest.FixtureRequest) -> tuple[str, Any, ToyDataset]:
    """(name, recipe of the toy preset, data of one of its modalities)."""
    name, modality, fields = request.param
    return (
        name,
        recipes.find(name)(**recipes.header(name).resolve("toy", fields)),
        ToyDataset(SHAPES[modality], modality=modality),
    )
