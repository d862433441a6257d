"""The errors a user meets. Each carries one sentence that says what is wrong, where, and what to do."""

from __future__ import annotations


class TightropeError(Exception):
    """An error whose message is written for the user; the command line prints it without a traceback."""

    exit_code = 1


class InputError(TightropeError):
    """The command, a file or a value is wrong. Exit code 2."""

    exit_code = 2


class RunStopped(TightropeError):
    """Training cannot go on: a non-finite number appeared. Exit code 3; the last healthy checkpoint is kept."""

    exit_code = 3


class Interrupted(TightropeError):
    """SIGINT or SIGTERM: the state was saved before leaving. Exit code 130."""

    exit_code = 130
