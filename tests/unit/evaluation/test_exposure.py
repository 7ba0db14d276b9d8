"""Has an encoder seen what it is tested on? Planted pretrainings, counted by patient or told by their makers."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from ecglfm.config import CardSlice
from ecglfm.data.tables import table_pieces
from ecglfm.evaluation.exposure import Exposure, about_encoder, exposures, pretraining_in_words, worst
from ecglfm.models.seen import fingerprints, write_seen
from ecglfm.provenance import write_json, write_parquet
from ecglfm.records import data_hash

AUDIT = {
    "databases": {"s": ["ptbxl"], "t": ["challenge2021"], "u": ["code_test"], "m": ["mimic_iv_ecg"]},
    "overlaps": [{"a": "s", "b": "t", "why": "both have recordings of PTB-XL"}],
}
#: Of each source a patient in train, in valid and in test, with two recordings each, and none of `own` is published.
ROWS = [
    (source, split, f"{source}/{split}", f"{source}/{split}{number}")
    for source in ("s", "t", "u", "m", "own")
    for split in ("train", "valid", "test")
    for number in (1, 2)
]
FOREIGN = {
    "weights": "import",
    "imported": {"origin": "ECG-JEPA", "licence": "MIT", "pretrained_on": ["ecg_arrhythmia"]},
}


def sha256(record: str) -> str:
    return hashlib.sha256(record.encode()).hexdigest()


@pytest.fixture
def records(tmp_path: Path) -> Path:
    table = pd.DataFrame(ROWS, columns=["source", "split", "patient_id", "record_id"])
    table = table.assign(sampling_rate=500, n_samples=5000, sha256=table["record_id"].map(sha256))
    write_parquet(tmp_path / "manifest/records.parquet", table)
    return tmp_path / "manifest/records.parquet"


def pretrained(records: Path, *sources: str) -> dict:
    """`encoder.json` of a training on sources of this manifest."""
    table = pd.read_parquet(records)
    seen = table[table["source"].isin(sources) & (table["split"] != "test")]
    return {"weights": "pretrain", "training": {"sources": list(sources)}, "data_hash": data_hash(seen)}


def kept(*sources: str, also: tuple[str, ...] = ()) -> pd.DataFrame:
    """Test records of sources, and planted ones of a patient in train."""
    rows = [row for row in ROWS if (row[0] in sources and row[1] == "test") or row[3] in also]
    table = pd.DataFrame(rows, columns=["source", "split", "patient_id", "record_id"])
    return table.assign(split="test").drop(columns="source")


def words(encoder: dict, records: Path, test: pd.DataFrame, **more) -> dict[str, str]:
    found = exposures(encoder, AUDIT, partial(table_pieces, records), test, **more)
    return {source: one.seen for source, one in found.items()}


def test_a_training_here_is_counted_by_patient(records: Path) -> None:
    encoder, pieces = pretrained(records, "s"), partial(table_pieces, records)
    assert exposures(encoder, AUDIT, pieces, kept("s", "t", "u")) == {
        "s": Exposure("no", "pretrained on train and valid of s: no test patient is there"),
        "t": Exposure("perhaps", "pretrained on train and valid of s: both have recordings of PTB-XL"),
        "u": Exposure("no", "pretrained on train and valid of s: no test patient is there"),
    }
    planted = exposures(encoder, AUDIT, pieces, kept("s", "u", also=("s/train1", "s/valid1", "s/valid2")))
    assert planted["s"] == Exposure("yes", "pretrained on train and valid of s: 2 of 3 test patients are among them")
    assert planted["u"].seen == "no"
    renamed = kept("s", also=("s/train1",)).assign(patient_id="s/other")
    assert exposures(encoder, AUDIT, pieces, renamed)["s"].seen == "yes"
    assert words({"weights": "random"}, records, kept("s", also=("s/train1",))) == {"s": "no"}
    changed = encoder | {"data_hash": "of another manifest"}
    assert words(changed, records, kept("s")) == {"s": "unknown"}


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("ptbxl", {"s": "yes", "t": "yes", "u": "no", "m": "no", "own": "unknown"}),
        ("challenge2021", {"s": "yes", "t": "yes", "u": "no", "m": "no", "own": "unknown"}),
        ("heedb", {"s": "no", "t": "perhaps", "u": "no", "m": "perhaps", "own": "unknown"}),  # Emory; Harvard
        ("code85", {"s": "no", "t": "no", "u": "perhaps", "m": "no", "own": "unknown"}),
        (None, dict.fromkeys(("s", "t", "u", "m", "own"), "unknown")),
    ],
)
def test_others_are_judged_by_what_their_makers_name(records: Path, stated: str | None, expected: dict) -> None:
    test = kept("s", "t", "u", "m", "own")
    in_config = words({"weights": "import"}, records, test, stated=[stated] if stated else [])
    in_file = words({"weights": "import", "imported": {"pretrained_on": [stated]}}, records, test)
    assert in_config == in_file == expected


def test_the_reason_names_both_sides(records: Path) -> None:
    pieces = partial(table_pieces, records)
    found = exposures({"weights": "import"}, AUDIT, pieces, kept("m", "s", "own"), stated=["heedb"])
    assert found["m"].why == (
        "pretrained on HEEDB: HEEDB and MIMIC-IV-ECG: both are of Harvard's hospitals in Boston, and no ids connect their"
        " people"
    )
    assert found["s"].why == "pretrained on HEEDB: no overlap with s is known"
    assert "which published databases own holds (`holds`)" in found["own"].why


def test_ours_from_elsewhere_is_known_by_samples(records: Path) -> None:
    ours = {"weights": "import", "training": {"sources": ["theirs"]}, "data_hash": "h"}
    train = {"pretraining": fingerprints(map(sha256, ["s/train1", "s/train2", "s/valid1"]))}
    assert words(ours, records, kept("s", "u")) == {"s": "unknown", "u": "unknown"}
    assert words(ours, records, kept("s", "u"), prints=train) == {"s": "no", "u": "unknown"}
    assert words(ours, records, kept("s", "u"), prints=train, stated=["code_test"]) == {"s": "no", "u": "yes"}
    # one recording of the patient is enough, whichever is tested
    other = {"pretraining": fingerprints(map(sha256, ["s/train1", "s/test1"]))}
    test = kept("s").iloc[1:]
    assert test["record_id"].tolist() == ["s/test2"]
    assert words(ours, records, test, prints=other) == {"s": "yes"}


def test_of_the_challenge_only_the_databases_of_the_test_records_count(records: Path) -> None:
    """`cpsc2018` and `chapman` are label sets of one source; who saw Chapman-Shaoxing has not seen CPSC2018."""
    audit = {"databases": {"c": ["chapman_shaoxing", "cpsc_2018", "ptbxl"], "s": ["ptbxl"]}}
    pieces = partial(table_pieces, records)

    def seen(encoder: dict, *folders: str) -> str:
        ids = [f"c/{folder}/A{number}" for number, folder in enumerate(folders)]
        test = pd.DataFrame({"record_id": ids, "patient_id": ids, "split": "test"})
        return exposures(encoder, audit, pieces, test)["c"].seen

    assert (seen(FOREIGN, "cpsc_2018"), seen(FOREIGN, "chapman_shaoxing")) == ("no", "yes")
    assert seen(FOREIGN, "cpsc_2018", "chapman_shaoxing") == "yes"
    assert seen(FOREIGN, "of_nobody") == "yes"  # not said, so all that the source holds
    ours = pretrained(records, "s")
    assert (seen(ours, "cpsc_2018"), seen(ours, "ptb-xl")) == ("no", "perhaps")


def test_what_the_weights_were_before_counts_as_well(records: Path) -> None:
    ours = pretrained(records, "u")
    assert words(ours | {"continues": FOREIGN}, records, kept("s", "t")) == {"s": "no", "t": "yes"}
    assert words(ours | {"continues": {"weights": "import"}}, records, kept("s")) == {"s": "unknown"}
    # what is known of our own samples says nothing of the foreign base
    prints = {"pretraining": fingerprints([sha256("t/train1")])}
    assert words(ours | {"continues": FOREIGN}, records, kept("t"), prints=prints) == {"t": "yes"}
    assert words(ours | {"continues": FOREIGN}, records, kept("t"), prints={"before": prints["pretraining"]}) == {
        "t": "yes"
    }
    before = {"before": fingerprints([sha256("s/test1")])}
    base = {"weights": "pretrain", "training": {"sources": ["s"]}, "data_hash": "another"}
    assert words(ours | {"continues": base}, records, kept("s"), prints=before) == {"s": "yes"}
    # nor do they say what another training saw
    own = {"pretraining": fingerprints([sha256("s/train1")])}
    assert words(ours | {"continues": base}, records, kept("s"), prints=own) == {"s": "unknown"}


def test_of_several_sources_the_worst_is_said() -> None:
    found = {"a": Exposure("no", "x"), "b": Exposure("perhaps", "y"), "c": Exposure("perhaps", "z")}
    assert worst(found) == Exposure("perhaps", "b: y; c: z")
    assert worst(found | {"d": Exposure("yes", "w")}) == Exposure("yes", "w")
    assert worst({"a": Exposure("no", "x"), "b": Exposure("unknown", "y")}).seen == "unknown"
    assert worst({}).seen == "unknown"


def test_what_is_said_of_a_pretraining() -> None:
    ours = {"weights": "pretrain", "training": {"sources": ["a", "b"]}}
    assert pretraining_in_words(ours | {"continues": FOREIGN}) == (
        "train and valid of a, b, before that ecg-arrhythmia (PhysioNet)"
    )
    assert pretraining_in_words({"weights": "import"}, ["heedb", "code15"]) == "HEEDB, CODE-15 %"
    assert pretraining_in_words({"weights": "import", "training": {"sources": ["a"]}}) == "a of another project"
    assert (pretraining_in_words({"weights": "import"}), pretraining_in_words({"weights": "random"})) == (
        "unknown", "nothing",
    )  # fmt: skip


def test_an_encoder_of_a_results_folder(records: Path, tmp_path: Path) -> None:
    write_json(tmp_path / "manifest/audit.json", AUDIT)
    write_json(tmp_path / "pretrain/jepa/encoder.json", FOREIGN)
    test = kept("s", "t")
    test.loc[test["record_id"].str.startswith("t/"), "split"] = "external"
    about = about_encoder(tmp_path, "jepa", CardSlice(), test)
    assert (about["licence"], about["pretraining"]) == ("MIT", "ecg-arrhythmia (PhysioNet)")
    assert (about["seen"], about["sources"]["t"]["seen"]) == ("no", "yes")  # t is only tested
    said = CardSlice(encoder_licences={"jepa": "CC BY-NC 4.0"}, pretrained_on={"jepa": ["ptbxl"]})
    about = about_encoder(tmp_path, "jepa", said, test)
    assert (about["licence"], about["seen"]) == ("CC BY-NC 4.0", "yes")
    assert about_encoder(tmp_path, "jepa", said) == {
        "licence": "CC BY-NC 4.0", "pretraining": "PTB-XL, ecg-arrhythmia (PhysioNet)",
    }  # fmt: skip
    write_json(tmp_path / "pretrain/ours/encoder.json", {"weights": "import", "training": {"sources": ["x"]}})
    write_seen(tmp_path / "pretrain/ours", {"pretraining": ("h", fingerprints([sha256("s/train1")]))})
    assert about_encoder(tmp_path, "ours", CardSlice(), test)["seen"] == "no"
    assert about_encoder(tmp_path, "absent", CardSlice(), test)["seen"] == "unknown"
