"""Lists of a database's files: every line is checked before the first file is fetched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ecglfm.config import UserError
from tests.file_server import FileServer
from tests.unit.sources.download.home import content, download, figshare


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "a//x", "a\\..\\x", ".download/verified.txt", "a/."])
def test_a_listing_that_leads_outside_is_refused_before_any_file(ptb_xl: FileServer, tmp_path: Path, name: str) -> None:
    ptb_xl.files["SHA256SUMS.txt"] += f"{'0' * 64} {name}\n".encode()
    with pytest.raises(UserError, match=r"SHA256SUMS.txt: line 7: .* is not a path below the database's root"):
        download(ptb_xl, tmp_path / "db")
    assert [path for path, _ in ptb_xl.requests] == ["SHA256SUMS.txt"]


def test_a_line_that_is_no_checksum_is_named(ptb_xl: FileServer, tmp_path: Path) -> None:
    ptb_xl.files["SHA256SUMS.txt"] = b"<html>moved</html>\n"
    with pytest.raises(UserError, match="SHA256SUMS.txt: line 1: expected `sha256 path`, found '<html>moved</html>'"):
        download(ptb_xl, tmp_path)


def test_a_line_without_end_is_not_held(ptb_xl: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ptb_xl.files["SHA256SUMS.txt"] = f"{'0' * 64} ".encode() + b"a" * 100_000
    asked: list[str] = []
    monkeypatch.setattr("ecglfm.sources.download.listing.check_path", lambda path, _: asked.append(path) or path)
    with pytest.raises(UserError, match="SHA256SUMS.txt: line 2: expected `sha256 path`, found 'aaaa"):
        download(ptb_xl, tmp_path)
    assert [len(path) for path in asked] == [8192 - 65]


_FILE = {"key": "a.csv", "checksum": f"md5:{'0' * 32}", "links": {"self": "https://localhost/a"}, "size": 1}


@pytest.mark.parametrize(
    "answer",
    [
        b'{"status": 404}',
        b"[" * 100_000,
        json.dumps({"files": [_FILE | {"size": float("inf")}]}).encode(),
        json.dumps({"files": [_FILE | {"links": {"self": 7}}]}).encode(),
    ],
    ids=["none", "brackets", "infinity", "number"],
)
def test_an_answer_that_is_no_record_is_one_line(server: FileServer, tmp_path: Path, answer: bytes) -> None:
    server.files["api/records/1"] = answer
    with pytest.raises(UserError, match="api/records/1: not a Zenodo record with files and checksums"):
        download(server, tmp_path, url=f"{server.url}api/records/1")


def test_articles_of_a_collection_are_fetched_each_with_its_checksum(server: FileServer, tmp_path: Path) -> None:
    files = {"metadata.csv": b"ECG_ID\n", "code.csv": b"Code\n", "rule.pdf": b"%PDF"}
    url = figshare(server, *({name: data} for name, data in files.items()))
    server.faults["files/17912442-code.csv"] = ["wrong"]
    assert download(server, tmp_path, url=url, tables=["metadata.csv", "code.csv"]).endswith("0 were there")
    assert content(tmp_path) == files
    server.requests.clear()
    assert "3 files, 0 of them fetched now" in download(server, tmp_path, url=f"{url}/")
    assert all(path.startswith("v2/") for path, _ in server.requests)
    article = f"{server.url}v2/articles/17912442"
    assert content(tmp_path / "one") == {}
    download(server, tmp_path / "one", url=article)
    assert content(tmp_path / "one") == {"code.csv": b"Code\n"}


def test_what_is_no_article_of_figshares_is_one_line(server: FileServer, tmp_path: Path) -> None:
    said = "not an article or a collection of figshare's with files and checksums"
    for number, answer in enumerate((b'{"message": "no"}', b"[1]", b"<html>", b'[{"name": "a", "computed_md5": "x"}]')):
        server.files[f"v2/articles/{number}/files?page_size=1000"] = answer
        with pytest.raises(UserError, match=f"v2/articles/{number}: {said}"):
            download(server, tmp_path, url=f"{server.url}v2/articles/{number}")
    with pytest.raises(UserError, match="is not a path below the database's root"):
        download(server, tmp_path, url=figshare(server, {"../x.csv": b"x"}))
    with pytest.raises(UserError, match=r"v2/collections/5779802: a\.csv stands twice"):
        download(server, tmp_path, url=figshare(server, {"a.csv": b"x"}, {"a.csv": b"y"}))
    assert content(tmp_path) == {}
