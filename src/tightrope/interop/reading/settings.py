"""Constructor's arguments as plain values: finite numbers, short texts, lists and dictionaries of them, none of them absurd."""

from __future__ import annotations

import math
from typing import Any

from tightrope.interop.reading import arrays
from tightrope.interop.reading.errors import DamagedFile, HostileFile, shown
from tightrope.interop.reading.limits import NAME, SETTINGS, VALUES
from tightrope.interop.reading.records import Bag, Made, Value, kind

LEVELS = 6  # of settings within settings
LARGEST = 1 << 40


class Plain:
    """Makes plain values of records, `VALUES` of them at most."""

    def __init__(self) -> None:
        self.left = VALUES

    def dictionary(self, value: Value, level: int = 0) -> dict[str, Any]:
        """Settings by name.

        Raises:
            HostileFile: a value is no plain one, or larger than any network's.
        """
        found, given = {}, fields(value)
        self.left -= len(given)
        if self.left < 0:
            raise HostileFile("its settings have no end.")
        for key, item in given.items():
            if type(key) is not str or len(key) > NAME:
                raise DamagedFile(f"a setting has {kind(key)} for a name.")
            found[key] = self.value(item, key, level)
        return found

    def value(self, value: Value, name: str, level: int = 0) -> Any:
        """One setting."""
        self.left -= 1
        if self.left < 0 or level > LEVELS:
            raise HostileFile("its settings have no end.")
        if isinstance(value, Made) and value.of.name == "scalar":
            value = value_of(value)
        if value is None or type(value) is bool:
            return value
        if type(value) in (int, float):
            return _number(value, name)
        if type(value) is str:
            if len(value) > NAME:
                raise HostileFile(f"its setting {shown(name)} is a text of {len(value):,} characters.")
            return value
        if type(value) in (list, tuple, Bag):
            return [self.value(item, name, level + 1) for item in value]
        if type(value) is dict or isinstance(value, Made):
            return self.dictionary(value, level + 1)
        raise HostileFile(f"its setting {shown(name)} is {shown(kind(value))}.")


def fields(value: Value) -> dict:
    """What a dictionary, or an object that is one, holds."""
    if type(value) is dict:
        return value
    if isinstance(value, Made) and (value.entries or value.of.name in ("EasyDict", "OrderedDict", "Namespace")):
        return value.attributes() | value.entries if value.entries else value.attributes()
    raise HostileFile(f"its settings are {shown(kind(value))}.")


def value_of(scalar: Made) -> Any:
    """A scalar of numpy as a number."""
    found = arrays.of_numpy(scalar)
    if found is None or found.form == "BF16":
        raise DamagedFile("a number of numpy has no contents.")
    return found.array.item()


def _number(value: float, name: str) -> float:
    if not math.isfinite(value):
        raise DamagedFile(f"its setting {shown(name)} is {value}, not a number.")
    most = SETTINGS.get(name, LARGEST)
    if abs(value) > most:
        raise HostileFile(f"its setting {shown(name)} is {value:,}; the most that is read is {most:,}.")
    return value
