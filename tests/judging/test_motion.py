"""A generator that can be told to move its images is asked how exactly it does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import torch

from tightrope import recipes
from tightrope.core.spec import DataSpec
from tightrope.explore.generator import Generator
from tightrope.judging.motion import motion_records
from tightrope.judging.subjects import Case


def case_of(name: str) -> Case:
    torch.manual_seed(0)
    recipe = recipes.find(name)(**recipes.header(name).resolve("toy", {}))
    spec = DataSpec(modality="images", shape=(3, 16, 16), count=100)
    tensors = {f"G/{key}": value for key, value in recipe.networks(spec)["G"].state_dict().items()}
    generator = Generator(recipe, spec, tensors, {"recipe": name})
    return cast(Case, SimpleNamespace(subject=SimpleNamespace(generator=generator)))


def test_moving_generators_are_measured_and_left_where_they_stood() -> None:
    case = case_of("stylegan3")
    generator: Any = case.subject.generator
    before = generator.sample(seeds=[0])
    records = {record["name"]: record["value"] for record in motion_records(case)}
    assert set(records) == {"EQ-T [dB]", "EQ-T of parts of a pixel [dB]", "EQ-R [dB]"}
    assert records["EQ-T [dB]"] > records["EQ-R [dB]"]  # its kernels are not the same in all directions
    assert torch.equal(generator.sample(seeds=[0]), before)


def test_others_are_not() -> None:
    assert motion_records(case_of("swift")) == []
    assert motion_records(cast(Case, SimpleNamespace(subject=SimpleNamespace(generator=None)))) == []
