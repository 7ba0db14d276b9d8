"""Who asks: what is sent to whom, and that nothing that was told remains anywhere. The whole command: `test_download.py`."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from pathlib import Path

import pytest

from ecglfm.config import DownloadSlice, UserError
from ecglfm.config.sources import DownloadConfig, SourceConfig
from ecglfm.sources.download.credentials import auth_of, nobody, variable_of
from ecglfm.sources.download.run import run_download
from tests.file_server import FileServer, serve
from tests.unit.sources.download.home import content, download, list_files

SECRET = "s3cret-planted"
BASIC = f"Basic {base64.b64encode(f'ann:{SECRET}'.encode()).decode()}"
PAGE = {"page": "https://example.org/apply", "credentialed": True}


@pytest.fixture(autouse=True)
def _no_netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


@pytest.fixture
def guarded(server: FileServer) -> FileServer:
    server.files["a/1.dat"] = b"samples"
    list_files(server)
    return server


def _netrc(tmp_path: Path, host: str) -> None:
    (tmp_path / "netrc").write_text(f"machine {host}\n  login ann\n  password {SECRET}\n")
    (tmp_path / "netrc").chmod(0o600)


@pytest.mark.parametrize("how", ["token", "pair", "netrc"])
def test_what_was_told_is_sent_with_each_request_and_kept_nowhere(
    guarded: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    guarded.authorization = f"Bearer {SECRET}" if how == "token" else BASIC
    guarded.faults["a/1.dat"] = ["503"]  # which is logged
    if how == "netrc":
        _netrc(tmp_path, "127.0.0.1")
    else:
        monkeypatch.setenv("ECGLFM_DOWNLOAD_S", SECRET if how == "token" else f"ann:{SECRET}")
    with caplog.at_level(logging.DEBUG):
        shown = download(guarded, tmp_path / "db", **PAGE)
    assert content(tmp_path / "db")["a/1.dat"] == b"samples"
    assert set(guarded.sent) == {guarded.authorization}
    assert len(guarded.sent) == len(guarded.requests) == 3
    kept = [path.read_text() for path in (tmp_path / "db").rglob("*") if path.is_file()]
    assert "another attempt" in caplog.text
    assert not [text for text in [*kept, shown, caplog.text] if SECRET in text or BASIC[6:] in text]


@pytest.mark.parametrize("given", ["", f"ann:{SECRET}"])
def test_a_refusal_says_where_to_apply_and_how_to_say_who_asks(
    guarded: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    guarded.authorization = "Bearer other"
    monkeypatch.setenv("ECGLFM_DOWNLOAD_S", given)
    with pytest.raises(UserError) as raised:
        download(guarded, tmp_path / "db", **PAGE)
    (line,) = str(raised.value).splitlines()
    assert f"HTTP {403 if given else 401}" in line
    assert (
        "access is applied for at https://example.org/apply; who has access writes `machine 127.0.0.1 login USER"
        in line
    )
    assert "sets ECGLFM_DOWNLOAD_S to USER:PASSWORD or to a token" in line
    assert SECRET not in line
    assert content(tmp_path / "db") == {}


def test_no_other_host_is_told(guarded: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list may name files elsewhere, where ~/.netrc is not read out either."""
    _netrc(tmp_path, "127.0.0.1")
    monkeypatch.setenv("ECGLFM_DOWNLOAD_S", SECRET)
    with serve() as other:
        other.files["x.csv"] = b"x"
        entry = {
            "key": "x.csv",
            "size": 1,
            "checksum": f"md5:{hashlib.md5(b'x').hexdigest()}",
            "links": {"self": f"{other.url}x.csv"},
        }
        guarded.files["api/records/1"] = json.dumps({"files": [entry]}).encode()
        download(guarded, tmp_path / "db", url=f"{guarded.url}api/records/1")
        assert content(tmp_path / "db") == {"x.csv": b"x"}
        assert other.sent == []
        assert guarded.sent == [f"Bearer {SECRET}"]


@pytest.mark.parametrize("entry", ["machine localhost", "default"])
def test_nor_is_a_host_that_a_redirect_leads_to(
    guarded: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    """requests itself would send what ~/.netrc has for that host, or for any."""
    (tmp_path / "netrc").write_text(f"{entry}\n  login ann\n  password {SECRET}\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("ECGLFM_DOWNLOAD_S", SECRET)
    guarded.authorization = f"Bearer {SECRET}"
    with serve() as other:
        other.files["a/1.dat"] = guarded.files["a/1.dat"]
        guarded.moved["a/1.dat"] = other.url.replace("127.0.0.1", "localhost") + "a/1.dat"
        download(guarded, tmp_path / "db")
        assert content(tmp_path / "db")["a/1.dat"] == b"samples"
        assert other.requests == [("a/1.dat", None)]
        assert other.sent == []


def test_nothing_is_sent_where_others_could_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _netrc(tmp_path, "example.org")
    monkeypatch.setenv("ECGLFM_DOWNLOAD_S", SECRET)
    for url, signed in (("http://example.org/", False), ("https://example.org/", True), ("http://localhost:1/", True)):
        assert (auth_of(DownloadSlice(source="s", root="r", url=url)) is not nobody) == signed
    assert variable_of("my-db.2") == "ECGLFM_DOWNLOAD_MY_DB_2"


def test_a_database_that_is_fetched_from_nowhere_is_one_line(tmp_path: Path) -> None:
    for page, said in (
        (PAGE, "apply for access at https://example.org/apply, and bring"),
        ({"page": "P"}, "get it from P"),
    ):
        with pytest.raises(UserError, match=said):
            run_download(DownloadSlice(source="s", root=str(tmp_path), url=None, **page), 1)
    assert list(tmp_path.iterdir()) == []


def test_a_url_with_a_password_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a password in `url` would be in the results: put it into ~/.netrc"):
        DownloadConfig(url=f"https://ann:{SECRET}@example.org/files/")
    assert DownloadConfig(url="https://example.org/~ann@home/").url


@pytest.mark.parametrize("kind", ["heedb", "cardiosoft_xml", "echonext"])
def test_credentialed_databases_name_their_page(kind: str) -> None:
    from ecglfm.config.source_kinds import KINDS

    assert KINDS[kind].credentialed
    assert (KINDS[kind].page or "").startswith("https://")
    assert (SourceConfig(kind=kind, root="r").download_url is None) == (kind != "echonext")


def test_an_open_server_that_refuses_a_program_sends_people_to_its_page(server: FileServer, tmp_path: Path) -> None:
    server.authorization = "nobody has it"
    with pytest.raises(UserError, match=f"get it from P with a browser, and bring the files to {tmp_path}"):
        download(server, tmp_path, page="P")
