"""What a pickle's instructions make here: records. A name in a file stays a name; a call stays a note of a call."""

from __future__ import annotations

from typing import Any

from tightrope.interop.reading.errors import DamagedFile, HostileFile

Value = Any  # None, bool, int, float, str, bytes, memoryview, list, dict, tuple, or one of the records below


class Name:
    """Something that a file refers to by module and name."""

    __slots__ = ("module", "name")

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Made:
    """An object as its pickle describes it.

    Attributes:
        of: its class, or what was to be called to make it.
        args: what it was to be called with.
        states: what was to be put into it, in order.
        items, entries: what was to be appended to it, and set in it by key.
    """

    __slots__ = ("args", "entries", "items", "of", "states")

    def __init__(self, of: Name, args: tuple) -> None:
        self.of, self.args = of, args
        self.states: list[Value] = []
        self.items: list[Value] = []
        self.entries: dict = {}

    def attributes(self) -> dict[str, Value]:
        """Of the object, as its states set them: a dict, or (dict or None, dict of slots)."""
        pairs = [state if type(state) is tuple and len(state) == 2 else (state,) for state in self.states]
        parts = [part for pair in pairs for part in pair if type(part) is dict]
        if len(parts) > 1:
            self.states = [{key: value for part in parts for key, value in part.items()}]
            return self.attributes()
        return parts[0] if parts else {}


class Bag(list):
    """A set, without hashing what is in it."""


class Pointer:
    """A persistent id: a storage of the archive around the pickle."""

    __slots__ = ("parts",)

    def __init__(self, parts: tuple) -> None:
        self.parts = parts


def is_made(value: Value, *names: str) -> bool:
    """Whether it is an object made by one of these ("module.name")."""
    return isinstance(value, Made) and str(value.of) in names


def set_item(target: Value, key: Value, value: Value) -> None:
    """`target[key] = value`, where target is a dict or notes what was to be set."""
    entries = target if type(target) is dict else target.entries if isinstance(target, Made) else None
    if entries is None:
        raise HostileFile(f"it sets an item of {kind(target)}.")
    if not _plain(key) and not (type(key) is tuple and len(key) < 8 and all(map(_plain, key))):
        raise HostileFile(f"it uses {kind(key)} as a key.")
    entries[key] = value


def append(target: Value, values: list[Value]) -> None:
    """`target.extend(values)`, where target is a list or notes what was to be appended."""
    items = target if type(target) in (list, Bag) else target.items if isinstance(target, Made) else None
    if items is None:
        raise HostileFile(f"it appends to {kind(target)}.")
    items.extend(values)


def build(target: Value, state: Value) -> None:
    """Note a state to be put into an object. Of a plain dict it is left out: torch keeps a state dict's versions there."""
    if type(target) is dict:
        return
    if not isinstance(target, Made):
        raise HostileFile(f"it changes the inside of {kind(target)}.")
    for part in state if type(state) is tuple else (state,):
        if type(part) is dict and any(type(k) is str and k.startswith("__") and k.endswith("__") for k in part):
            raise HostileFile(f"it changes how an object of {target.of} works, not what it holds.")
    target.states.append(state)


def _plain(key: Value) -> bool:
    return key is None or type(key) in (str, float, bool, bytes) or (type(key) is int and abs(key) < 1 << 60)


def kind(value: Value) -> str:
    """What a value is, in words."""
    if isinstance(value, Name):
        return f"the name {value}"
    if isinstance(value, Made):
        return f"an object of {value.of}"
    words = {dict: "a dictionary", list: "a list", tuple: "a tuple", str: "a text", int: "a number", type(None): "nothing"}
    return words.get(type(value), f"a {type(value).__name__}")


def text(value: Value, what: str) -> str:
    """A str, or an error that says what should have been one."""
    if type(value) is not str:
        raise DamagedFile(f"{what} is {kind(value)}, not a text.")
    return value


def whole(value: Value, what: str) -> int:
    """An int from 0 on, or an error that says what should have been one."""
    if type(value) is not int or value < 0:
        raise DamagedFile(f"{what} is {value if type(value) is int else kind(value)}, not a whole number.")
    return value
