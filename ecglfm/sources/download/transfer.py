"""Bring one file over HTTP: resumed where it broke off, retried, and in place only with the right checksum.

A file grows as `.{name}.part` beside its final name. A file larger than `_LARGE` also leaves `.{name}.part.tag`, the
version of the file that the server named (ETag, else Last-Modified), so that another run can go on with it; a part
without a tag is fetched anew. A resumed request asks for the rest on condition that the version is still the same
(RFC 9110, `Range` and `If-Range`); a server that cannot do so sends the whole file, and that is taken instead.
"""

from __future__ import annotations

import hashlib
import logging
import os
import random
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import urljoin

import requests

from ecglfm import __version__
from ecglfm.config import UserError
from ecglfm.sources.download.answers import describe, place_of, retry_after, version_of
from ecglfm.sources.download.credentials import Auth, Session, nobody
from ecglfm.sources.download.listing import RemoteFile

_LOGGER = logging.getLogger(__name__)
_CHUNK = 1 << 14  # bytes; as much is lost when a connection breaks off
_LARGE = 1 << 20  # bytes
_LONGEST_PAUSE = 600.0  # seconds, whatever a server asks for
_Content = TypeVar("_Content")
_RETRIED = {408, 425, 429, 500, 502, 503, 504}


class TransferError(Exception):
    """One file could not be fetched; the text says why. The others may go on."""


class _InterruptedError(Exception):
    """An attempt failed and another one may not; `pause` in seconds is what the server asked for.

    `costs` counts for how many attempts it is: a whole file that came in vain is not fetched six times.
    """

    def __init__(self, reason: str, pause: float = 0.0, costs: int = 1) -> None:
        super().__init__(reason)
        self.pause, self.costs = pause, costs


class Client:
    """Connections to one home, for any number of threads.

    Parameters
    ----------
    url : str
        Of the database. `https://`; `http://` only where this URL itself says so.
    timeout : float
        Seconds without a byte after which an attempt is given up.
    attempts : int
        In a row that bring a file no further.
    pause : float
        Seconds before the second attempt; doubled for each one after.
    auth : callable
        Signs requests to the host of `url`, and to no other.
    advice : str
        What to do where the server refuses.

    Raises
    ------
    UserError
        The URL is neither https nor http.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 60.0,
        attempts: int = 6,
        pause: float = 1.0,
        auth: Auth = nobody,
        advice: str = "",
    ) -> None:
        self._home, self._auth, self._advice = place_of(url), auth, advice
        self._schemes = {"https", self._home[0]}
        if not self._schemes <= {"https", "http"} or not self._home[1]:
            raise UserError(f"{url!r} is not an https:// URL")
        self.timeout, self.attempts, self.pause = timeout, attempts, pause
        self.stopping = threading.Event()
        self._local = threading.local()

    def get(self, url: str, limit: int) -> bytes:
        """A small answer, at most `limit` bytes of it; raises `TransferError`."""

        def read(response: requests.Response) -> bytes:
            content = b""
            for chunk in response.iter_content(_LARGE):
                content += chunk
                if len(content) > limit:
                    break
            return content[:limit]

        return self._ask(url, {}, read)

    def is_current(self, url: str, version: str) -> bool:
        """Whether the server still has the version of a file that `fetch` returned; raises `TransferError`."""
        condition = "If-None-Match" if version.startswith('"') else "If-Modified-Since"
        return self._ask(url, {condition: version}, lambda response: response.status_code == 304)

    def _ask(self, url: str, headers: dict[str, str], read: Callable[[requests.Response], _Content]) -> _Content:
        for attempt in range(self.attempts):
            try:
                with self.open(url, headers) as response:
                    return read(response)
            except (requests.RequestException, _InterruptedError) as error:
                self._wait(url, error, attempt)
        raise AssertionError("_wait raises after the last attempt")

    def fetch(self, file: RemoteFile, target: Path) -> str:
        """Bring one file to `target`, whose folder exists.

        Returns
        -------
        str
            The version that the server named; empty where it named none, or did not say where the file ends, so that
            a connection that broke off looks like its end.

        Raises
        ------
        TransferError
            The server refuses it, keeps failing, or what it sends does not have the published checksum.
        UserError
            The disk is full.
        """
        if target.is_dir():
            raise TransferError("a folder of that name is there")
        part = target.with_name(f".{target.name}.part")
        tag = part.with_name(f"{part.name}.tag")
        version = tag.read_text(encoding="utf-8") if part.exists() and tag.exists() else None
        if version is None:
            part.unlink(missing_ok=True)
        download = _Download(self, file, part, tag, version)
        best, attempt = _size(part), 0
        while True:
            try:
                download.attempt()
                break
            except (requests.RequestException, _InterruptedError) as error:
                if _size(part) > best:  # it came further than ever: that attempt does not count
                    best, attempt = _size(part), 0
                self._wait(file.path, error, attempt)
                attempt += getattr(error, "costs", 1)
        part.replace(target)
        tag.unlink(missing_ok=True)
        return (download.version or "") if download.ended else ""

    def open(self, url: str, headers: dict[str, str]) -> requests.Response:
        """An answer whose body has not been read; raises `TransferError` for a refusal, else `_InterruptedError`."""
        if self.stopping.is_set():
            raise TransferError("stopped")
        self._check_scheme(url)
        if not hasattr(self._local, "session"):
            session = self._local.session = Session()  # one per thread: it keeps its connection open
            session.headers["User-Agent"] = f"ecglfm/{__version__}"
            session.headers["Accept-Encoding"] = "identity"
            session.max_redirects = 5
            session.hooks["response"].append(self._check_redirect)
        auth = self._auth if place_of(url) == self._home else nobody
        try:
            response: requests.Response = self._local.session.get(
                url, headers=headers, stream=True, timeout=self.timeout, auth=auth
            )
        except requests.RequestException:
            raise
        except ValueError as error:
            raise TransferError(f"{url} leads to an address that is none: {error}") from None
        if response.status_code in {200, 206, 304, 416}:
            return response
        response.close()
        reason = f"HTTP {response.status_code} {response.reason}"
        if response.status_code in _RETRIED:
            raise _InterruptedError(reason, retry_after(response.headers.get("Retry-After", "")))
        advice = f": {self._advice}" if self._advice and response.status_code in {202, 401, 403} else ""
        raise TransferError(f"{reason} for {url}{advice}")

    def _check_redirect(self, response: requests.Response, **_: object) -> None:
        if response.is_redirect:
            self._check_scheme(urljoin(response.url, response.headers["Location"]))

    def _check_scheme(self, url: str) -> None:
        if place_of(url)[0] not in self._schemes:
            raise TransferError(f"{url} is not an https:// URL")

    def _wait(self, what: str, error: Exception, attempt: int) -> None:
        """Pause before another attempt; raises `TransferError` when there is none."""
        reason = describe(error)
        if attempt + 1 >= self.attempts or isinstance(error, (requests.exceptions.SSLError, ValueError)):
            raise TransferError(reason) from None
        pause = self.pause * 2**attempt * random.uniform(1.0, 1.5)  # noqa: S311 (not for secrets)
        pause = min(max(pause, getattr(error, "pause", 0.0)), _LONGEST_PAUSE)
        _LOGGER.warning("%s: %s; another attempt in %.0f s", what, reason, pause)
        if self.stopping.wait(pause):
            raise TransferError("stopped")


class _Download:
    """The state of one file over its attempts; `version` None where a part cannot be gone on with."""

    def __init__(self, client: Client, file: RemoteFile, part: Path, tag: Path, version: str | None) -> None:
        self.client, self.file, self.part, self.tag, self.version = client, file, part, tag, version
        self.ended = False  # whether the server said where the file ends

    def attempt(self) -> None:
        """Bring the rest and check the whole."""
        hasher = hashlib.new(self.file.algorithm, usedforsecurity=False)
        have = _size(self.part)
        if have:
            _feed(hasher, self.part)
        if not (have and hasher.hexdigest() == self.file.digest):  # else it was complete, only not renamed
            with self.client.open(self.file.url, self._range(have)) as response:
                if have and not self._goes_on(response, have):
                    hasher, have = hashlib.new(self.file.algorithm, usedforsecurity=False), 0
                self._save(response, hasher, have)
        if self.file.digest is not None and hasher.hexdigest() != self.file.digest:
            self._forget()
            raise _InterruptedError(f"wrong {self.file.algorithm} checksum", costs=self.client.attempts // 2)

    def _range(self, have: int) -> dict[str, str]:
        if not have:
            return {}
        return {"Range": f"bytes={have}-"} | ({"If-Range": self.version} if self.version else {})

    def _goes_on(self, response: requests.Response, have: int) -> bool:
        """Whether the answer is the rest of the part; the whole file otherwise."""
        if response.status_code == 200:
            return False
        start = response.headers.get("Content-Range", "").partition("-")[0]
        if response.status_code == 416 or start != f"bytes {have}" or version_of(response) != self.version:
            self._forget()
            raise _InterruptedError("the file changed on the server")
        return True

    def _save(self, response: requests.Response, hasher: hashlib._Hash, have: int) -> None:
        if response.status_code == 416:
            raise TransferError(f"HTTP 416 {response.reason} for {self.file.url}")
        self.version = version_of(response)
        text = response.headers.get("Content-Length", "")
        length = int(text) if text.isdecimal() and len(text) < 19 else 0
        self.ended = text.isdecimal() or response.headers.get("Transfer-Encoding", "").lower() == "chunked"
        self._check_room(length)
        if length > _LARGE:
            self.tag.write_text(self.version, encoding="utf-8")
        received = have
        with self.part.open("ab" if have else "wb") as out:
            for chunk in response.iter_content(_CHUNK):
                if self.client.stopping.is_set():
                    raise TransferError("stopped")
                received += len(chunk)
                if self.file.size is not None and received > self.file.size:
                    self._forget()
                    raise _InterruptedError(f"longer than the {self.file.size} bytes that are published")
                hasher.update(chunk)
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())

    def _check_room(self, needed: int) -> None:
        free = shutil.disk_usage(self.part.parent).free
        if needed > free:
            raise UserError(
                f"{self.part.parent}: {self.file.path} needs {needed / 1e6:.1f} MB and the disk has room for"
                f" {free / 1e6:.1f} MB; what is there is kept: make room and run the same command again"
            )

    def _forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self.tag.unlink(missing_ok=True)


def has_checksum(file: RemoteFile, target: Path) -> bool:
    """Whether a file is in place with the published checksum."""
    if not target.is_file() or (file.size is not None and target.stat().st_size != file.size):
        return False
    hasher = hashlib.new(file.algorithm, usedforsecurity=False)
    _feed(hasher, target)
    return hasher.hexdigest() == file.digest


def _feed(hasher: hashlib._Hash, path: Path) -> None:
    with path.open("rb") as file:
        while chunk := file.read(_LARGE):
            hasher.update(chunk)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
