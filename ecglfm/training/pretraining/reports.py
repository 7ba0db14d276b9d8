"""Reports of a pretraining that aligns recordings with them: read once, made vectors once, and what is kept of it.

The text encoder is not trained, so a report is the same vector in every update. Vectors lie in `reports/` beside the
encoder, in a file that is named by the hash of the encoder and of all texts; texts are not kept.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import normalize

from ecglfm import distributed
from ecglfm.config import ReportAlignmentConfig, UserError
from ecglfm.config.wording import counted
from ecglfm.data.loading import ReportVectors
from ecglfm.models.pretraining import ReportAlignment
from ecglfm.models.text import text_encoder, write_alignment
from ecglfm.provenance import sha256_frame, sha256_json, write_array
from ecglfm.records import read_reports
from ecglfm.training.engine import full_state_dict

logger = logging.getLogger(__name__)


class PretrainingReports:
    """Of the train and valid records; those of test records are not read.

    Parameters
    ----------
    config : ReportAlignmentConfig
    records : DataFrame
        Rows of the manifest.
    index : path
        Folder of the indexes, which have the reports.
    output : path
        Of the encoder.

    Attributes
    ----------
    vectors : ReportVectors
    hash : str
        SHA-256 of who has which report, and of what makes vectors of them.

    Raises
    ------
    UserError
        An index is missing, no training record has a report, or the text encoder cannot be used.
    """

    def __init__(self, config: ReportAlignmentConfig, records: pd.DataFrame, index: Path, output: Path) -> None:
        found = read_reports(records, index, ["train", "valid"])
        self._train = found.rows[(records["split"] == "train").to_numpy(bool) & (found.rows >= 0)]
        if not len(self._train):
            named = ", ".join(sorted(records["source"].unique()))
            raise UserError(
                f"pretrain.objective.kind: report_alignment: no training record of {named} has a report; of the public"
                " databases mimic_iv_ecg and ptbxl have some"
            )
        encoder = text_encoder(config.text_encoder)
        self._about: dict[str, Any] = {"text_encoder": config.text_encoder, "identity": encoder.identity}
        key = sha256_json({"encoder": encoder.identity, "texts": found.texts})
        who = pd.DataFrame({"record_id": records["record_id"], "report": found.rows})
        who = who[found.rows >= 0].sort_values("record_id", ignore_index=True)
        self.hash = sha256_json({"vectors": key, "reports": sha256_frame(who, ["record_id", "report"])})
        path = output / "reports" / f"{key[:16]}.npy"

        def make() -> int:
            if not path.is_file():
                logger.info("%s: vectors of %s", path, counted(len(found.texts), "distinct report"))
                write_array(path, encoder.encode(found.texts, distributed.choose_device()))
                for other in set(path.parent.glob("*.npy")) - {path}:
                    other.unlink()
            return 0

        distributed.from_main(make)
        self.vectors = ReportVectors(found.rows, np.load(path, mmap_mode="r"))
        logger.info(
            "%s of train, %d distinct with those of valid", counted(len(self._train), "report"), len(found.texts)
        )

    def write(self, engine: Any, objective: ReportAlignment, output: Path, hashes: dict[str, str]) -> None:
        """Write what zero-shot models are made of beside the encoder of these hashes; every rank must call it."""
        state = full_state_dict(engine, objective.alignment, everywhere=False)  # a collective operation
        if not distributed.is_main():
            return
        mean_p = torch.zeros(len(state["text.weight"]), dtype=torch.float64)
        rows, counts = np.unique(self._train, return_counts=True)
        for part in np.array_split(np.arange(len(rows)), -(-len(rows) // 4096)):
            text_bp = normalize(torch.from_numpy(self.vectors.vectors[rows[part]]) @ state["text.weight"].T, dim=-1)
            mean_p += torch.from_numpy(counts[part]).double() @ text_bp.double()
        write_alignment(output, state, mean_p / len(self._train), self._about | hashes)
