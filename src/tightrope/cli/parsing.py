"""Parsing: argparse with errors of one sentence, seed ranges, and a recipe's fields as flags. Imports no torch."""

from __future__ import annotations

import argparse
import difflib
from typing import Any, NoReturn

from tightrope.core.errors import InputError
from tightrope.core.hyper import Hyper


class Parser(argparse.ArgumentParser):
    """Raises InputError instead of printing usage and leaving."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        verb = self.prog.removeprefix("tightrope ")
        raise InputError(f"{message} (see: tightrope {verb} --help).")


def nearest(word: str, known: list[str], what: str) -> InputError:
    """The error for a mistyped word, with the word that was meant."""
    near = difflib.get_close_matches(word, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}."
    return InputError(f"{what} {word!r} is not known: {hint}")


def field_flags(words: list[str], fields: dict[str, Hyper], others: list[str], recipe: str) -> dict[str, Any]:
    """Read `--name value` and `--name=value` pairs as a recipe's fields.

    Raises:
        InputError: an unknown flag (with the nearest known one), a value that is missing or out of bounds.
    """
    by_flag = {f"--{field.flag}": field for field in fields.values()}
    by_flag |= {f"--{field.name}": field for field in fields.values()}
    found: dict[str, Any] = {}
    rest = list(words)
    while rest:
        word, _, value = rest.pop(0).partition("=")
        if not word.startswith("--"):
            raise InputError(f"{word!r} is one argument too many: tightrope train takes a RECIPE and DATA.")
        if word not in by_flag:
            raise nearest(word, sorted({*by_flag, *others}), f"recipe {recipe}: the flag")
        if not value:
            if not rest or rest[0].startswith("--"):
                raise InputError(f"{word} needs a value ({by_flag[word].doc}).")
            value = rest.pop(0)
        found[by_flag[word].name] = by_flag[word].check(value)
    return found


def seed_list(text: str, flag: str = "--seeds") -> list[int]:
    """Read "0-63", "7" or "1,5,10-12" as a list of seeds (or layers, as `flag` says)."""
    seeds: list[int] = []
    try:
        for part in text.split(","):
            first, dash, last = part.partition("-")
            seeds += list(range(int(first), int(last) + 1)) if dash else [int(first)]
    except ValueError:
        raise InputError(f"{flag} {text!r}: write numbers and ranges like 0-63 or 1,5,10-12.") from None
    if not seeds:
        raise InputError(f"{flag} {text!r}: names none; write the smaller number first, like 0-63.")
    if len(seeds) > 1_000_000:
        raise InputError(f"{flag} {text!r}: names {len(seeds):,}; ask for at most 1,000,000 at once.")
    return seeds


def enough(text: str) -> dict[str, float]:
    """Read "coverage=0.6,faithful=0.9" as figures with their least values."""
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise InputError(f"--enough {text!r}: write figures with their least values, like coverage=0.6.") from None
        if not 0 < found[name.strip()] <= 10:
            raise InputError(f"--enough {part}: a least value lies between 0 and 10 (1 is real data).")
    return found
