"""`tightrope translate` at work: network and pictures in; results, what is to be said of them, and a page out."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import torch

from tightrope import __version__
from tightrope import translate as room
from tightrope.cli.console import counting
from tightrope.core.translation import Translator
from tightrope.training.engine import Engine
from tightrope.translate import compare

SHOWN = 8  # files that are named


def translate(asked: Namespace) -> None:
    """Translate all pictures that have not been."""
    if asked.threads is not None:
        torch.set_num_threads(asked.threads)
    network = _network(asked)
    settings = room.Settings(tile=asked.tile, overlap=asked.overlap, format=asked.format, force=asked.force)
    with counting(asked.json) as progress:
        outcome = room.files(network, asked.inputs, asked.out, settings, progress)
    page = compare.write(outcome, network.name, __version__) if asked.compare else None
    if asked.json:
        print(json.dumps(_record(outcome, page), indent=2, ensure_ascii=False))
    else:
        _say(outcome, page)


def _network(asked: Namespace) -> Translator:
    network = room.opened(asked.network, recipe=asked.recipe, way=asked.way)
    if asked.towards is not None:
        other = room.opened(asked.towards, recipe=asked.recipe, way=asked.way)
        network = room.between(network, other, 0.5 if asked.strength is None else asked.strength)
    network.net.to(device=Engine(asked.device).device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def _record(outcome: room.Outcome, page: Path | None) -> dict[str, object]:
    return {
        "written": [str(path) for path in outcome.written],
        "kept": len(outcome.done) - len(outcome.written),
        "failed": {str(path): why for path, why in outcome.failed.items()},
        "notes": {str(path): list(notes) for path, notes in outcome.notes.items() if notes},
        "page": None if page is None else str(page),
    }


def _say(outcome: room.Outcome, page: Path | None) -> None:
    written, kept = outcome.written, len(outcome.done) - len(outcome.written)
    one = outcome.jobs.folder is None
    print(str(written[0]) if one else f"{len(written)} picture{'s' * (len(written) != 1)} in {outcome.jobs.folder}")
    if kept:
        print(f"{kept} had been translated before.")
    noted = [(path, note) for path, notes in outcome.notes.items() for note in notes]
    for path, note in noted[:SHOWN]:
        print(f"note: {path}: {note}")
    if len(noted) > SHOWN:
        print(f"note: {len(noted) - SHOWN} more like these (--json lists all).")
    if outcome.failed:
        print(f"{len(outcome.failed)} could not be translated:")
        print("\n".join(f"  {why}" for why in list(outcome.failed.values())[:SHOWN]))
        if len(outcome.failed) > SHOWN:
            print(f"  and {len(outcome.failed) - SHOWN} more (--json lists all).")
    if page is not None:
        print(f"compare  {page}")
