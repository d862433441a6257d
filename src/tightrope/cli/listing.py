"""`tightrope recipes` and `extractors`: read from source text, without torch."""

from __future__ import annotations

import json
import textwrap
from argparse import Namespace

from tightrope import recipes as room


def recipes(arguments: Namespace) -> None:
    """List every recipe: name, first sentence, paper."""
    headers = room.catalogue()
    if arguments.json:
        print(json.dumps([{"name": h.name, "sentence": h.sentence, "paper": h.paper} for h in headers], indent=2))
        return
    for header in headers:
        print(_wrapped(header.name, header.sentence))
        print(_wrapped("", header.paper), end="\n\n")


def _wrapped(label: str, text: str, width: int = 15) -> str:
    return textwrap.fill(text, 110, initial_indent=f"{label:<{width}} ", subsequent_indent=" " * (width + 1))


def extractors(arguments: Namespace) -> None:
    """List the feature extractors."""
    from tightrope.metrics.extractors import names

    if arguments.json:
        print(json.dumps(names(), indent=2))
        return
    width = max(map(len, names()))
    for name, about in names().items():
        print(_wrapped(name, about, width))
