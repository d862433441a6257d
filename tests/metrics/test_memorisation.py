"""Copies must be seen where they are, and nowhere else."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.metrics.memorisation import (
    authentic,
    authenticity,
    closer_to_train,
    copies,
    copying,
    mann_whitney,
    membership_attack,
)
from toys import normal, numbers

TRAIN, HELD, FRESH = normal(400, 8, 1), normal(400, 8, 2), normal(400, 8, 3)


def copied(share: float) -> Tensor:
    """Fresh samples, of which the first are training samples with a little noise."""
    n = round(share * 400)
    return torch.cat([TRAIN[:n] + 0.01 * normal(n, 8, 4), FRESH[n:]])


def test_ranks_against_scipy_1_17_1() -> None:
    found = mann_whitney(torch.tensor([1.0, 2, 2, 3, 5, 8, 8, 8]), torch.tensor([2.0, 3, 3, 4, 8, 9, 9, 10, 11, 2]))
    assert found == pytest.approx((26.5 / 80, -1.2152860), abs=1e-6)
    assert mann_whitney(torch.tensor([3.0, 4.0]), torch.tensor([1.0, 2.0])).auc == 1
    assert mann_whitney(torch.ones(5), torch.ones(7)) == (0.5, 0)


def test_attack_against_scikit_learn_1_9_1() -> None:
    real = numbers(400, 6, 1)
    train, held = real[:200], real[200:]
    fake = torch.cat([numbers(150, 6, 3), train[:50] + 0.1 * (numbers(50, 6, 4) - 0.5)])
    assert membership_attack(train, held, fake) == pytest.approx((0.67495, 0.26), abs=1e-12)


def test_attack_counts_ties_as_misses() -> None:
    fake = torch.zeros(1, 1)
    assert membership_attack(torch.tensor([[1.0], [2.0]]), torch.tensor([[1.0], [3.0]]), fake) == (5 / 8, 0.0)
    assert membership_attack(torch.tensor([[0.0], [0.5]]), torch.tensor([[1.0], [3.0]]), fake) == (1.0, 1.0)


def test_fresh_samples_are_honest() -> None:
    assert authenticity(TRAIN, FRESH) == pytest.approx(authenticity(TRAIN, HELD), abs=0.1)
    assert abs(copying(TRAIN, HELD, FRESH)) < 2.5
    closer = closer_to_train(TRAIN, HELD, FRESH)
    assert abs(closer.share - 0.5) < 3 * closer.null_sd < 0.15
    assert membership_attack(TRAIN, HELD, FRESH) == pytest.approx((0.5, 0.01), abs=0.07)
    assert not copies(TRAIN, FRESH).copied.any() and copies(TRAIN, FRESH).null == 0


def test_copies_are_seen_by_all() -> None:
    found = [
        [
            authenticity(TRAIN, x),
            copying(TRAIN, HELD, x),
            -closer_to_train(TRAIN, HELD, x).share,
            -membership_attack(TRAIN, HELD, x).tpr,
        ]
        for x in map(copied, (0, 0.1, 0.5, 1))
    ]
    for values in zip(*found, strict=True):
        assert sorted(values, reverse=True) == list(values) and values[0] > values[-1]
    assert found[-1] == [0, pytest.approx(-14.1, abs=0.1), -1, -1]
    assert copies(TRAIN, copied(0.1)).copied.tolist() == [True] * 40 + [False] * 360


def test_authentic_by_hand() -> None:
    train = torch.tensor([[0.0], [1.0], [10.0]])
    assert authentic(train, torch.tensor([[-0.5], [-1.0], [-1.5], [18.0], [20.0]])).tolist() == [False, False, True, False, True]


def test_sets_of_other_sizes_and_shared_samples() -> None:
    held = normal(4_000, 8, 6)
    closer = closer_to_train(TRAIN, held, FRESH)
    assert abs(closer.share - 0.5) < 3 * closer.null_sd
    assert closer == closer_to_train(TRAIN, held, FRESH)
    assert closer_to_train(TRAIN, TRAIN, FRESH).share == 0.5


def test_null_of_closer_to_train() -> None:
    fake = normal(1, 8, 9).expand(100, -1)
    assert closer_to_train(TRAIN, HELD, fake).null_sd == pytest.approx(0.5)  # one neighbour decides for all
    shares = [closer_to_train(normal(100, 4, 3 * i), normal(100, 4, 3 * i + 1), normal(100, 4, 3 * i + 2)) for i in range(60)]
    spread = torch.tensor([x.share for x in shares]).std().item()
    assert spread == pytest.approx(sum(x.null_sd for x in shares) / 60, rel=0.25)


@pytest.mark.parametrize("times", [2, 3])
def test_training_data_that_repeats_itself(times: int) -> None:
    train = TRAIN.repeat(times, 1)
    assert copies(train, copied(0.1)).copied.sum() == 40
    assert copies(train, FRESH).null == 1 and not copies(train, FRESH).copied.any()
    some = torch.cat([TRAIN, TRAIN[:80]])
    assert copies(some, copied(0.1)).copied.sum() == 40 and copies(some, FRESH).null == pytest.approx(160 / 480)
    assert authenticity(train, copied(0.1)) > 0.8
    assert abs(copying(train, HELD, FRESH)) < 2.5


def test_bad_input() -> None:
    for bad, sentence in ((TRAIN[:0], "shape"), (TRAIN * torch.nan, "NaN"), (TRAIN[:, :3], "one extractor")):
        for function in (authentic, copies):
            with pytest.raises(InputError, match=sentence):
                function(TRAIN, bad)
        for judge in (copying, closer_to_train, membership_attack):
            with pytest.raises(InputError, match=sentence):
                judge(TRAIN, HELD, bad)
    with pytest.raises(InputError, match="at least 2"):
        authentic(TRAIN[:1], FRESH)
    for train in (TRAIN[:1], TRAIN[:1].repeat(5, 1)):
        with pytest.raises(InputError, match="fewer than 2 different"):
            copies(train, FRESH)
    with pytest.raises(InputError, match="no cell"):
        copying(TRAIN, HELD[:5], FRESH)
    with pytest.raises(InputError, match="without NaN"):
        mann_whitney(torch.tensor([torch.nan]), torch.ones(1))
