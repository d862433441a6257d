"""A part of a data set is a data set."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tightrope.core import labels
from tightrope.data.part import Part
from toys import ToyDataset

WHOLE = ToyDataset((3, 4, 4))


def test_it_holds_the_samples_and_labels_at_its_index() -> None:
    index = torch.tensor([30, 3, 17, 4])
    part = Part(WHOLE, index, "some")
    asked = torch.tensor([2, 0, 2])
    assert len(part) == 4 == part.spec.count
    assert torch.equal(part.batch(asked), WHOLE.samples[torch.tensor([17, 30, 17])])
    assert part.labels(asked).tolist() == [1, 0, 1]  # type: ignore[union-attr]
    assert (part.name, part.modality, part.source, part.spec.shape) == ("some", WHOLE.modality, WHOLE.source, WHOLE.spec.shape)
    with pytest.raises(IndexError):
        part.batch(torch.tensor([4]))


def test_its_fingerprint_is_its_own() -> None:
    prints = [Part(WHOLE, torch.tensor(index), "some").fingerprint for index in ([1, 2], [2, 1], [1, 3], [1, 2])]
    assert prints[0] == prints[3]
    assert len({WHOLE.fingerprint, *prints}) == 4
    other = ToyDataset((3, 4, 4))
    other.fingerprint = "1" * 64
    assert Part(other, torch.tensor([1, 2]), "some").fingerprint != prints[0]


def test_its_classes_are_drawn_in_its_own_proportions() -> None:
    part = Part(WHOLE, torch.tensor([0, 2, 4, 1]), "mostly a")
    assert part.spec.shares == (0.75, 0.25)
    drawn = labels.draw(Part(WHOLE, torch.tensor([0, 2]), "only a").spec, 50, torch.Generator())
    assert not drawn.any()


def test_data_without_labels_has_parts_without() -> None:
    class Unlabelled(ToyDataset):
        def labels(self, index: Tensor) -> Tensor:
            return None  # type: ignore[return-value]

    part = Part(Unlabelled((2,)), torch.tensor([1, 2]), "some")
    assert part.labels(torch.tensor([0])) is None and part.spec.shares == ()


def test_a_part_of_a_part() -> None:
    part = Part(Part(WHOLE, torch.tensor([30, 3, 17, 4]), "some"), torch.tensor([3, 1]), "fewer")
    assert torch.equal(part.batch(torch.tensor([0, 1])), WHOLE.samples[torch.tensor([4, 3])])
