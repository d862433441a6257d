"""Limits on the process that reads: memory, time, and, once everything is imported and opened, nothing but reading.

The last is Python's audit hook. It is not what makes reading safe (nothing here calls what a file names); it is there for the
mistake that nobody has made yet.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from io import FileIO
from typing import Any

from tightrope.interop.reading.errors import HostileFile
from tightrope.interop.reading.limits import MEMORY

SHUT = (
    "builtins.input", "compile", "ctypes.", "exec", "fcntl.", "ftplib.", "glob.", "http.", "import", "marshal.", "open", "os.",
    "pathlib.", "pickle.", "pty.", "shutil.", "signal.", "socket.", "sqlite3.", "subprocess.", "tempfile.", "urllib.",
    "webbrowser.", "winreg.", "_winapi.", "code.", "function.",
)  # fmt: skip


def limit(size: int) -> str | None:
    """Keep this process within memory and time that go with a file of `size` bytes; says what the platform cannot limit."""
    try:
        import resource
    except ImportError:
        return "this platform cannot limit a process's memory; time alone was limited"
    bounds = {
        resource.RLIMIT_AS: MEMORY + 2 * size,
        resource.RLIMIT_CPU: seconds(size),
        resource.RLIMIT_FSIZE: 2 * size + (64 << 20),
        resource.RLIMIT_CORE: 0,
    }
    missed = []
    for which, most in bounds.items():
        try:
            _, hard = resource.getrlimit(which)
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(which, (most, most))
        except (ValueError, OSError):  # macOS refuses to limit address space
            missed.append(which)
    return "this platform does not limit all of a process's memory and time" if missed else None


def seconds(size: int) -> int:
    """Of processor time: published files take a tenth."""
    return 4 + size // (25 << 20)


def shut() -> None:
    """From now on no file is opened, no module imported, no process started, no code compiled or run."""

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event.startswith(SHUT):
            raise HostileFile(f"reading it led to {event}, which was refused.")

    sys.addaudithook(hook)


def gauge() -> Callable[[], int]:
    """Tells the most memory that this process has held, in bytes (0 where that is not known). Made before the door is shut."""
    if sys.platform == "linux":
        status = open("/proc/self/status", "rb", buffering=0)  # noqa: SIM115 - read for as long as the process lives
        return lambda: _high_water(status)
    return lambda: 0


def _high_water(status: FileIO) -> int:
    status.seek(0)
    lines = [line for line in status.read().splitlines() if line.startswith(b"VmHWM")]
    return int(lines[0].split()[1]) * 1024 if lines else 0
