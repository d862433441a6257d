"""Hyper-parameters: how a recipe declares its fields, and how a value given by a user is checked.

A recipe is a frozen, keyword-only dataclass made by `@recipe`, whose fields are made by `hyper`:

    @recipe
    class DCGAN:
        lr: float = hyper(2e-4, "learning rate of both players", low=1e-6, high=1.0)

Nothing here imports torch: the command line reads the same declarations from the source text (see `tightrope.recipes`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, TypeVar, dataclass_transform

from tightrope.core.errors import InputError

C = TypeVar("C")
Value = int | float | str | bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hyper:
    """One field of a recipe: its default, meaning, bounds, and the value of the paper."""

    name: str
    type: str  # "int", "float", "str" or "bool"
    default: Value
    doc: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    paper: Value | None = None

    def check(self, value: Any) -> Value:
        """Return `value` as this field's type, or raise InputError that says what is allowed."""
        converted = self._convert(value)
        if self.choices and converted not in self.choices:
            raise InputError(f"--{self.flag} {value!r}: choose one of {', '.join(self.choices)}.")
        if isinstance(converted, (int, float)) and not isinstance(converted, bool):
            low = -math.inf if self.low is None else self.low
            high = math.inf if self.high is None else self.high
            if not low <= converted <= high:
                raise InputError(f"--{self.flag} {value}: must lie between {low:g} and {high:g} ({self.doc}).")
        return converted

    @property
    def flag(self) -> str:
        """The field's name on the command line."""
        return self.name.replace("_", "-")

    def _convert(self, value: Any) -> Value:
        if self.type == "bool":
            words: dict[Any, bool] = {True: True, False: False, "true": True, "false": False, "yes": True, "no": False}
            if value in words:
                return words[value]
            raise InputError(f"--{self.flag} {value!r}: say true or false ({self.doc}).")
        try:
            if self.type == "int":
                if isinstance(value, bool) or float(value) != int(float(value)):
                    raise ValueError
                return int(float(value))
            if self.type == "float":
                return float(value)
        except (ValueError, TypeError, OverflowError):
            kind = "a whole number" if self.type == "int" else "a number"
            raise InputError(f"--{self.flag} {value!r}: must be {kind} ({self.doc}).") from None
        return str(value)


def hyper(
    default: Any,
    doc: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    paper: Value | None = None,
) -> Any:
    """Declare a recipe's field. All arguments are literals, so that they can be read without running the file.

    Args:
        default: the value a run uses unless told otherwise.
        doc: one phrase with the unit; it becomes the flag's help.
        low, high: inclusive bounds of a number.
        choices: the allowed words of a string.
        paper: the value of the publication, where the default differs from it.
    """
    return dataclasses.field(default=default, metadata={"doc": doc, "low": low, "high": high, "choices": choices, "paper": paper})


def fields(cls: type) -> dict[str, Hyper]:
    """The declared hyper-parameters of a recipe class, in order."""
    return {
        f.name: Hyper(name=f.name, type=getattr(f.type, "__name__", str(f.type)), default=f.default, **f.metadata)  # type: ignore[arg-type]
        for f in dataclasses.fields(cls)
        if f.metadata
    }


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(hyper,))
def recipe(cls: type[C]) -> type[C]:
    """Make a class a recipe: a frozen keyword-only dataclass whose values are checked when it is built.

    What `core.defaults` has and the class has not is added to it.
    """
    from tightrope.core import defaults  # torch; who only reads declarations does without

    defaults.complete(cls)

    def check_all(self: Any) -> None:
        for name, spec in fields(type(self)).items():
            object.__setattr__(self, name, spec.check(getattr(self, name)))

    cls.__post_init__ = check_all  # type: ignore[attr-defined]
    return dataclasses.dataclass(frozen=True, kw_only=True)(cls)


def values(instance: Any) -> dict[str, Value]:
    """Every field of a recipe with its value, ready for JSON; `type(instance)(**values(instance))` is equal to it."""
    return {name: getattr(instance, name) for name in fields(type(instance))}


def unknown_field(name: str, known: Mapping[str, Any], where: str) -> InputError:
    """The error for a field that does not exist, with the nearest name that does."""
    import difflib

    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known)}."
    return InputError(f"{where} has no field {name!r}: {hint}")
