"""Files that are whole or not there: atomic writes, and a check of the disk before anything large is written."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tightrope.core.errors import InputError

UMASK = os.umask(0o022)  # asking for it means setting it
os.umask(UMASK)
PARTIAL = ".partial"  # suffix of a file that is being written; such files are never read


def cache_root() -> Path:
    """Where what can be made again is kept: $TIGHTROPE_CACHE, else ~/.cache/tightrope."""
    return Path(os.environ.get("TIGHTROPE_CACHE") or "~/.cache/tightrope").expanduser()


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Call `write` on a temporary neighbour of `path`, flush it to the disk, then rename it into place.

    Raises:
        InputError: the disk is full or the folder cannot be written; `path` keeps its old content.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}{PARTIAL}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(partial)
        partial.chmod(0o666 & ~UMASK)  # some writers make files that only their owner can read
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InputError(f"{path}: the disk is full; free some space and run the same command again.") from error
        raise InputError(f"{path}: cannot be written ({error.strerror or error}); choose another place.") from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write text atomically."""
    write_atomically(path, lambda partial: partial.write_text(text, encoding="utf-8"))  # type: ignore[arg-type]


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes atomically."""
    write_atomically(path, lambda partial: partial.write_bytes(content))  # type: ignore[arg-type]


def write_json(path: Path, record: Any) -> None:
    """Write a JSON document atomically, indented for people."""
    write_text(path, json.dumps(record, indent=2, ensure_ascii=False) + "\n")


def require_space(folder: Path, needed: int, what: str) -> None:
    """Raise InputError when `folder`'s disk has fewer than `needed` bytes free (plus 5 % and 16 MB of slack)."""
    free = shutil.disk_usage(folder).free
    if free < needed * 1.05 + 16e6:
        raise InputError(
            f"{folder}: {what} needs {needed / 1e6:.0f} MB and the disk has {free / 1e6:.0f} MB free; "
            "free some space and run the same command again."
        )


def remove_partials(folder: Path) -> None:
    """Delete what an earlier, killed process left half-written."""
    for leftover in folder.glob(f"*{PARTIAL}"):
        leftover.unlink(missing_ok=True)


def append_line(path: Path, line: str) -> None:
    """One line in one write, flushed to the disk, and apart from one before it that a killed process left without its end."""
    text = line + "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        if _torn(path):
            text = "\n" + text
        os.write(descriptor, text.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _torn(path: Path) -> bool:
    """True where the last line has no end."""
    with open(path, "rb") as file:
        if not file.seek(0, os.SEEK_END):
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"
