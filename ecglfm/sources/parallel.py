"""Work over many records on a few processes, in order and in bounded memory."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, MutableSequence, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from ecglfm.config import UserError

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")

# forkserver: a fork of a process with threads (Arrow has them) may deadlock
_CONTEXT = multiprocessing.get_context("forkserver")


def ordered_map(
    function: Callable[[TaskT], ResultT], tasks: Iterable[TaskT], workers: int, *, preload: Sequence[str] = ()
) -> Iterator[ResultT]:
    """Yield `function(task)` of every task, in the order of the tasks.

    Parameters
    ----------
    function : callable
        Sent to each worker process once, so it may carry what all tasks share; its results must not depend on which
        process runs it.
    tasks : iterable
        Consumed as results are taken, so neither tasks nor results pile up.
    workers : int
        Processes; 1 works in this process.
    preload : sequence of str
        Modules that are imported once for all worker processes, beside the function's.

    Raises
    ------
    UserError
        `workers` is below 1, or a worker was killed (mostly for memory).
    """
    if workers < 1:
        raise UserError(f"--workers {workers}: at least 1, please")
    if workers == 1:
        yield from map(function, tasks)
        return
    _CONTEXT.set_forkserver_preload([function.__module__, *preload])
    with ProcessPoolExecutor(workers, mp_context=_CONTEXT, initializer=_start, initargs=(function,)) as pool:
        pending: deque[Future[ResultT]] = deque()
        try:
            for task in tasks:
                pending.append(pool.submit(_run, task))
                if len(pending) > 3 * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        except BrokenProcessPool:
            raise UserError("a worker process was killed, probably for memory; use fewer --workers") from None
        finally:
            for future in reversed(pending):  # the newest first: no task may wait for an earlier one that never runs
                future.cancel()


_function: Callable[[Any], Any]


def _start(function: Callable[[Any], Any]) -> None:
    """Prepare a worker process; one whose parent was killed must not stay behind."""
    global _function
    _function = function
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run(task: Any) -> Any:
    return _function(task)


class Places:
    """Hands out stretches of a file to tasks that finish in any order, laid out in the order of the tasks.

    Parameters
    ----------
    workers : int
        As for `ordered_map`, whose function carries this object to the worker processes.
    """

    def __init__(self, workers: int) -> None:
        self._turn: Any = threading.Condition()
        self._next: MutableSequence[int] = [0, 0]  # task, start of its stretch
        if workers > 1:
            self._turn, self._next = _CONTEXT.Condition(), _CONTEXT.RawArray("q", 2)

    def take(self, task: int, size: int, *, more: bool = False) -> int:
        """Start of the stretch of a task, once every earlier task has taken its own.

        Every task must take one, also a task that fails (of size 0), or the later ones wait for ever.

        Parameters
        ----------
        task : int
            From 0, without gaps.
        size : int
        more : bool
            The task will take another stretch, right behind this one; the later tasks wait for it.
        """
        with self._turn:
            self._turn.wait_for(lambda: self._next[0] == task)
            start = self._next[1]
            self._next[0], self._next[1] = task + (not more), start + size
            self._turn.notify_all()
        return start
