"""`benchmark conformal`: how often prediction sets hold the truth, on resplits of genuine recordings.

Recordings of PTB-XL and its five classes (every statement of the report counts). Of every resplit a third of the
patients fits a logistic regression on the vectors of an encoder with random weights, a third chooses the cut-offs, a
third is tested.
"""

from __future__ import annotations

import argparse
import ast
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_CLASSES = ("NORM", "MI", "STTC", "CD", "HYP")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--root", type=Path, required=True, help="folder of PTB-XL, or of a part of it")
    parser.add_argument("--resplits", type=int, default=50, help="of the patients")
    parser.add_argument("--coverage", type=float, default=0.9, help="what is promised")


def run(args: argparse.Namespace) -> None:
    """Measure and print a table."""
    import numpy as np

    patients, vectors = embed(args.root)
    target = classes(args.root, list(patients.index))
    found = [
        resplit(vectors, target, patients.to_numpy(str), args.coverage, np.random.default_rng(seed))
        for seed in range(args.resplits)
    ]
    size = f"{len(patients)} recordings of {patients.nunique()} patients"
    print(f"{size}, {args.resplits} resplits, {args.coverage} promised")
    print("| class | truth | resplits | patients that choose | exact | realised (standard deviation) | sets of two |")
    print("|---|---|---|---|---|---|---|")
    for label, name in enumerate(_CLASSES):
        rows = np.array([one[label] for one in found if one[label] is not None])
        if len(rows) < args.resplits / 2:
            print(f"| {name} | | {len(rows)}, in the others too few | | | | |")
            continue
        mean, spread = rows.mean(axis=0), rows.std(axis=0, ddof=1)
        for side, truth in enumerate(("has it", "has it not", "either")):
            count, covered, exact = 3 * side, 3 * side + 1, 3 * side + 2
            print(
                f"| {name} | {truth} | {len(rows)} | {mean[count]:.0f} | {mean[exact]:.3f} "
                f"| {mean[covered]:.3f} ({spread[covered]:.3f}) | {mean[-1]:.0%} |"
            )


def embed(root: Path) -> tuple[pd.Series, np.ndarray]:
    """Patients by path of the recording, and vectors of the recordings by an encoder with random weights."""
    import numpy as np
    import pandas as pd
    import torch

    from ecglfm.app.prediction import FromSource, Preparer
    from ecglfm.config import LEADS, ConformerConfig, PreprocessConfig, SourceConfig, SourceSlice
    from ecglfm.models.encoders import make_encoder, mean_over_frames

    torch.manual_seed(0)
    config = PreprocessConfig()
    shape = ConformerConfig(kind="conformer", layers=2, dim=64, heads=2, ffn_dim=128, conv_channels=32)
    encoder = make_encoder(shape, list(LEADS), config.sampling_rate, config, 5.0).eval()
    reader = FromSource(SourceSlice(source="ptbxl", config=SourceConfig(kind="ptbxl", root=str(root), rate=500)))
    recordings = [one for one in reader.find() if (root / f"{one.path}.hea").is_file()]
    patients, vectors = {}, []
    for recording, one in zip(recordings, Preparer(reader, config)(recordings), strict=True):
        if one.fault:
            continue
        with torch.inference_mode():
            windows = torch.from_numpy(one.signal[:5000].reshape(2, 2500, -1).transpose(0, 2, 1) / np.float32(1000))
            vectors.append(mean_over_frames(*encoder.encode(windows)).mean(dim=0).numpy())
        patients[recording.path] = one.patient_id
    return pd.Series(patients), np.stack(vectors)


def classes(root: Path, paths: list[str]) -> np.ndarray:
    """1 or 0 of each of the five classes, by the statements of `ptbxl_database.csv`."""
    import numpy as np
    import pandas as pd

    table = pd.read_csv(root / "ptbxl_database.csv").set_index("filename_hr")
    of = pd.read_csv(root / "scp_statements.csv", index_col=0)["diagnostic_class"].dropna().to_dict()
    said = [{of.get(code) for code in ast.literal_eval(text)} for text in table.loc[paths, "scp_codes"]]
    return np.array([[float(name in each) for name in _CLASSES] for each in said])


def resplit(
    vectors: np.ndarray, target: np.ndarray, patients: np.ndarray, coverage: float, rng: np.random.Generator
) -> list[tuple[float, ...] | None]:
    """Of patients with a class, without it and of both: number that chose, realised and exact coverage; sets of two.

    The exact coverage of K patients with one recording each is the promise rounded up to a whole number of K + 1.
    """
    import numpy as np
    import pandas as pd
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from ecglfm.evaluation.metrics import set_metrics
    from ecglfm.models.conformal import fit_conformal, set_names

    names = np.unique(patients)
    part = dict(zip(rng.permutation(names), np.arange(len(names)) * 3 // len(names), strict=True))
    fits, chooses, tests = (np.array([part[patient] == third for patient in patients]) for third in range(3))
    found: list[tuple[float, ...] | None] = []
    for column in range(target.shape[1]):
        truth = target[:, column]
        if len(np.unique(truth[fits])) < 2:
            found.append(None)
            continue
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000)).fit(
            vectors[fits], truth[fits]
        )
        said = model.predict_proba(vectors)[:, [1]]
        cuts = fit_conformal(truth[chooses, None], said[chooses], patients[chooses], coverage)
        table = pd.DataFrame({"split": "test", "patient_id": patients[tests], "target.x": truth[tests]})
        table["set.x"] = set_names([cuts], said[None, tests])[:, 0]
        measured = set_metrics(table, ["x"], coverage, 0.95)["labels"]["x"]
        if "reason" in measured or not measured["present"]["patients"]:
            found.append(None)
            continue
        sides = [measured["present"], measured["absent"]]
        counts, tested = (cuts.positives[0], cuts.negatives[0]), np.array([side["patients"] for side in sides])
        exact = [float(np.ceil(coverage * (count + 1) - 1e-9)) / (count + 1) for count in counts]
        realised = [side["coverage"] for side in sides]
        both = (sum(counts), *(float(np.average(each, weights=tested)) for each in (realised, exact)))
        each = [value for triple in zip(counts, realised, exact, strict=True) for value in triple]
        found.append((*each, *both, measured["sets"]["either"]))
    return found
