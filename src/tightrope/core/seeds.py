"""Randomness derived from names, never from history: the same (seed, rank, seen) gives the same numbers, so resume is exact."""

from __future__ import annotations

import hashlib

import torch


def derive(seed: int, *parts: int | str) -> int:
    """A 63-bit seed that depends on `seed` and every part, and on nothing else."""
    text = "/".join(str(p) for p in (seed, *parts))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(seed: int, *parts: int | str) -> torch.Generator:
    """A CPU generator seeded by `derive`."""
    return torch.Generator().manual_seed(derive(seed, *parts))
