"""The client that a fit asks, and what its workers must have: this version of fastlogit."""

from __future__ import annotations

import weakref
from collections.abc import Iterable

from .. import __version__
from ..inputs.values import show
from .rounds import Client

__all__ = ["client_of", "look_at_workers"]

# An expression that a worker works out without fastlogit.
VERSION = "__import__('fastlogit').__version__"

# Workers that were found to be right, by their clients.
_known: weakref.WeakKeyDictionary[Client, set[str]] = weakref.WeakKeyDictionary()


def client_of(client: Client) -> Client:
    """Return the client, or the one that there is, whose workers have this version of fastlogit.

    Raises
    ------
    ImportError
        If dask.distributed is not installed, or a worker has no fastlogit or another version.
    ValueError
        If there is none, or it is closed.
    TypeError
        If it is no client, or answers in coroutines.
    """
    found = _there_is() if client is None else client
    if getattr(found, "asynchronous", False):
        raise TypeError(
            "the dask Client is asynchronous, and a fit waits for answers; give client=, one made "
            "by Client(address)"
        )
    if not (hasattr(found, "submit") and hasattr(found, "scheduler_info")):
        raise TypeError(
            f"client must be a distributed.Client, got {show(found)} ({type(found).__name__}); of "
            "a cluster or an address make one by distributed.Client(...)"
        )
    if getattr(found, "status", "") == "closed":
        raise ValueError("the dask Client is closed; make another one, as distributed.Client()")
    look_at_workers(found)
    return found


def _there_is() -> Client:
    """Return the client that dask knows."""
    try:
        from distributed import get_client
    except ImportError as error:
        raise ImportError(
            "fastlogit.dask needs dask.distributed: pip install 'fastlogit[dask]'"
        ) from error
    try:
        return get_client()
    except ValueError as error:
        raise ValueError(
            "no dask Client was found, and rows of a fit stay in the workers of one; make one, as "
            "distributed.Client() for this machine, or Client(processes=False) for its threads"
        ) from error


def look_at_workers(client: Client) -> None:
    """Raise for workers without fastlogit, or of another version: they could read no task of ours.

    A worker that cannot ends itself, and dask waits for another one.
    """
    known = _known.setdefault(client, set())
    new = sorted(set(client.nthreads()) - known)
    if not new:
        return
    answers = client.run(eval, VERSION, workers=new, on_error="return")
    # One that has gone meanwhile says nothing of itself.
    answers = {worker: said for worker, said in answers.items() if not isinstance(said, OSError)}
    missing = {at: said for at, said in answers.items() if isinstance(said, BaseException)}
    if missing:
        why = next(iter(missing.values()))
        raise ImportError(
            f"{_named(missing)} cannot import fastlogit ({type(why).__name__}: {why}); install it "
            "where the workers run: pip install 'fastlogit[dask]'"
        )
    unlike = {at: said for at, said in answers.items() if said != __version__}
    if unlike:
        raise ImportError(
            f"{_named(unlike)}: fastlogit is of version {next(iter(unlike.values()))} there, but "
            f"of {__version__} in this process; install one version for both, and start the "
            "workers anew"
        )
    known.update(answers)


def _named(workers: Iterable[str]) -> str:
    """Return the first workers by their addresses."""
    names = list(workers)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"worker{'s' * (len(names) > 1)} {', '.join(names[:3])}{more}"
