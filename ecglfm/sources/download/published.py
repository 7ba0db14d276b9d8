"""The list of a database's files: fetched, checked before it counts, and renewed when its home has another one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urljoin

from ecglfm.config import UserError
from ecglfm.provenance import write_text
from ecglfm.sources.download.listing import (
    SUMS,
    RemoteFile,
    is_figshare,
    is_zenodo,
    read_figshare,
    read_sums,
    read_zenodo,
)
from ecglfm.sources.download.transfer import Client, TransferError
from ecglfm.sources.download.verified import Verified

_MAX_JSON = 10_000_001  # bytes; more than 10 MB are refused


class Listing:
    """The files of a database; each time it is gone through, its source is read anew and nothing piles up.

    Every run asks the database's home whether its `SHA256SUMS.txt` is still the one that is here (MIMIC-IV-ECG's has
    200 MB). A new one takes the old one's place only when each of its lines is sound and the tables are in it.

    Parameters
    ----------
    client : Client
    url : str
        A folder, with a closing slash, a record of Zenodo's API, or an article or a collection of figshare's.
    verified : Verified
        Of the root; `.download/listing.txt` there holds URL and version of the list.
    tables : iterable of str
        Files that the database cannot be without; those that are in the root need not be listed.

    Raises
    ------
    UserError
        The list cannot be had, a line of it is refused, or a table is missing.
    """

    def __init__(self, client: Client, url: str, verified: Verified, tables: Iterable[str]) -> None:
        self._client, self._url, self._folder = client, url, verified.folder
        self._sums = verified.root / SUMS
        self._answered: list[RemoteFile] | None = None  # by an API
        self._tables = {table for table in tables if not (verified.root / table).is_file()}
        try:
            if is_zenodo(url) or is_figshare(url):
                self._answered = self._ask()
                self._check(self._answered)
            elif self._is_here():
                self._check(read_sums(self._sums, url))
            else:
                self._renew()
        except TransferError as error:
            raise UserError(f"{url}: the list of its files cannot be had: {error}") from None

    def __iter__(self) -> Iterator[RemoteFile]:
        return iter(self._answered) if self._answered is not None else read_sums(self._sums, self._url)

    def _ask(self) -> list[RemoteFile]:
        if is_zenodo(self._url):
            return read_zenodo(self._client.get(self._url, _MAX_JSON), self._url)
        return read_figshare(lambda url: self._client.get(url, _MAX_JSON), self._url)

    @property
    def _note(self) -> Path:
        return self._folder / "listing.txt"

    def _is_here(self) -> bool:
        """Whether the list in the root is the one that the home has now."""
        if not (self._sums.exists() and self._note.exists()):
            return False
        url, version, *_ = [*self._note.read_text(encoding="utf-8").split("\n"), ""]
        return url == self._url and version != "" and self._client.is_current(urljoin(url, SUMS), version)

    def _renew(self) -> None:
        new = self._folder / SUMS
        version = self._client.fetch(RemoteFile(SUMS, urljoin(self._url, SUMS)), new)
        self._check(read_sums(new, self._url))
        self._note.unlink(missing_ok=True)  # a kill between the two lines has it fetched again
        new.replace(self._sums)
        write_text(self._note, f"{self._url}\n{version}\n")

    def _check(self, files: Iterable[RemoteFile]) -> None:
        """Go through every line before the first file is fetched."""
        missing = self._tables - {file.path for file in files if file.path in self._tables}
        if missing:
            raise UserError(
                f"{self._url}: the list of its files lacks {min(missing)}, which the source needs: it came incomplete,"
                " or this is not the database's folder; if that file is your own, put it in place first"
            )
