"""Pictures given as the latents of a game."""

from __future__ import annotations

from typing import Any, cast

import torch

from tightrope.core.given import beside, bound
from toys import SHAPES, ToyDataset


def test_pictures_are_given_without_repetition_while_there_are_enough_and_each_equally_often_beyond() -> None:
    data = ToyDataset(SHAPES["pairs"], count=10, modality="pairs")
    recipe = bound(cast(Any, object()), data)
    assert len(recipe.latents(10, torch.Generator().manual_seed(0)).unique(dim=0)) == 10
    counts = recipe.latents(20, torch.Generator().manual_seed(0)).unique(dim=0, return_counts=True)[1]
    assert counts.tolist() == [2] * 10


def test_data_that_gives_nothing_leaves_the_recipe_as_it_is() -> None:
    recipe = cast(Any, object())
    assert bound(recipe, ToyDataset(SHAPES["images"])) is recipe


def test_pictures_stand_beside_what_was_made_of_them_and_what_they_should_be() -> None:
    made, wanted, given = torch.zeros(2, 3, 8, 8), torch.ones(2, 3, 8, 8), torch.full((2, 1, 4, 4), 0.5)
    row = beside(made, given, wanted)
    assert row.shape == (6, 3, 8, 8)
    assert row.mean((1, 2, 3)).tolist() == [0.5, 0.0, 1.0] * 2
