"""The secret: who may read it, and what is derived from it, against HMAC by hand."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from ecglfm.app.deidentification.secret import Secret, open_secret
from ecglfm.config import UserError


def hmac_by_hand(key: bytes, message: bytes) -> str:
    """RFC 2104, for a key of at most 64 bytes."""
    padded = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded) + message).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in padded) + inner).hexdigest()


def test_pseudonyms_and_shifts_are_hmac_sha256() -> None:
    key = b"k" * 32
    assert Secret(key).pseudonym("4711") == "p" + hmac_by_hand(key, b"id\x004711")[:20]
    assert Secret(key).name("4711") == "r" + hmac_by_hand(key, b"name\x004711")[:20]
    assert Secret(key).days("4711", 365) == 1 + int(hmac_by_hand(key, b"days\x004711"), 16) % 365
    assert Secret(b"l" * 32).pseudonym("4711") != Secret(key).pseudonym("4711")


def test_shifts_are_in_the_stated_range_and_reach_its_ends() -> None:
    days = {Secret(b"k" * 32).days(str(person), 7) for person in range(200)}
    assert days == {1, 2, 3, 4, 5, 6, 7}


def test_a_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        first, made = open_secret(tmp_path / "secret")
    finally:
        os.umask(before)
    assert made
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    again, made = open_secret(tmp_path / "secret")
    assert not made
    assert again.pseudonym("1") == first.pseudonym("1")
    other, _ = open_secret(tmp_path / "other")
    assert other.pseudonym("1") != first.pseudonym("1")


@pytest.mark.parametrize(
    ("content", "mode", "message"),
    [(b"x" * 64, 0o640, "others may read it"), (b"short", 0o600, "holds 5 bytes, a secret has 32 at least")],
)
def test_what_is_no_secret_is_refused(tmp_path: Path, content: bytes, mode: int, message: str) -> None:
    (tmp_path / "secret").write_bytes(content)
    (tmp_path / "secret").chmod(mode)
    with pytest.raises(UserError, match=message):
        open_secret(tmp_path / "secret")


def test_a_folder_is_no_secret(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        open_secret(tmp_path)
    with pytest.raises(UserError, match="cannot be made"):
        open_secret(tmp_path / "no" / "such")
