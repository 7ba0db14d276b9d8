"""Fetch all files of a database over a few connections, and say what could not be fetched."""

from __future__ import annotations

import errno
import itertools
import logging
import shutil
import sys
import time
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import lru_cache
from pathlib import Path

from tqdm import tqdm

from ecglfm.config import DownloadSlice, UserError
from ecglfm.config.wording import counted
from ecglfm.sources.download.archives import ENDINGS, is_unpacked, unpack
from ecglfm.sources.download.credentials import advice, auth_of, by_hand
from ecglfm.sources.download.listing import Choice, RemoteFile, is_folder
from ecglfm.sources.download.published import Listing
from ecglfm.sources.download.transfer import Client, TransferError, has_checksum
from ecglfm.sources.download.verified import Verified

_LOGGER = logging.getLogger(__name__)
_MAX_FAILURES = 100  # files; then the server is at fault, and the rest would only cost time


def run_download(config: DownloadSlice, connections: int, client: Client | None = None) -> str:
    """Bring every file of a database that is not there yet into its root.

    Parameters
    ----------
    config : DownloadSlice
    connections : int
        Files that are fetched at a time.
    client : Client or None
        None: one with the usual patience.

    Returns
    -------
    str
        One line: how many files were fetched and how many were there.

    Raises
    ------
    UserError
        The database is fetched from nowhere, its listing cannot be had or is refused, files are missing at the end, the
        disk is full, or another download fills the same root. Whatever was fetched stays, and the same command goes on
        from there.
    """
    if connections < 1:
        raise UserError(f"--connections {connections}: at least 1, please")
    if config.url is None:
        raise UserError(by_hand(config))
    root, url = Path(config.root), config.url.rstrip("/") + "/" * is_folder(config.url.rstrip("/"))
    client = client or Client(url, auth=auth_of(config), advice=advice(config))
    wanted = Choice(config.only, config.tables)
    with Verified(root) as verified:
        listing = Listing(client, url, verified, config.tables)
        number, known = 0, 0
        for file in listing:
            number, known = number + (file in wanted), known + (file.size or 0) * (file in wanted)
        if not number:
            raise UserError(f"{url}: none of its files agrees with `download.only: {config.only}`")
        _check_room(root, known, listing, wanted, verified)
        job = _Job(client, root, verified)
        fetched, failures = _run(job, (file for file in listing if file in wanted), number, connections, config.source)
    if failures:
        what, why = next(iter(failures.items()))
        rest = "the others are there" if len(failures) < _MAX_FAILURES else "given up"
        raise UserError(
            f"{root}: {len(failures)} of {number} files could not be fetched, e.g. {what}: {why};"
            f" {rest}; the same command goes on"
        )
    return f"{root}: {counted(number, 'file')}, {fetched} of them fetched now, {number - fetched} were there"


class _Job:
    """What a thread does with one file; returns whether it was fetched now."""

    def __init__(self, client: Client, root: Path, verified: Verified) -> None:
        self.client, self.root, self.verified = client, root, verified
        self._folder = lru_cache(maxsize=4096)(self._make_folder)

    def __call__(self, file: RemoteFile) -> bool:
        archive = file.path.endswith(ENDINGS)
        if file in self.verified or (archive and is_unpacked(self.root, self.verified.folder, file)):
            return False
        target = self._folder(str(Path(file.path).parent)) / Path(file.path).name
        there = has_checksum(file, target)
        if not there:
            self.client.fetch(file, target)
        if archive:
            unpack(self.root, self.verified.folder, file)
        else:
            self.verified.add(file)
        return not there

    def _make_folder(self, name: str) -> Path:
        folder = self.root / name
        if not folder.resolve().is_relative_to(self.root.resolve()):
            raise UserError(f"{folder}: a symlink leads out of the database's root; take it away")
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _check_room(root: Path, known: int, listing: Listing, wanted: Choice, verified: Verified) -> None:
    """Where sizes are published, refuse to begin without room for what is missing."""
    if not known:
        return
    missing = sum(
        file.size or 0
        for file in listing
        if file in wanted and file not in verified and not is_unpacked(root, verified.folder, file)
    )
    free = shutil.disk_usage(root).free
    if missing > free:
        raise UserError(f"{root}: {missing / 1e9:.1f} GB are to come, the disk has room for {free / 1e9:.1f} GB")


def _run(
    job: _Job, files: Iterable[RemoteFile], number: int, connections: int, source: str
) -> tuple[int, dict[str, str]]:
    """Do every file, a few at a time; return how many were fetched, and path and reason of those that were not."""
    fetched, failures = 0, dict[str, str]()
    files = iter(files)
    pool = ThreadPoolExecutor(connections, thread_name_prefix="download")
    running: dict[Future[bool], RemoteFile] = {}
    progress = _Progress(source, number)
    try:
        while True:
            ready = itertools.islice(files, 4 * connections - len(running))
            running |= {pool.submit(job, file): file for file in ready}
            if not running:
                return fetched, failures
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                file = running.pop(future)
                try:
                    fetched += future.result()
                except (TransferError, OSError) as error:
                    failures[file.path] = _reason(error, job.root)
                    if len(failures) >= _MAX_FAILURES:
                        return fetched, failures
                progress.update(len(failures))
    finally:
        job.client.stopping.set()
        pool.shutdown(cancel_futures=True)
        progress.close()


def _reason(error: TransferError | OSError, root: Path) -> str:
    """Why a file is not there: what the network or the disk said of it. A full disk ends it all: raises `UserError`."""
    if isinstance(error, TransferError):
        return str(error)
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        raise UserError(
            f"{root}: no space left on the disk; what is there is kept: make room and run the same command again"
        ) from None
    return error.strerror or str(error)


class _Progress:
    """A bar on a terminal, a line every half minute in a log."""

    def __init__(self, source: str, number: int) -> None:
        self._bar = tqdm(total=number, desc=source, unit="file", disable=None, smoothing=0.05)
        self._log = not sys.stderr.isatty()
        self._source, self._number, self._done = source, number, 0
        self._started = self._told = time.monotonic()

    def update(self, failed: int) -> None:
        """One more file is done."""
        self._bar.update()
        self._done += 1
        now = time.monotonic()
        if self._log and now - self._told >= 30:
            self._told = now
            left = (now - self._started) / self._done * (self._number - self._done)
            _LOGGER.info(
                "%s: %d of %d files, %d failed, about %.0f min left",
                self._source, self._done, self._number, failed, left / 60,
            )  # fmt: skip

    def close(self) -> None:
        """End the bar."""
        self._bar.close()
