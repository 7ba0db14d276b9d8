"""The step as a whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import SurvivalConfig, UserError
from ecglfm.discovery.survival import run_survival
from ecglfm.provenance import write_json

CONFIG = SurvivalConfig(time="timey", event="death", ranked=2, bootstrap=50)


def write_study(folder: Path, *, shuffled: bool = False, record: str = "first") -> tuple[Path, list[Path]]:
    """500 people of CODE-15's form; `edf_0002` has a log hazard ratio of 0.7, `edf_0001` of nothing."""
    rng = np.random.default_rng(0)
    n = 500
    ids = [f"c/{person:04d}" for person in range(n)]
    edf = rng.normal(size=(n, 2))
    age, men = rng.uniform(40, 80, n).round(), rng.integers(0, 2, n)
    time = rng.exponential(3 / np.exp(0.05 * (age - 60) + 0.7 * edf[:, 1]))
    event, time = time < 4, np.minimum(time, 4).round(4)
    people = pd.DataFrame({"patient_id": ids, "record_id": [f"{one}r" for one in ids], "age": age, "recordings": 2,
                           "source": "c", "sex": np.where(men == 1, "male", "female")})  # fmt: skip
    people.loc[:4, "age"] = np.nan
    native = pd.DataFrame({"record_id": people["record_id"], "native.timey": time.astype(str),
                           "native.death": np.where(event, "True", "False")}).iloc[20:]  # fmt: skip
    features = people[["patient_id", "record_id"]].assign(edf_0001=edf[:, 0], edf_0002=edf[:, 1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in (("people", people), ("edf", features), ("index", native)):
        (table.sample(frac=1, random_state=1) if shuffled else table).to_parquet(
            folder / f"{name}.parquet", index=False
        )
    write_json(folder / "edf.json", {"record": record})
    return folder, [folder / "index.parquet"]


def test_the_planted_feature_is_found(tmp_path: Path):
    folder, index = write_study(tmp_path)
    content = run_survival(CONFIG, features=folder, index=index)
    assert (content["people"], content["without_follow_up"], content["without_age_or_sex"]) == (480, 20, 0)
    found = pd.read_parquet(folder / "survival.parquet").set_index("edf")
    assert found.loc["edf_0002", "ci_low"] < np.exp(0.7) < found.loc["edf_0002", "ci_high"]
    assert found.loc["edf_0002", "q_value"] < 1e-6 < 0.01 < found.loc["edf_0001", "q_value"]
    assert found.loc["edf_0002", "c_gain_low"] > 0.01
    assert content["significant"] == 1
    assert content["people_ranked"] == 480
    fewer = run_survival(CONFIG.model_copy(update={"ranked_people": 300}), features=folder, index=index)
    again = pd.read_parquet(folder / "survival.parquet").set_index("edf")
    assert fewer["people_ranked"] == 300
    assert again["hazard_ratio"].equals(found["hazard_ratio"])
    assert again.loc["edf_0002", "c_gain"] != found.loc["edf_0002", "c_gain"]
    run_survival(CONFIG, features=folder, index=index)
    assert (folder / "survival.png").stat().st_size > 10_000
    tsv = pd.read_csv(folder / "survival.tsv", sep="\t", index_col="edf")
    assert tsv["hazard_ratio"].to_numpy() == pytest.approx(found["hazard_ratio"].to_numpy(), rel=1e-8)


def test_the_order_of_tables_changes_nothing(tmp_path: Path):
    made = []
    for shuffled in (False, True):
        folder, index = write_study(tmp_path / str(shuffled), shuffled=shuffled)
        run_survival(CONFIG, features=folder, index=index)
        made.append([(folder / f"survival.{ending}").read_bytes() for ending in ("parquet", "tsv", "json", "png")])
    assert made[0] == made[1]


def test_who_has_later_recordings_lived_to_have_them(tmp_path: Path):
    folder, index = write_study(tmp_path, record="mean")
    with pytest.raises(UserError, match=r"lived to have them; write discover.features.record: first"):
        run_survival(CONFIG, features=folder, index=index)


def test_too_few_events_are_refused(tmp_path: Path):
    folder, _ = write_study(tmp_path)
    table = tmp_path / "t.csv"
    table.write_text("patient_id,timey,death\n" + "".join(f"c/{n:04d},{n},{int(n < 14)}\n" for n in range(1, 60)))
    with pytest.raises(UserError, match="9 events of 'death'; at least 10"):
        run_survival(CONFIG.model_copy(update={"table": str(table)}), features=folder, index=[])
