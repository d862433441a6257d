"""Identifiers that are no row's: new ones of the same make as those of the data, numbered on from the last."""

from __future__ import annotations

import hashlib
import re
import uuid

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NUMBERED = re.compile(r"(?P<before>.*?)(?P<number>\d{1,18})(?P<after>\D*)", re.DOTALL)


def fresh(last: str, n: int, first: int = 0) -> list[str]:
    """`n` identifiers beyond `last`, the longest and greatest of the data's: C0099 -> C0100, C0101, ...; `first` are taken."""
    if _UUID.fullmatch(last.strip()):
        digests = (hashlib.sha256(f"{last} {k}".encode()).digest()[:16] for k in range(first, first + n))
        return [str(uuid.UUID(bytes=digest, version=4)) for digest in digests]
    parts = _NUMBERED.fullmatch(last)
    if parts is None:
        return [f"new-{k:06d}" for k in range(first + 1, first + n + 1)]
    before, after, number = parts["before"], parts["after"], parts["number"]
    return [f"{before}{int(number) + k:0{len(number)}d}{after}" for k in range(first + 1, first + n + 1)]
