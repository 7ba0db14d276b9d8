"""Sources: what their YAML may say, and what it must."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from ecglfm.config import (
    Project,
    SourceConfig,
    UserError,
    parse,
)
from tests.unit.config.projects import BASE, project_of


def test_synthetic_source_takes_no_root(repository: Path) -> None:
    with pytest.raises(UserError, match="demo-ptbxl.yaml: a synthetic source .* takes no root, found '/data'"):
        project_of(repository, roots={"demo-ptbxl": "/data"})


def test_download_takes_what_the_source_reads_and_its_edit_reruns_nothing(repository: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(repository / "config", tmp_path / "config")
    before = Project(BASE | {"sources": ["demo-ptbxl", "ptbxl"]}, folder).slices()
    assert yaml.safe_load(before["download/ptbxl"]) == {
        "source": "ptbxl",
        "root": "data/ptb-xl",
        "url": "https://physionet.org/files/ptb-xl/1.0.3/",
        "only": ["records500/*"],
        "tables": ["ptbxl_database.csv", "scp_statements.csv"],
        "page": None,
        "credentialed": False,
    }
    assert "download/demo-ptbxl" not in before
    with (folder / "sources/ptbxl.yaml").open("a") as file:
        file.write("download: {url: 'https://mirror/', only: ['*.hea']}\n")
    after = Project(BASE | {"sources": ["demo-ptbxl", "ptbxl"]}, folder).slices()
    assert {name for name in after if after[name] != before[name]} == {"download/ptbxl"}
    with pytest.raises(UserError, match="`download` is not a key of `kind: synthetic`"):
        parse(SourceConfig, {"kind": "synthetic", "download": {"url": "https://mirror/"}}, "s.yaml")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"leads": {"C1": "V7"}}, "leads.C1"),
        ({"links": ["archive"]}, "`links` takes `inside`, `follow` or absolute paths of folders, found 'archive'"),
        ({"links": "outside"}, "links"),
        ({"checks": "none"}, "checks"),
        ({"kind": "code15", "checks": "off"}, "`checks` is not a key of `kind: code15`"),
        ({"kind": "ptbxl", "leads": {"C1": "V1"}}, "`leads` is not a key of `kind: ptbxl`"),
    ],
)
def test_what_is_odd_about_files_is_said_in_known_words(keys: dict, message: str):
    with pytest.raises(UserError, match=message):
        parse(SourceConfig, {"kind": "wfdb_folder", "root": "r"} | keys, "s.yaml")


def test_keys_that_came_later_are_in_no_slice_of_a_source_that_has_none() -> None:
    """So that an index from before there were such keys is not made anew."""
    before = SourceConfig(kind="ptbxl", root="r").model_dump(mode="json")
    assert {"array", "axes", "ids"} & set(before) == set()
    content = {"kind": "array_folder", "root": "r", "array": "a.npy", "axes": ["record", "lead", "sample"]}
    config = parse(
        SourceConfig, content | {"table": "t", "sampling_rate": 1, "file_leads": ["I"], "ids": "k"}, "s.yaml"
    )
    dumped = config.model_dump(mode="json")
    assert (dumped["array"], dumped["axes"], dumped["ids"]) == ("a.npy", ["record", "lead", "sample"], "k")
    assert parse(SourceConfig, dumped, "slice.yaml") == config


def test_what_files_come_from_is_of_known_databases_and_in_the_slice_of_the_manifest_alone(
    repository: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"'qtdbs' is no database that is known here; near ones: qtdb"):
        parse(SourceConfig, {"kind": "wfdb_folder", "root": "r", "holds": ["qtdbs"]}, "s.yaml")
    folder = shutil.copytree(repository / "config", tmp_path / "config")
    before = Project(BASE | {"sources": ["demo-ptbxl", "wfdb-example"]}, folder).slices()
    with (folder / "sources/wfdb-example.yaml").open("a") as file:
        file.write("holds: [qtdb]\n")
    after = Project(BASE | {"sources": ["demo-ptbxl", "wfdb-example"]}, folder).slices()
    assert {name for name in after if after[name] != before[name]} == {"manifest"}
    assert yaml.safe_load(after["manifest"])["holds"] == {"wfdb-example": ["qtdb"]}


def test_a_download_is_from_a_url_that_is_one() -> None:
    with pytest.raises(UserError, match=r"mine\.yaml: download\.url: 'https://\[' is no URL: Invalid IPv6 URL"):
        parse(SourceConfig, {"kind": "wfdb_folder", "root": "x", "download": {"url": "https://["}}, "mine.yaml")
