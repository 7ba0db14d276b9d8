"""Who asks: user and password, or a token, for databases that are handed out to those who were given access.

They come from the environment or from ~/.netrc, are sent to the host of the database and to no other, and are written
nowhere: neither slices, lists, logs nor messages hold them.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable
from urllib.parse import urlsplit

import requests
from requests.auth import HTTPBasicAuth
from requests.utils import get_netrc_auth

from ecglfm.config import DownloadSlice

Auth = Callable[[requests.PreparedRequest], requests.PreparedRequest]


def variable_of(source: str) -> str:
    """Name of the environment variable that holds `user:password`, or a token, for a source."""
    return f"ECGLFM_DOWNLOAD_{re.sub('[^A-Z0-9]', '_', source.upper())}"


def nobody(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Ask as nobody: without it requests would look into ~/.netrc itself, for any host and unencrypted, too."""
    return request


class Session(requests.Session):
    """A session that a redirect makes tell nobody anything: requests looks into ~/.netrc for each new host, too."""

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Where a redirect leads to another host, go on as nobody."""
        if self.should_strip_auth(response.request.url, prepared_request.url):
            prepared_request.headers.pop("Authorization", None)


def auth_of(config: DownloadSlice) -> Auth:
    """What signs requests for a source; `nobody` where nothing is given, or where others could read it on the way."""
    url = config.url or ""
    if not _is_private(url):
        return nobody
    given = os.environ.get(variable_of(config.source), "").strip()
    if given and ":" not in given:
        return _Token(given)
    user, _, password = given.partition(":")
    found = (user, password) if given else get_netrc_auth(url)
    return HTTPBasicAuth(*(text.encode() for text in found)) if found else nobody


class _Token:
    """Signs with `Authorization: Bearer …`."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _is_private(url: str) -> bool:
    """Whether nobody between reads what is sent: https, or this machine."""
    parts = urlsplit(url)
    try:
        here = ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        here = parts.hostname == "localhost"
    return parts.scheme == "https" or here


def advice(config: DownloadSlice) -> str:
    """What to do where a server refuses: where access is applied for, and how it is told who asks."""
    if config.page and not config.credentialed:  # what guards a public server lets browsers in, and not always us
        return f"get it from {config.page} with a browser, and bring the files to {config.root}"
    host = urlsplit(config.url or "").hostname
    apply = f"access is applied for at {config.page}; " if config.credentialed and config.page else ""
    return (
        f"{apply}who has access writes `machine {host} login USER password PASSWORD` into ~/.netrc, or sets"
        f" {variable_of(config.source)} to USER:PASSWORD or to a token, which are sent over https only; a copy of the"
        f" files in {config.root} does as well"
    )


def by_hand(config: DownloadSlice) -> str:
    """How to come by a database that is fetched from nowhere."""
    where = f"apply for access at {config.page}, and" if config.credentialed else f"get it from {config.page}, and"
    return (
        f"{config.source}: is not fetched: {where} bring the files to {config.root}, or name their place with"
        f" `roots: {{{config.source}: DIR}}`; `download: {{url: URL}}` names a mirror with SHA256SUMS.txt"
    )
