"""Work over many records on a few processes, in order and in bounded memory."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from ecglfm.config import UserError

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")


def ordered_map(function: Callable[[TaskT], ResultT], tasks: Iterable[TaskT], workers: int) -> Iterator[ResultT]:
    """Yield `function(task)` of every task, in the order of the tasks.

    Parameters
    ----------
    function : callable
        Importable by name (a worker process imports it); it must not depend on which process runs it.
    tasks : iterable
        Consumed as results are taken, so neither tasks nor results pile up.
    workers : int
        Processes; 1 works in this process.

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
    # forkserver: a fork of a process with threads (Arrow has them) may deadlock
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([function.__module__])
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        pending: deque[Future[ResultT]] = deque()
        try:
            for task in tasks:
                pending.append(pool.submit(function, task))
                if len(pending) > 3 * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        except BrokenProcessPool:
            raise UserError("a worker process was killed, probably for memory; use fewer --workers") from None
        finally:
            for future in pending:
                future.cancel()
