"""Amplitudes against those of the same source: a gain that is wrong by 5 leaves a recording that looks like one.

Among the recordings of one database a heart's amplitude varies by less than that: of 342 genuine recordings none is
under 0.43 or over 3.1 times the median of its source. A low voltage may be genuine all the same, so nothing is dropped:
the ledger and a warning name what is unlike the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from ecglfm.config.manifest import AmplitudesConfig
from ecglfm.config.wording import counted
from ecglfm.data.tables import TableReader

#: Fewer recordings than that say nothing about their source.
LEAST = 10
#: Reason in the ledger.
REASON = "amplitude_of_source"
_EXAMPLES = 3


def source_medians(records: TableReader) -> dict[str, float]:
    """Median `amplitude`, mV, of each source that has `LEAST` recordings with one."""
    found: dict[str, list[np.ndarray]] = {}
    for piece in records(["source", "amplitude"]):
        for source, values in piece.dropna(subset=["amplitude"]).groupby("source")["amplitude"]:
            found.setdefault(str(source), []).append(values.to_numpy(np.float32))
    whole = {source: np.concatenate(parts) for source, parts in found.items()}
    return {source: float(np.median(whole[source])) for source in sorted(whole) if len(whole[source]) >= LEAST}


def odd_records(records: TableReader, medians: dict[str, float], limits: AmplitudesConfig) -> Iterator[pd.DataFrame]:
    """Rows of the ledger on recordings whose amplitude is unlike their source's, in pieces."""
    for piece in records(["source", "record_id", "amplitude"]):
        median = piece["source"].map(medians).astype("float64")  # of no record too
        ratio = piece["amplitude"] / median
        odd = ((ratio < limits.lowest_ratio) | (ratio > limits.highest_ratio)).to_numpy()
        rows = piece.loc[odd, ["source", "record_id"]].assign(stage="manifest", action="flagged", reason=REASON)
        shown = zip(piece["amplitude"][odd], ratio[odd], median[odd], strict=True)
        yield rows.assign(
            detail=[f"{value:.4g} mV, {of:.2g} x its source's median of {m:.4g} mV" for value, of, m in shown]
        )


def about_amplitudes(
    medians: dict[str, float], rows: Iterator[pd.DataFrame], limits: AmplitudesConfig
) -> dict[str, Any]:
    """What `audit.json` says of each source: `median`, how many recordings are `odd`, `examples` of them, `limits`."""
    held = limits.model_dump()
    said: dict[str, Any] = {
        source: {"median": round(median, 4), "odd": 0, "examples": [], "limits": held}
        for source, median in medians.items()
    }
    for piece in rows:
        for source, some in piece.groupby("source")["record_id"]:
            about = said[str(source)]
            about["odd"] += len(some)
            about["examples"] = [*about["examples"], *some][:_EXAMPLES]
    return said


def amplitude_warnings(said: dict[str, Any]) -> dict[str, list[str]]:
    """Sentences on the sources of which `about_amplitudes` says something odd."""
    warnings: dict[str, list[str]] = {}
    for source, about in said.items():
        median, odd, limits = about["median"], about["odd"], AmplitudesConfig(**about.get("limits", {}))
        low, high = limits.lowest_median, limits.highest_median
        if not low <= median <= high:
            warnings.setdefault(source, []).append(
                f"the median amplitude is {median:.3g} mV, that of hearts {low:g} to {high:g} mV:"
                " is its unit or gain wrong?"
            )
        if odd:
            records = counted(odd, "record has", "records have")
            warnings.setdefault(source, []).append(
                f"{records} an amplitude under {limits.lowest_ratio:.3g} or over {limits.highest_ratio:g} times the"
                f" source's median of {median:.3g} mV, e.g. {', '.join(about['examples'])}: is the gain wrong? They are"
                f" used; the ledger lists them as {REASON}"
            )
    return warnings
