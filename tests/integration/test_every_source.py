"""One project over genuine recordings of every database at hand: nothing is lost, the known copies are found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import wfdb

from ecglfm.provenance import read_json
from tests.integration.conftest import Clone, make_clone, planned_in
from tests.pages import commands
from tests.unit.sources.heedb_database import facts, write_heedb

pytestmark = pytest.mark.slow

#: Source: kind, folder below the genuine data, rows that its own tables or headers name.
DATABASES = {
    "ptbxl": ("ptbxl", "ptb-xl", 300),
    "challenge": ("challenge2021", "challenge-2021", 33),
    "code15": ("code15", "code-15", 4),
    "ludb": ("ludb", "ludb", 200),  # of which three recordings are there
    "legacy": ("wfdb_folder", "challenge-2020-legacy-headers", 2),
}
HEEDB = 400  # recordings of a layout that is written here: the database itself is not at hand
YEARS = {"column": "year", "train": ["1990..2008"], "valid": ["2009..2012"], "test": ["2013..2019"], "across": "last"}
ROWS = {name: rows for name, (_, _, rows) in DATABASES.items()} | {"heedb": HEEDB}


@pytest.fixture(scope="module")
def project(repository: Path, real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of `snakemake manifest` over all of them, in two shards where there is enough."""
    clone = make_clone(repository, tmp_path_factory.mktemp("every") / "clone")
    write_heedb(clone.root / "path/to/heedb", HEEDB)
    clone.edit("config/sources/heedb.yaml", root="path/to/heedb", shards=2)
    for name, (kind, folder, rows) in DATABASES.items():
        path = clone.root / f"config/sources/{name}.yaml"
        path.unlink(missing_ok=True)
        clone.edit(f"config/sources/{name}.yaml", kind=kind, root=str(real_data / folder), shards=1 + (rows > 30))
    clone.edit("config/config.yaml", sources=list(ROWS), tasks=["sinus"], encoders=["random-tiny"])
    splits = {"duplicates": "move", "folds": {"heedb": YEARS}}
    clone.edit("config/config.yaml", manifest=splits, tracking={"enabled": False})
    sinus = {
        "ptbxl": {"scp": ["SR"]},
        "challenge2021": {"snomed": ["426783006"]},
        "code15": {"column": {"normal_ecg": ["True"]}},
        "ludb": {"report": ["sinus rhythm"]},
        "heedb": {"statement": [22], "read_by": "v24"},
    }
    clone.edit("config/tasks/sinus.yaml", kind="binary", labels={"SINUS": sinus})
    clone.snakemake("manifest", "labels")
    return clone.results


def ledger(project: Path, action: str) -> pd.DataFrame:
    rows = pd.read_parquet(project / "manifest/ledger.parquet")
    return rows[rows["action"] == action]


def test_every_row_is_a_record_or_has_its_reason(project: Path) -> None:
    records = pd.read_parquet(project / "manifest/records.parquet")
    dropped = ledger(project, "dropped")
    for source, rows in ROWS.items():
        indexed = pd.read_parquet(project / f"index/{source}.parquet")["record_id"]
        assert len(indexed) == rows
        kept, gone = records[records["source"] == source], dropped[dropped["source"] == source]
        assert sorted([*kept["record_id"], *gone["record_id"]]) == sorted(indexed)
    missing = dropped[dropped["source"] == "ludb"]
    assert len(missing) == 197
    assert set(missing["reason"]) == {"header_missing"}
    assert (records["lead_mask"] == 0xFFF).all()


def test_copies_across_databases_are_found_and_moved_together(project: Path) -> None:
    audit = read_json(project / "manifest/audit.json")
    pairs = {(pair["a"], pair["b"]) for pair in audit["duplicate_pairs"]}
    assert pairs == {
        ("ptbxl/137", "ptbxl/138"),
        ("ptbxl/143", "ptbxl/144"),
        *((f"challenge/ptb-xl/HR0000{i}", f"ptbxl/{i}") for i in range(1, 6)),
    }
    assert audit["passed"] is True
    known = [
        {"a": "challenge", "b": "heedb", "why": "Georgia and HEEDB: both have patients of Emory in Atlanta"},
        {"a": "challenge", "b": "ptbxl", "why": "both have recordings of PTB-XL"},
    ]
    assert audit["overlaps"] == known  # of the folders that are there, before any signal was compared
    records = pd.read_parquet(project / "manifest/records.parquet").set_index("record_id")
    assert all(records["split"][a] == records["split"][b] for a, b in pairs)
    linked = set(records["patient_id"][[record for pair in pairs for record in pair]])
    moved = ledger(project, "moved")
    moved = moved[moved["reason"] == "duplicate_of"]
    assert len(moved) > 0
    assert set(records["patient_id"][moved["record_id"]]) <= linked
    assert set(records["split"][moved["record_id"]]) <= {"valid", "test"}  # never from test into training


def test_signals_are_microvolts_of_the_genuine_files_at_one_rate(project: Path, real_data: Path) -> None:
    records = pd.read_parquet(project / "manifest/records.parquet").set_index("record_id")
    assert (records["sampling_rate"] == 500).all()
    row = records.loc["challenge/ningbo/JS20004"]
    theirs = wfdb.rdrecord(str(real_data / "challenge-2021/training/ningbo/g1/JS20004"))
    shard = np.load(project / f"preprocess/challenge/{row['shard']:03d}.npy", mmap_mode="r")
    ours = shard[row["offset"] : row["offset"] + row["n_samples"]]
    assert np.array_equal(ours, np.rint(theirs.p_signal * 1000).astype(np.int16))
    assert records.loc["code15/358121", "n_samples"] == 3668  # 2934 samples at 400 Hz without the padding


def test_a_label_is_read_from_each_kind_in_its_own_words(project: Path) -> None:
    labels = pd.read_parquet(project / "labels/sinus.parquet").set_index("record_id")["label.SINUS"]
    assert set(labels.index.str.split("/").str[0]) == {"ptbxl", "challenge", "code15", "ludb", "heedb"}
    assert labels["code15/358121"] == 0  # normal_ecg False


def test_a_recording_that_nobody_read_is_no_negative(project: Path) -> None:
    labels = pd.read_parquet(project / "labels/sinus.parquet").set_index("record_id")["label.SINUS"]
    out = pd.read_parquet(project / "labels/sinus.ledger.parquet").set_index("record_id")["reason"]
    kept = set(pd.read_parquet(project / "manifest/records.parquet").dropna(subset="split")["record_id"])
    own = [fact for fact in facts(HEEDB) if fact.record_id in kept]
    assert {fact.record_id for fact in own if fact.statements is None} == {
        record for record, reason in out.items() if record.startswith("heedb/") and reason == "label_unknown"
    }
    for fact in own:
        if fact.statements is not None:
            assert labels[fact.record_id] == (22 in fact.statements)


def test_a_split_by_years_tears_nobody(project: Path) -> None:
    records = pd.read_parquet(project / "manifest/records.parquet").set_index("record_id")
    year = pd.Series({fact.record_id: fact.year for fact in facts(HEEDB)})
    own = records[records["source"] == "heedb"].assign(year=year)
    assert own.groupby("patient_id")["split"].nunique().max() == 1
    spans = own.groupby("split")["year"].agg(["min", "max"])
    assert spans.loc["train"].tolist() == [1990, 2007]  # all of 2008 come back in 2009
    assert spans.loc["test"].tolist() == [2013, 2019]
    torn = ledger(project, "moved")
    torn = torn[torn["reason"] == "in_a_later_split"]
    assert set(own["split"][torn["record_id"]].isna()) == {True}
    assert {(2008, 2009), (2012, 2013)} == {  # two recordings a patient, in an even year and the next
        tuple(sorted(own["year"][own["patient_id"] == patient])) for patient in own["patient_id"][torn["record_id"]]
    }


def test_the_recipe_of_the_paper_is_planned(project: Path, repository: Path, real_data: Path, tmp_path: Path) -> None:
    clone = make_clone(repository, tmp_path / "clone")
    (clone.root / "path/to").mkdir(parents=True)
    (clone.root / "path/to/heedb").symlink_to(project.parent / "path/to/heedb")
    clone.edit("config/sources/heedb-mgh.yaml", shards=3)  # of 830, which take a minute to plan
    clone.edit("config/sources/mimic_iv_ecg.yaml", shards=2)
    for name, folder in (("mimic", "mimic-iv-ecg"), ("ptb-xl", "ptb-xl")):
        (clone.root / "path/to" / name).symlink_to(real_data / folder)
    (command,) = (one for one in commands(clone.root / "docs/heedb.md") if "ecg-lfm-full" in one)
    planned = planned_in(clone.run("bash", "-c", f"{command} -n").stdout)
    assert (planned["index_source"], planned["ingest_shard"]) == (3, 3 + 2 + 4)
    assert (planned["pretrain_encoder"], planned["finetune_model"]) == (1, 1)


def test_an_edited_table_of_patients_makes_the_index_anew(project: Path, real_data: Path, tmp_path: Path) -> None:
    """The last of this file, for it changes the project's config."""
    clone, table = Clone(project.parent), tmp_path / "ptbxl_database.csv"
    table.write_bytes((real_data / "ptb-xl/ptbxl_database.csv").read_bytes())
    clone.edit("config/sources/challenge.yaml", patients=str(table))
    index = "results/index/challenge.parquet"
    clone.snakemake(index)
    assert clone.planned(index) == {}
    table.write_text(table.read_text().replace("\n1,15709.0", "\n1,4711.0"))
    assert clone.planned(index) == {"index_source": 1}
    clone.snakemake(index)
    rows = pd.read_parquet(clone.root / index).set_index("record_id")
    assert rows.loc["challenge/ptb-xl/HR00001", "patient_id"].endswith("/4711")
