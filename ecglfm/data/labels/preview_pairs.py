"""What a verification would compare, as text: who has several recordings, and how many pairs they make."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from ecglfm.config import VerifySlice
from ecglfm.data.labels.preview import text_table
from ecglfm.data.tables import sorted_pieces, table_pieces
from ecglfm.records import SPLITS


def describe_pairs(slice: VerifySlice, manifest: Path) -> str:  # noqa: A002
    """Text about one verification: records, patients and possible pairs by source and split.

    Parameters
    ----------
    slice : VerifySlice
    manifest : path
        `manifest/records.parquet`.
    """
    config, counts = slice.config, _counts(slice, manifest)
    rows = [["source, split", "records", "patients", "with several", "pairs of one person", "pairs of two"]]
    for source in config.sources or []:
        for split in SPLITS:
            rows.append([f"{source}, {split}", *map(str, counts.get((source, split), [0] * 5))])
    scored = [
        sum(counts.get((source, "test"), [0] * 5)[column] for source in config.sources or []) for column in (3, 4)
    ]
    said = [f"{slice.task}: verification, the test split alone is measured. {config.description}".strip()]
    if most := [number for number in scored if number > config.max_pairs]:
        said.append(f"of {' and '.join(map(str, most))} pairs, {config.max_pairs} are drawn (`max_pairs`)")
    if not scored[0]:
        said.append("no patient of the test split has two recordings: there would be no number")
    return "\n\n".join(["\n".join(said), "\n".join(text_table(rows))])


def _counts(slice: VerifySlice, manifest: Path) -> dict[tuple[str, str], list[int]]:  # noqa: A002
    """Records, patients, patients with several, pairs of one person and of two, by source and split."""
    counts: dict[tuple[str, str], list[int]] = {}

    def chosen() -> Iterator[pd.DataFrame]:
        for piece in table_pieces(manifest, ["source", "split", "patient_id"]):
            yield piece[piece["source"].isin(slice.config.sources or []) & piece["split"].isin(SPLITS)]

    last, size = None, 0
    for table in sorted_pieces(chosen(), "source", "split", "patient_id"):
        for key in zip(*(table[name].to_pylist() for name in ("source", "split", "patient_id")), strict=True):
            size = size + 1 if key == last else 1
            records, patients, several, genuine, impostor = counts.get(key[:2], [0] * 5)
            counts[key[:2]] = [
                records + 1,
                patients + (size == 1),
                several + (size == 2),
                genuine + size - 1,
                impostor + records - (size - 1),
            ]
            last = key
    return counts
