"""Who compiles: of the processes that miss the same file of the cache at once, one.

The others wait for the file that it writes: each core then compiles something else, or is left to
others. A turn is a lock on a file beside that of the code, which the system releases when its
holder ends, however that comes.

It cannot lock up: a process has one turn at a time, taken in numba's own lock, and who waits has
none. It is a help, never a condition: where locks cannot be had, and where the holder takes too
long or ends without a file, whoever waited compiles without one.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path
from typing import Any

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

__all__ = ["TURN", "Turn"]

# Seconds after which a holder that has not ended, as one that was stopped, is waited for no longer.
MOST_SECONDS = 120.0
FIRST_PAUSE, LONGEST_PAUSE = 0.01, 0.1


class Turn:
    """The turn to compile that this process has, if it has one.

    Call it inside numba's compiler lock: one thread at a time.
    """

    def __init__(self) -> None:
        self._descriptor: int | None = None
        self._path = Path()
        self._thread = 0

    @property
    def is_held(self) -> bool:
        """Whether this process has a turn."""
        return self._descriptor is not None

    @property
    def is_mine(self) -> bool:
        """Whether the calling thread took the turn that this process has."""
        return self.is_held and self._thread == threading.get_ident()

    def take(self, path: Path) -> None:
        """Take the turn for a lock file, or wait until the process that has it has ended its own.

        Look after it whether what was missing is there. Who waited has no turn: if the other one
        failed, all that wait for it go on at once. Within a turn this does nothing: what is
        compiled on the way belongs to it.
        """
        if fcntl is None or self.is_held:
            return
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError:  # a folder that can only be read
            return
        mine = False
        try:
            mine = _lock_at_once(descriptor)
        finally:  # Ctrl-C too
            if mine:
                self._descriptor, self._path = descriptor, path
                self._thread = threading.get_ident()
            else:
                os.close(descriptor)

    def end(self) -> None:
        """End the turn that the calling thread took, if it did."""
        if self.is_mine:
            with contextlib.suppress(OSError):
                self._path.unlink()
            self.forget()

    def forget(self) -> None:
        """Close the lock file. In a forked process the turn stays with the one that took it."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _lock_at_once(descriptor: int) -> bool:
    """Lock a file and return True; if another has the lock, wait for its end and return False."""
    until, pause, waited = time.monotonic() + MOST_SECONDS, FIRST_PAUSE, False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waited = True
        except OSError:  # a file system without locks
            return False
        else:
            return not waited
        if time.monotonic() >= until:
            return False
        time.sleep(pause)
        pause = min(2.0 * pause, LONGEST_PAUSE)


TURN = Turn()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=TURN.forget)
