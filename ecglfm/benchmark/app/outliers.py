"""`benchmark outliers`: which recordings a model does not decide: genuine ones of the test split, and spoilt ones.

Every test recording, as `preprocess` wrote it, goes once as it is and once in each spoilt form through the predictor.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ecglfm.config import LEADS

if TYPE_CHECKING:
    import numpy as np

    from ecglfm.app.prediction import Predictor

_AT = {lead: place for place, lead in enumerate(LEADS)}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--model", type=Path, required=True, help="folder that finetune wrote")
    parser.add_argument("--manifest", type=Path, required=True, help="manifest/records.parquet")
    parser.add_argument("--signals", type=Path, required=True, help="folder of the prepared signals, preprocess/")
    parser.add_argument("--records", type=int, default=300, help="test recordings at most")


def run(args: argparse.Namespace) -> None:
    """Measure and print a table."""
    import numpy as np
    import pandas as pd

    from ecglfm.app.prediction import Predictor
    from ecglfm.data.samples import Signals

    predictor = Predictor.load([args.model])
    records = pd.read_parquet(args.manifest).query("split == 'test'")
    records = records.iloc[:: -(-len(records) // args.records)].reset_index(drop=True)
    store, lengths = Signals(records, args.signals), records["n_samples"].to_numpy()
    recordings = [
        store.crops(np.array([row]), np.array([0]), int(length))[0] / 1000.0 for row, length in enumerate(lengths)
    ]
    print(f"{len(records)} test recordings of {records['patient_id'].nunique()} patients")
    print("| recordings | not decided | by quality | by vector | by signal | by beats | cannot be used |")
    print("|---|---|---|---|---|---|---|")
    for name, (spoil, rate) in FORMS.items():
        reasons = ask(predictor, [spoil(one, np.random.default_rng(row)) for row, one in enumerate(recordings)], rate)
        shares = [
            np.mean([key in reason for reason in reasons]) for key in ("quality: ", "vector ", "signal ", "beats ")
        ]
        unusable = np.mean([bool(reason) and not reason.startswith(("quality: ", "unlike_")) for reason in reasons])
        total = np.mean([bool(reason) for reason in reasons])
        print(f"| {name} | {' | '.join(f'{share:.1%}' for share in (total, *shares, unusable))} |", flush=True)


def ask(predictor: Predictor, signals: list[np.ndarray], rate: float) -> list[str]:
    """Why each recording is not decided, `""` where it is; millivolts, at the project's rate times `rate`."""
    from ecglfm.records import Record

    stated = rate * predictor.models[0].encoder.preprocess.sampling_rate
    reasons = []
    for first in range(0, len(signals), 64):
        prepared = [predictor.prepare(Record(signal, LEADS, stated)) for signal in signals[first : first + 64]]
        reasons += [row["reason"] for row in predictor.answer(prepared)]
    return reasons


Spoil = Callable[["np.ndarray", "np.random.Generator"], "np.ndarray"]


def limbs(right: str, left: str, foot: str) -> Spoil:
    """The limb electrodes at other places: which potential the cable of the right arm, left arm and left leg has."""

    def spoil(signal: np.ndarray, _rng: np.random.Generator) -> np.ndarray:
        # Potentials against the mean of the three (Wilson's terminal), by aVR, aVL and aVF.
        of = {"R": signal[:, _AT["aVR"]] / 1.5, "L": signal[:, _AT["aVL"]] / 1.5, "F": signal[:, _AT["aVF"]] / 1.5}
        r, left_arm, f = of[right], of[left], of[foot]
        out = signal.copy()
        leads = {"I": left_arm - r, "II": f - r, "III": f - left_arm}
        leads |= {"aVR": 1.5 * r, "aVL": 1.5 * left_arm, "aVF": 1.5 * f}
        for lead, values in leads.items():
            out[:, _AT[lead]] = values
        return out

    return spoil


def chest(*order: str) -> Spoil:
    """The chest electrodes in another order."""

    def spoil(signal: np.ndarray, _rng: np.random.Generator) -> np.ndarray:
        out = signal.copy()
        out[:, _AT["V1"] :] = signal[:, [_AT[lead] for lead in order]]
        return out

    return spoil


def _same(signal: np.ndarray, _rng: np.random.Generator) -> np.ndarray:
    return signal


def _noise(signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.normal(0, 0.3, signal.shape)


def _walk(signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    walk: np.ndarray = rng.normal(0, 0.03, signal.shape).cumsum(axis=0)
    return walk - walk.mean(axis=0)


def _copied(signal: np.ndarray, _rng: np.random.Generator) -> np.ndarray:
    return signal[:, [_AT["II"]] * len(LEADS)]


FORMS: dict[str, tuple[Spoil, float]] = {
    "genuine": (_same, 1.0),
    "white noise, 0.3 mV": (_noise, 1.0),
    "random walk": (_walk, 1.0),
    "lead II copied to all twelve": (_copied, 1.0),
    "arms swapped": (limbs("L", "R", "F"), 1.0),
    "right arm and left leg swapped": (limbs("F", "L", "R"), 1.0),
    "left arm and left leg swapped": (limbs("R", "F", "L"), 1.0),
    "V1-V6 reversed": (chest("V6", "V5", "V4", "V3", "V2", "V1"), 1.0),
    "V1 and V2 swapped": (chest("V2", "V1", "V3", "V4", "V5", "V6"), 1.0),
    "said to be five times as fast": (_same, 5.0),
    "said to be a fifth as fast": (_same, 0.2),
    "said to be at a hundredth of the rate": (_same, 0.01),
}
