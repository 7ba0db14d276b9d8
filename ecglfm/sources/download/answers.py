"""What a server's answer says of a file and of when to ask again, and in few words what went wrong."""

from __future__ import annotations

import email.utils
import time
from urllib.parse import urlsplit

import requests


def place_of(url: str) -> tuple[str, str]:
    """Scheme and host of a URL, the host with its port; empty where it is none."""
    try:
        scheme, host, *_ = urlsplit(url)
    except ValueError:
        return "", ""
    return (scheme, host) if host.strip("[]:@") else ("", "")


def version_of(response: requests.Response) -> str:
    """What `If-Range` may name: a strong ETag, else Last-Modified, else nothing."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified", "")


def retry_after(text: str) -> float:
    """Seconds of a `Retry-After` header, which is a number or a date; 0 when it is neither."""
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return 0.0


def describe(error: Exception) -> str:
    """One short line for what requests tells in a long one."""
    if isinstance(error, requests.exceptions.SSLError):
        return "the TLS certificate is not trusted"
    if isinstance(error, requests.exceptions.Timeout) or "Read timed out" in str(error):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off"
    if isinstance(error, requests.exceptions.ConnectionError):
        return "no connection"
    return " ".join(str(error).split())
