"""XML from elsewhere: any encoding is read, and nothing that a file names is opened or expanded."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.records import RecordError
from ecglfm.sources.devices.xml_files import MAX_DEPTH, read_xml
from ecglfm.sources.inside import Root


def read(folder: Path, content: bytes, stop: str | None = None):
    (folder / "x.xml").write_bytes(content)
    return read_xml(Root(folder), "x.xml", stop)


@pytest.mark.parametrize(
    ("encoding", "declared", "word"),
    [
        ("utf-8", "utf-8", "Müller"),
        ("utf-8-sig", "iso-8859-1", "Müller"),  # a byte order mark beats the declaration
        ("utf-16", "utf-16", "Müller"),
        ("utf-16-be", "utf-16", "<a>"),  # without a mark
        ("utf-32", "utf-32", "Müller"),
        ("iso-8859-1", "ISO-8859-1", "Müller"),
        ("cp1252", "windows-1252", "5 €"),
        ("cp932", "shift_jis", "①"),  # declared as the smaller set, holds the larger one
        ("gb18030", "gb2312", "镕"),
        ("utf-8", "us-ascii", "Müller"),
    ],
)
def test_encodings(tmp_path: Path, encoding: str, declared: str, word: str) -> None:
    text = word.replace("<a>", "plain")
    root = read(tmp_path, f'<?xml version="1.0" encoding="{declared}"?><a><b>{text}</b></a>'.encode(encoding))
    assert root.findtext("b") == text


def test_prefixes_and_control_characters_are_left_out(tmp_path: Path) -> None:
    root = read(tmp_path, b'<h:a xmlns:h="urn:x"><h:b>1\x00\x0b2\t3</h:b></h:a>')
    assert (root.tag, root.findtext("b")) == ("a", "12\t3")


def test_the_rest_is_not_read_after_the_element_to_stop_at(tmp_path: Path) -> None:
    content = b"<a><head>7</head><wave>1 2 3</wave><this is no XML"
    root = read(tmp_path, content, stop="wave")
    assert [(child.tag, child.text) for child in root] == [("head", "7")]
    with pytest.raises(RecordError, match="xml_invalid"):
        read(tmp_path, content)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]><a>&c;</a>', "declares the entity 'b'"),
        (b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', "declares the entity 'b'"),
        (b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/none.dtd"><a>&b;</a>', "refers to the entity 'b'"),
        (b'<?xml version="1.0" encoding="utf-7"?><a/>', "not in the encoding 'utf-7'"),
        (b'<?xml version="1.0" encoding="hex"?><a/>', "not in the encoding 'hex'"),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', "unknown encoding: klingon"),
        (b"", "no element"),
        (b"<a>", "no element"),
        (b"\xff<a/>", "codec can't decode"),
    ],
)
def test_what_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(RecordError, match=reason) as raised:
        read(tmp_path, content)
    assert raised.value.reason == "xml_invalid"


def test_depth_is_bounded(tmp_path: Path) -> None:
    def nested(depth: int) -> bytes:
        return b"<a>" * depth + b"</a>" * depth

    assert read(tmp_path, nested(MAX_DEPTH)).tag == "a"
    with pytest.raises(RecordError, match="xml_invalid"):
        read(tmp_path, nested(MAX_DEPTH + 1))
