"""`tightrope augment`: the work behind its flags."""

from __future__ import annotations

import json
from argparse import Namespace

from tightrope.cli import console
from tightrope.core.errors import InputError
from tightrope.data.tables.loading import PREFIX, is_table
from tightrope.scarce.augmenting import OUTCOME, REPORT, Found, Job, augment_pictures, augment_table


def augment(asked: Namespace) -> None:
    """Compare the ways, write, and say what came of it."""
    table = asked.data.startswith(PREFIX) or is_table(asked.data)
    if table and asked.target is None:
        raise InputError(f"{asked.data}: is a table; name the column to be predicted, --target COLUMN.")
    if not table and asked.target not in (None, "classes"):
        raise InputError(
            f"--target {asked.target}: {asked.data} is no table; pictures are told apart by their classes, leave it out."
        )
    with console.counting(asked.json) as told:
        job = Job(out=asked.out, seeds=asked.seeds, minutes=asked.minutes, anyway=asked.anyway, told=told)
        found = augment_table(asked.data, asked.target, job) if table else augment_pictures(asked.data, job)
    print(json.dumps(found.record(), default=str) if asked.json else _said(found, job))


def _said(found: Found, job: Job) -> str:
    """The ways as a table, the recommendation, and where things are."""
    main = found.main
    lines = [f"{found.title}: {main.figure}, {main.seeds} seeds, each on real examples kept apart", ""]
    for line in main.lines:
        gain = "the best without a GAN" if line.gain is None else "{:+.3f} [{:+.3f}, {:+.3f}]".format(*line.gain)
        lines.append(f"  {line.way:<26}{line.mean.value:>7.3f}   {gain}")
    lines += ["", main.words]
    if job.out is not None:
        if found.written is not None:
            lines.append(f"\nwritten  {found.written}")
        lines.append(f"{'' if found.written else chr(10)}report   {job.out / REPORT}\nfigures  {job.out / OUTCOME}")
    return "\n".join(lines)
