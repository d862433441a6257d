"""`tightrope doctor LOG`: where a finished run broke, how sure that is, what it cost. No torch before the page is written."""

from __future__ import annotations

import json
import textwrap
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tightrope.balance.logfiles import LINES, TABLES
from tightrope.balance.logs import Named, is_log
from tightrope.balance.verdict import GOOD
from tightrope.cli.parsing import Parser
from tightrope.core.errors import InputError

FLAGS = ("clock", "d_loss", "g_loss", "metric")
OF_SAMPLES = ("data", "held_out", "extractor", "weights")


def arguments(parser: Parser) -> None:
    """The flags that are for logs."""
    add = parser.add_argument
    add("--log", action="store_true", help="judge a run by what it recorded alone, not by its samples")
    add("--clock", metavar="COLUMN", help="of a log: what it counts in, where that is not recognised")
    add("--d-loss", metavar="COLUMN", help="of a log: D's loss")
    add("--g-loss", metavar="COLUMN", help="of a log: G's loss")
    add("--metric", metavar="COLUMN[:lower|:higher]", help="of a log: the metric the run is judged by, and what is better")


def is_asked(arguments: Namespace) -> bool:
    """Whether a log is to be judged, not samples: by a flag, or by what is named where no real data is."""
    if arguments.log or any(getattr(arguments, flag) is not None for flag in FLAGS):
        return True
    path = Path(arguments.what[0])
    is_run = (path / "run.json").is_file()
    missing = not path.exists() and path.suffix.lower() in (*TABLES, *LINES)
    return arguments.data is None and not is_run and (missing or is_log(path))


def doctor(arguments: Namespace) -> None:
    """One page on a run's course."""
    if wrong := [flag for flag in OF_SAMPLES if getattr(arguments, flag) is not None]:
        raise InputError(f"--{wrong[0].replace('_', '-')}: is for judging samples; a log is judged by its numbers alone.")
    from tightrope.judging.logged import doctor_log

    named = Named(**{flag: getattr(arguments, flag) for flag in FLAGS})
    found = doctor_log(arguments.what[0], out=arguments.out, named=named)
    if arguments.json:
        print(json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False))
        return
    word = "BROKE" if found["broke"] else found["verdict"].upper()
    print(textwrap.fill(f"{word}  {found['summary']}", 110) + "\n")
    for mark, sentence in _lines(found):
        print(textwrap.fill(sentence, 110, initial_indent=f"{mark}  ", subsequent_indent="    "))
    read = ", ".join(f"{name} ({of})" for name, of in found["columns"].items())
    print("\n" + textwrap.fill(f"read   clock {found['clock']}; {read}", 110, subsequent_indent="       "))
    for note in found["notes"]:
        print(f"note: {note}")
    print(f"page   {found['page']}")


def _lines(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What failed in full, metrics in full, and of everything else in what it is well."""
    from tightrope.report.logged import CHECKS

    well: dict[str, list[str]] = {}
    for check in sorted(found["checks"], key=lambda check: check["ok"]):
        if not check["ok"] or check["check"] == "metric" or check["name"] not in GOOD:
            yield ("ok" if check["ok"] else "!!"), check["sentence"]
        else:
            well.setdefault(check["series"], []).append(CHECKS[check["check"]])
    for series, words in well.items():
        yield "ok", f"{series}: {', '.join(words)}"
