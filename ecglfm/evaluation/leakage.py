"""Could a model have seen what it is tested on? The audit of the manifest, and pretraining against this test split."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from ecglfm.config import BASELINES
from ecglfm.config.databases import DATABASES, known_databases, overlap
from ecglfm.data.tables import TableReader
from ecglfm.models.lineage import lineage
from ecglfm.models.lineage import pretrained_on as stated_in
from ecglfm.records import HASHED, data_hash_of_pieces

SEEN = ("train", "valid")  # what pretraining may see


def leakage(
    audit: dict[str, Any] | None,
    encoder: dict[str, Any],
    records: TableReader,
    test: pd.DataFrame,
    *,
    fitted: Iterable[str] = (),
    pretrained_on: Sequence[str] = (),
) -> dict[str, Any]:
    """What the leakage line of a model says.

    Parameters
    ----------
    audit : dict or None
        `manifest/audit.json`.
    encoder : dict
        `encoder.json`.
    records : TableReader
        `manifest/records.parquet`.
    test : DataFrame
        `record_id` and `patient_id` of the test records.
    fitted : iterable of str
        Records that it was fitted to, or judged on the way.
    pretrained_on : sequence of str
        Published databases that an imported encoder says it was pretrained on, beside those that its file names.

    Returns
    -------
    dict
        `audit`: None, or `passed`, the counts `patients` and `duplicates` across splits and folds, and whether there
        are `folds`. `pretraining`: `seen` is None with a `reason` where it cannot be known (also where the encoder's
        `data_hash` is not that of the manifest's records of its sources in train and valid), else the number of records
        it drew from, and `patients` and `records` of the test split that are among them; of an encoder that goes on
        with others' weights these count what is known of all its trainings, and `before`, where not all is, says why.
        `suspected`: sentences on two of all these sources that are known to overlap (the audit has compared their
        signals), and on what of `pretrained_on` is known to overlap with a tested source. `unknown`: the sources among
        all of these whose index has records of no known patient, and how many (all those of the source). `clean`:
        nothing was found and all is known.
    """
    audited = None
    if audit is not None:
        crossing = sum(bool(pair["crosses"]) for pair in audit["duplicate_pairs"])
        audited = {"passed": audit["passed"], "patients": len(audit["patient_overlap"]), "duplicates": crossing}
        audited["folds"] = "folds" in audit
    pretraining = _pretraining(encoder, records, test)
    involved = {record.partition("/")[0] for part in (test["record_id"], fitted) for record in part}
    involved.update(pretraining["sources"])
    unstated = (audit or {}).get("patients_unknown", {})
    unknown = {source: number for source, number in unstated.items() if source in involved}
    elsewhere = list(dict.fromkeys([*pretrained_on, *stated_in(encoder)]))
    known = audited is not None and audited["passed"] and pretraining["seen"] is not None and not unknown
    return {
        "audit": audited,
        "pretraining": pretraining,
        "suspected": [*_between(audit or {}, involved), *_with_pretraining(audit or {}, test, elsewhere)],
        "unknown": unknown,
        "clean": known and not any(pretraining.get(key) for key in ("patients", "records", "before")),
    }


def held_by(test: pd.DataFrame, databases: Sequence[str]) -> Sequence[str]:
    """Of the databases that a source holds those that its test records are of, where their ids say so: the Challenge's.

    A label set of one of them says nothing of the others: who saw Chapman-Shaoxing is tested by CPSC2018.
    """
    folders = {record.split("/")[1] if "/" in record else "" for record in test["record_id"]}
    named = {name for folder in folders for name in known_databases("", [folder]) or [""]}
    return sorted(named) if named and named <= set(databases) else databases


def _between(audit: dict[str, Any], sources: set[str]) -> list[str]:
    """Sentences on known overlaps of two sources."""
    pairs = audit.get("overlaps", [])
    return [f"{pair['a']} and {pair['b']}: {pair['why']}" for pair in pairs if {pair["a"], pair["b"]} <= sources]


def _with_pretraining(audit: dict[str, Any], test: pd.DataFrame, pretrained_on: Sequence[str]) -> list[str]:
    """Sentences on known overlaps of tested sources with what an encoder was pretrained on elsewhere."""
    titles = ", ".join(DATABASES[name].title for name in pretrained_on)
    sources = test["record_id"].str.split("/").str[0]
    known = audit.get("databases", {})
    held = {source: held_by(own, known[source]) for source, own in test.groupby(sources) if source in known}
    whys = {source: overlap(names, pretrained_on) for source, names in held.items()}
    return [f"the encoder's pretraining ({titles}) and {source}: {why}" for source, why in whys.items() if why]


def _pretraining(encoder: dict[str, Any], records: TableReader, test: pd.DataFrame) -> dict[str, Any]:
    """Test records and patients among what the encoder was pretrained on, in its last training and before that."""
    last, *before = lineage(encoder)
    weights, sources = last.get("weights"), sources_of(last)
    if weights in BASELINES:
        reason = f"{BASELINES[weights]}: no pretraining"
        return {"seen": 0, "patients": 0, "records": 0, "sources": [], "reason": reason}
    if (why := why_unknown(last, records)) is not None:
        return {"seen": None, "patients": None, "records": None, "sources": sources, "reason": why}
    reasons = []
    for one in before:
        if (why := why_unknown(one, records)) is not None:
            reasons.append(why)
        else:
            sources = list(dict.fromkeys([*sources, *sources_of(one)]))
    patients, ids = set(test["patient_id"]), set(test["record_id"])
    seen, shared_patients, shared_records = 0, set[str](), 0
    for part in drawn(records, sources):
        seen += len(part)
        shared_patients |= patients.intersection(part["patient_id"])
        shared_records += int(part["record_id"].isin(ids).sum())
    found = {"seen": seen, "patients": len(shared_patients), "records": shared_records, "sources": sources}
    return found | {"reason": ""} | ({"before": "; ".join(dict.fromkeys(reasons))} if reasons else {})


def sources_of(encoder: Mapping[str, Any]) -> list[str]:
    """Sources that a training drew from."""
    made_here = encoder.get("weights") == "pretrain"
    return list((encoder.get("training") or {}).get("sources") or []) if made_here else []


def drawn(records: TableReader, sources: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Records of the manifest that a pretraining on these sources may see."""
    for piece in records([*HASHED, "source"]):
        yield piece[piece["source"].isin(sources) & piece["split"].isin(SEEN)]


def why_unknown(encoder: Mapping[str, Any], records: TableReader) -> str | None:
    """Why it cannot be known here what one training saw; None: the records of its sources in train and valid."""
    if encoder.get("weights") in BASELINES:
        return None
    if not (sources := sources_of(encoder)):
        return "the weights were made elsewhere: what they were trained on is not known here"
    if data_hash_of_pieces(drawn(records, sources)) != encoder.get("data_hash"):
        return "pretrained on another manifest (other records, splits or signals): what it saw is not known here"
    return None
