"""Which files a database consists of, with their checksums, as its home publishes them.

Three forms. PhysioNet and its mirrors: a folder with `SHA256SUMS.txt`, a line `{sha256} {path}` per file, from which
MIMIC-IV-ECG's 1.6 million files are read line by line. Zenodo: `…/api/records/{number}` answers JSON whose `files`
have `key`, `size`, `checksum` (`md5:…`) and `links.self` (https://developers.zenodo.org/#records). figshare:
`…/v2/articles/{number}/files` answers a list of files with `name`, `size`, `computed_md5` and `download_url`, and
`…/v2/collections/{number}/articles` one of articles with their `id` (https://docs.figshare.com).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import translate
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

from ecglfm.config import UserError

SUMS = "SHA256SUMS.txt"
FOLDER = ".download"  # what we remember, in the root
_LINE = re.compile(r"([0-9a-f]{64}) [ *]?(.+)")  # PhysioNet writes one space, sha256sum two
_FIGSHARE = re.compile(r"(.+/v2/)(article|collection)s/(\d+)")
_PAGE = "?page_size=1000"  # figshare's own limit; by default it answers with ten
_MAX_JSON = 10_000_000  # bytes; CODE-15's is 20 kB
_MAX_PATH = 1000
_MAX_LINE = 1 << 13  # bytes; a longer path than `_MAX_PATH` is refused all the same
#: What goes wrong with JSON that says something else than it should.
_ODD = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file of a database.

    Attributes
    ----------
    path : str
        Where it belongs, relative to the root; checked by `check_path`.
    url : str
    algorithm : str
        Of the checksum, a name for `hashlib.new`.
    digest : str or None
        Hexadecimal; None where none is published (the listing itself).
    size : int or None
        Bytes, where they are published.
    """

    path: str
    url: str
    algorithm: str = "sha256"
    digest: str | None = None
    size: int | None = None


def is_zenodo(url: str) -> bool:
    """Whether the files are listed by Zenodo's API."""
    return "/api/records/" in url


def is_figshare(url: str) -> bool:
    """Whether they are listed by figshare's."""
    return _FIGSHARE.fullmatch(url) is not None


def is_folder(url: str) -> bool:
    """Whether they are listed by `SHA256SUMS.txt` beside them."""
    return not is_zenodo(url) and not is_figshare(url)


def check_path(path: str, where: str) -> str:
    """The path of a listed file, if it stays below the root and out of our own folder there.

    Raises
    ------
    UserError
        It is absolute, steps up, or has a backslash or a control character; `where` is named.
    """
    parts = path.split("/")
    hostile = {"", ".", ".."} & set(parts) or parts[0] == FOLDER
    if hostile or len(path) > _MAX_PATH or re.search(r"[\\\x00-\x1f\x7f]", path):
        raise UserError(f"{where}: {path[:100]!r} is not a path below the database's root; nothing more is fetched")
    return path


def read_sums(sums: Path, base: str) -> Iterator[RemoteFile]:
    """Files of `SHA256SUMS.txt`, one line at a time.

    Parameters
    ----------
    sums : path
        The listing, on disk.
    base : str
        URL of the folder that it stands in, with a closing slash.

    Raises
    ------
    UserError
        A line is not `{sha256} {path}`, or its path is refused by `check_path`; names the line.
    """
    with sums.open("rb") as file:
        lines = iter(partial(file.readline, _MAX_LINE), b"")
        for number, line in enumerate(lines, start=1):
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            match = _LINE.fullmatch(text)
            if match is None:
                raise UserError(f"{sums}: line {number}: expected `sha256 path`, found {text[:100]!r}")
            path = check_path(match[2], f"{sums}: line {number}")
            if path != SUMS:
                yield RemoteFile(path, urljoin(base, quote(path)), digest=match[1])


def read_zenodo(answer: bytes, url: str) -> list[RemoteFile]:
    """Files of a Zenodo record, from the JSON that its API answers.

    Raises
    ------
    UserError
        It is not such a JSON, or a path is refused by `check_path`.
    """
    try:
        return [_zenodo_file(entry, url) for entry in _json(answer)["files"]]
    except _ODD as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{url}: not a Zenodo record with files and checksums") from None


def _zenodo_file(entry: dict[str, Any], url: str) -> RemoteFile:
    algorithm, digest = entry["checksum"].split(":")
    if algorithm not in {"md5", "sha256"} or not re.fullmatch("[0-9a-f]{32,64}", digest):
        raise ValueError(algorithm)
    return RemoteFile(
        check_path(entry["key"], url), _url(entry["links"]["self"]), algorithm, digest, int(entry["size"])
    )


def read_figshare(get: Callable[[str], bytes], url: str) -> list[RemoteFile]:
    """Files of an article of figshare's API, or of all those in a collection, sorted by path.

    Parameters
    ----------
    get : callable
        Answers a URL.
    url : str

    Raises
    ------
    UserError
        An answer is not such a list, a path is refused by `check_path`, or two articles have a file of one name.
    """
    found = _FIGSHARE.fullmatch(url)
    assert found is not None
    base, kind, number = found.groups()
    try:
        articles = [int(number)]
        if kind == "collection":
            articles = [int(one["id"]) for one in _json(get(f"{url}/articles{_PAGE}"))]
        listed = [one for article in articles for one in _json(get(f"{base}articles/{article}/files{_PAGE}"))]
        files = sorted((_figshare_file(entry, url) for entry in listed), key=lambda file: file.path)
    except _ODD as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{url}: not an article or a collection of figshare's with files and checksums") from None
    again = next((one.path for one, other in pairwise(files) if one.path == other.path), None)
    if again is not None:
        raise UserError(f"{url}: {again} stands twice; name one of its articles in place of the collection")
    return files


def _json(answer: bytes) -> Any:
    if len(answer) > _MAX_JSON:
        raise ValueError("too long")
    return json.loads(answer)


def _url(text: Any) -> str:
    if not isinstance(text, str):
        raise TypeError(text)
    return text


def _figshare_file(entry: dict[str, Any], url: str) -> RemoteFile:
    digest = entry.get("computed_md5") or entry["supplied_md5"]
    if not re.fullmatch("[0-9a-f]{32}", digest):
        raise ValueError(digest)
    return RemoteFile(check_path(entry["name"], url), _url(entry["download_url"]), "md5", digest, int(entry["size"]))


class Choice:
    """Which of the listed files are wanted.

    Parameters
    ----------
    only : list of str
        Shell patterns of paths (`*` crosses folders); empty: every file.
    always : iterable of str
        Paths that are wanted whatever the patterns, such as the tables of the database.
    """

    def __init__(self, only: list[str], always: tuple[str, ...]) -> None:
        self.always = frozenset(always)
        self._pattern = re.compile("|".join(translate(pattern) for pattern in only))
        self._everything = not only

    def __contains__(self, file: RemoteFile) -> bool:
        return self._everything or file.path in self.always or self._pattern.match(file.path) is not None
