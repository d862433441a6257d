"""What can be wrong with somebody else's file."""

from __future__ import annotations

from tightrope.core.errors import InputError


class HostileFile(InputError):
    """It asks for what no checkpoint needs: code to be called, places outside it, more memory than it has bytes."""


class DamagedFile(InputError):
    """It is cut off, or contradicts itself."""


class UnknownFile(InputError):
    """It is whole, and of a kind that is not read."""


KINDS = {kind.__name__: kind for kind in (InputError, HostileFile, DamagedFile, UnknownFile)}


def shown(value: object, most: int = 60) -> str:
    """Something from a file as a message can carry it: printable, short. What holds other things may hold itself: only named."""
    if (isinstance(value, tuple | list) and not all(type(item) is int for item in value)) or isinstance(value, dict):
        return f"a {type(value).__name__}"
    text = value[: most + 1] if isinstance(value, str) else str(value)[: most + 1]
    clean = "".join(c if c.isprintable() else "?" for c in text)
    return clean if len(clean) <= most else clean[:most] + "..."
