"""Which recordings and pairs of them a verification is about: those of patients who were in no training."""

from __future__ import annotations

import heapq
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ecglfm.config import VerificationConfig, VerifySlice
from ecglfm.data.manifest import Clusters
from ecglfm.data.samples import LOCATION
from ecglfm.data.tables import table_pieces
from ecglfm.evaluation.verification.identity_pairs import Pairs, choose_pairs, is_copy
from ecglfm.provenance import hash_fraction

_CENTRE = 2000  # training records whose mean vector may be subtracted


def unseen_records(manifest: Path, config: VerificationConfig, split: str) -> tuple[int, pd.DataFrame]:
    """Records of the test (or validation) split of patients without a recording in train or valid (or in train).

    Returns
    -------
    known : int
        Patients of the split who are left out because they have one.
    records : DataFrame
        Rows of the manifest, sorted by source, patient and record.
    """
    chosen = [("split", "==", split), ("source", "in", config.sources)]
    records = pd.read_parquet(manifest, columns=[*LOCATION, "sha256"], filters=chosen)
    patients, known, earlier = set(records["patient_id"]), set[str](), {"train", "valid"} - {split}
    for piece in table_pieces(manifest, ["patient_id", "split"]):
        known |= patients.intersection(piece["patient_id"][piece["split"].isin(earlier)])
    records = records[~records["patient_id"].isin(known)]
    return len(known), records.sort_values(["source", "patient_id", "record_id"], ignore_index=True)


def draw_records(manifest: Path, config: VerificationConfig, seed: int) -> pd.DataFrame:
    """Training records whose mean vector is the origin: those with the lowest seeded hash, sorted by record."""
    sources = config.sources or []
    train = (
        record
        for piece in table_pieces(manifest, ["record_id", "source", "split"])
        for record in piece["record_id"][(piece["split"] == "train") & piece["source"].isin(sources)]
    )
    drawn = heapq.nsmallest(_CENTRE, train, key=lambda record: hash_fraction(f"centre of {record}", seed))
    wanted = pc.field("record_id").isin(pa.array(drawn, pa.large_string()))  # typed, because it may be empty
    records = pd.read_parquet(manifest, columns=[*LOCATION, "sha256"], filters=wanted)
    return records.sort_values("record_id", ignore_index=True)


def comparable(
    records: pd.DataFrame,
    slice: VerifySlice,  # noqa: A002
    manifest: Path,
    audited: dict[str, Any],
) -> tuple[tuple[Pairs, Pairs], dict[str, int]]:
    """Genuine and impostor pairs of some records, and how many were left out.

    Left out are `copies` of one recording, which it would be no test to find alike, and `linked` pairs of patients whom
    copies connect: they are one person under two names, or cannot be told apart.
    """
    genuine, impostor = choose_pairs(records, slice.config.max_pairs, slice.seed)
    record, patient = records["record_id"].to_numpy(object), records["patient_id"].to_numpy(object)
    copies = [(pair["a"], pair["b"]) for pair in audited["duplicate_pairs"]]
    clusters = Clusters(partial(table_pieces, manifest), audited["duplicate_pairs"])
    same = [is_copy(pairs, record, copies) for pairs in (genuine, impostor)]
    cluster = np.array([clusters.of_patient(name) for name in patient], np.int64)
    linked = (cluster[impostor.first] == cluster[impostor.second]) & (cluster[impostor.first] >= 0)
    left_out = {"copies": int(same[0].sum() + same[1].sum()), "linked": int((linked & ~same[1]).sum())}
    return (genuine.without(same[0]), impostor.without(same[1] | linked)), left_out
