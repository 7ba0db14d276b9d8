"""What a server's answer says, and what is said of an error."""

from __future__ import annotations

import email.utils

import pytest
import requests

from ecglfm.sources.download import answers


@pytest.mark.parametrize(
    ("headers", "version"),
    [
        ({"ETag": '"a1"', "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}, '"a1"'),
        ({"ETag": 'W/"a1"', "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}, "Mon, 01 Jan 2024 00:00:00 GMT"),
        ({"ETag": 'W/"a1"'}, ""),
        ({}, ""),
    ],
)
def test_only_a_strong_tag_or_a_date_names_a_version(headers: dict[str, str], version: str) -> None:
    response = requests.Response()
    response.headers.update(headers)
    assert answers.version_of(response) == version


def test_when_to_ask_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers.time, "time", lambda: 1_000_000_000.0)
    later = email.utils.formatdate(1_000_000_090, usegmt=True)
    earlier = email.utils.formatdate(999_999_990, usegmt=True)
    assert [answers.retry_after(text) for text in ("7", later, earlier, "soon", "")] == [7, 90, 0, 0, 0]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (requests.exceptions.SSLError("…"), "the TLS certificate is not trusted"),  # also a ConnectionError
        (requests.exceptions.ConnectTimeout("…"), "no answer in time"),  # so is this
        (requests.exceptions.ConnectionError("(Read timed out. (timeout=1))"), "no answer in time"),
        (requests.exceptions.ChunkedEncodingError("…"), "the connection broke off"),
        (requests.exceptions.ConnectionError("…"), "no connection"),
        (ValueError("two\n lines"), "two lines"),
    ],
)
def test_an_error_is_a_short_line(error: Exception, said: str) -> None:
    assert answers.describe(error) == said
