"""`tightrope recipes`, `show` and `extractors`: read from the recipes' source text, without torch."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from argparse import Namespace

from tightrope import recipes as room
from tightrope.core.hyper import Hyper


def recipes(arguments: Namespace) -> None:
    """List every recipe: name, first sentence, paper."""
    headers = room.catalogue()
    if arguments.json:
        print(json.dumps([{"name": h.name, "sentence": h.sentence, "paper": h.paper} for h in headers], indent=2))
        return
    for header in headers:
        print(_wrapped(header.name, header.sentence))
        print(_wrapped("", header.paper), end="\n\n")


def show(arguments: Namespace) -> None:
    """One recipe: what it is, its fields, its presets."""
    header = room.header(arguments.recipe)
    if arguments.json:
        fields = {name: dataclasses.asdict(field) for name, field in header.fields.items()}
        print(json.dumps({"name": header.name, "sentence": header.sentence, "paper": header.paper,
                          "modalities": header.modalities, "fields": fields, "presets": header.presets}, indent=2))  # fmt: skip
        return
    print(_wrapped(header.name, header.sentence))
    print(_wrapped("paper", header.paper))
    print(_wrapped("makes", ", ".join(header.modalities)), end="\n\n")
    width = max(len(field.flag) for field in header.fields.values()) + 4
    for field in header.fields.values():
        paper = f"; paper: {field.paper}" if field.paper is not None else ""
        print(f"  {'--' + field.flag:<{width}}{field.default!s:<16}{field.doc} ({_allowed(field)}{paper})")
    print()
    for name, values in header.presets.items():
        print(_wrapped(f"preset {name}", ", ".join(f"{k} {v}" for k, v in values.items())))


def _allowed(field: Hyper) -> str:
    if field.type == "bool":
        return "true | false"
    if field.choices:
        return " | ".join(field.choices)
    return f"{'any' if field.low is None else f'{field.low:g}'} to {'any' if field.high is None else f'{field.high:g}'}"


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
