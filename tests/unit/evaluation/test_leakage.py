"""Could a model have seen what it is tested on? Planted leaks, and what cannot be known."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from ecglfm.data.tables import table_pieces
from ecglfm.evaluation.leakage import leakage
from ecglfm.provenance import write_parquet
from ecglfm.records import data_hash

AUDIT = {
    "passed": True,
    "patient_overlap": [],
    "duplicate_pairs": [{"a": "x", "b": "y", "correlation": 1, "crosses": False}],
}


def records_of(folder: Path, **change: object) -> Path:
    path = folder / "records.parquet"
    table = pd.DataFrame({
        "record_id": list("abcdefg"), "patient_id": list("ABCDEFG"), "source": list("ssssttt"),
        "split": ["train", "train", "valid", "test", "train", "test", None], "sampling_rate": 500, "n_samples": 5000,
        "sha256": list("1234567"),
    })  # fmt: skip
    write_parquet(path, table.assign(**change))
    return path


def pretrained_on(records: Path) -> dict:
    """`encoder.json` of an encoder that drew from source `s` of a manifest."""
    table = pd.read_parquet(records)
    seen = table[(table["source"] == "s") & table["split"].isin(["train", "valid"])]
    return {"weights": "pretrain", "training": {"sources": ["s"]}, "data_hash": data_hash(seen)}


def test_a_leak_is_found(tmp_path: Path) -> None:
    records = records_of(tmp_path)
    encoder, pieces = pretrained_on(records), partial(table_pieces, records)
    test = pd.DataFrame({"record_id": ["d", "f"], "patient_id": ["D", "F"]})
    clean = leakage(AUDIT, encoder, pieces, test)
    assert clean == {
        "audit": {"passed": True, "patients": 0, "duplicates": 0, "folds": False},
        "pretraining": {"seen": 3, "patients": 0, "records": 0, "sources": ["s"], "reason": ""},
        "suspected": [],
        "unknown": {},
        "clean": True,
    }
    planted = pd.concat([test, pd.DataFrame({"record_id": ["b", "x", "e"], "patient_id": ["B", "C", "E"]})])
    found = leakage(AUDIT, encoder, pieces, planted)
    assert (found["pretraining"]["records"], found["pretraining"]["patients"], found["clean"]) == (1, 2, False)
    crossing = AUDIT | {"passed": False, "duplicate_pairs": [AUDIT["duplicate_pairs"][0] | {"crosses": True}]}
    assert leakage(crossing, encoder, pieces, test) == clean | {
        "audit": {"passed": False, "patients": 0, "duplicates": 1, "folds": False}, "clean": False,
    }  # fmt: skip
    assert leakage(AUDIT, {"weights": "random"}, pieces, planted)["clean"] is True
    assert leakage(AUDIT, {"weights": "import"}, pieces, test)["clean"] is False
    assert leakage(None, encoder, pieces, test)["clean"] is False


def test_patients_that_nobody_states_are_no_clean_split(tmp_path: Path) -> None:
    records = records_of(tmp_path)
    encoder, pieces = pretrained_on(records), partial(table_pieces, records)
    test = pd.DataFrame({"record_id": ["u/d"], "patient_id": ["u/d"]})

    def found(unknown: dict[str, int], **more) -> tuple[dict, bool]:
        says = leakage(AUDIT | {"patients_unknown": unknown}, encoder, pieces, test, **more)
        return says["unknown"], says["clean"]

    assert found({"v": 3}) == ({}, True)  # of a source that has no part in this model
    assert found({"v": 3, "u": 54}) == ({"u": 54}, False)  # tested on it
    assert found({"s": 7}) == ({"s": 7}, False)  # pretrained on it
    assert found({"v": 3}, fitted=["v/1"]) == ({"v": 3}, False)  # fitted to it


@pytest.mark.parametrize(
    "change",
    [
        {"split": ["train", "test", "valid", "train", "train", "test", None]},  # another seed: b was trained on
        {"sha256": list("9234567")},  # another recording
        {"patient_id": list("XBCDEFG")},
    ],
)
def test_what_was_pretrained_on_another_manifest_is_not_known(tmp_path: Path, change: dict) -> None:
    encoder = pretrained_on(records_of(tmp_path))
    test = pd.DataFrame({"record_id": ["b"], "patient_id": ["B"]})
    found = leakage(AUDIT, encoder, partial(table_pieces, records_of(tmp_path, **change)), test)
    assert (found["pretraining"]["seen"], found["clean"]) == (None, False)
    assert found["pretraining"]["reason"].startswith("pretrained on another manifest")
    other_source = partial(
        table_pieces, records_of(tmp_path, sha256=list("1234569"))
    )  # of t, which it did not draw from
    assert leakage(AUDIT, encoder, other_source, test[:0])["clean"] is True


def test_known_overlaps_are_told_of_the_sources_of_a_model_and_of_a_stated_pretraining(tmp_path: Path) -> None:
    records = records_of(tmp_path, record_id=[f"s/{k}" if k < 4 else f"t/{k}" for k in range(7)])
    encoder, pieces = pretrained_on(records), partial(table_pieces, records)
    test = pd.DataFrame({"record_id": ["t/5"], "patient_id": ["F"]})
    pairs = [{"a": "s", "b": "t", "why": "both have recordings of PTB-XL"}, {"a": "s", "b": "u", "why": "why"}]
    audit = AUDIT | {"databases": {"s": ["ptbxl"], "t": ["challenge2021"]}, "overlaps": pairs}
    found = leakage(audit, encoder, pieces, test)
    assert found["suspected"] == ["s and t: both have recordings of PTB-XL"]
    assert found["clean"] is True  # the audit has compared their signals
    elsewhere = leakage(audit, {"weights": "import"}, pieces, test, pretrained_on=["mimic_iv_ecg", "ptbxl"])
    assert elsewhere["suspected"] == [
        "the encoder's pretraining (MIMIC-IV-ECG, PTB-XL) and t: both have recordings of PTB-XL"
    ]
    assert leakage(audit, {"weights": "import"}, pieces, test, pretrained_on=["heedb"])["suspected"] == [
        "the encoder's pretraining (HEEDB) and t: Georgia and HEEDB: both have patients of Emory in Atlanta"
    ]


def test_what_the_weights_were_before_counts_as_well(tmp_path: Path) -> None:
    records = records_of(tmp_path)
    table, pieces, last = pd.read_parquet(records), partial(table_pieces, records), pretrained_on(records)
    base = {"weights": "pretrain", "training": {"sources": ["t"]}, "data_hash": data_hash(table[4:5])}
    test = pd.DataFrame({"record_id": ["d", "f"], "patient_id": ["D", "E"]})  # E was seen by the first training alone
    assert leakage(AUDIT, last, pieces, test)["clean"] is True
    both = leakage(AUDIT, last | {"continues": base}, pieces, test)
    assert both["pretraining"] == {"seen": 4, "patients": 1, "records": 0, "sources": ["s", "t"], "reason": ""}
    assert both["clean"] is False
    random = last | {"continues": {"weights": "random", "training": {"steps": 0}}}
    assert leakage(AUDIT, random, pieces, test) == leakage(AUDIT, last, pieces, test)


def test_foreign_weights_that_were_trained_on_leave_a_doubt_and_their_databases(tmp_path: Path) -> None:
    records = records_of(tmp_path, record_id=[f"s/{k}" if k < 4 else f"t/{k}" for k in range(7)])
    foreign = {"weights": "import", "imported": {"origin": "MERL", "pretrained_on": ["ptbxl"]}}
    encoder = pretrained_on(records) | {"continues": foreign}
    audit = AUDIT | {"databases": {"s": ["mimic_iv_ecg"], "t": ["challenge2021"]}}
    test = pd.DataFrame({"record_id": ["t/5"], "patient_id": ["F"]})
    found = leakage(audit, encoder, partial(table_pieces, records), test, pretrained_on=["code15"])
    assert found["pretraining"] == {
        "seen": 3, "patients": 0, "records": 0, "sources": ["s"], "reason": "",
        "before": "the weights were made elsewhere: what they were trained on is not known here",
    }  # fmt: skip
    assert found["suspected"] == ["the encoder's pretraining (CODE-15 %, PTB-XL) and t: both have recordings of PTB-XL"]
    assert found["clean"] is False
    georgia = pd.DataFrame({"record_id": ["t/georgia/E5"], "patient_id": ["F"]})  # no record of the Challenge's PTB-XL
    audit = AUDIT | {"databases": {"t": ["georgia", "ptbxl"]}}
    assert leakage(audit, encoder, partial(table_pieces, records), georgia)["suspected"] == []
    other = encoder | {"continues": {"weights": "pretrain", "training": {"sources": ["s"]}, "data_hash": "another"}}
    before = leakage(audit, other, partial(table_pieces, records), test)["pretraining"]["before"]
    assert before.startswith("pretrained on another manifest")
