"""Ten million points become some thousand, and the picture stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.discovery.association.scan import quantiles, read_scan, thinned
from ecglfm.discovery.summary import write_summary_statistics

COUNT = 1_000_000


@pytest.fixture(scope="module")
def points() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    place = np.sort(rng.integers(1, 3 * 10**9, COUNT))
    return pd.DataFrame(
        {"chromosome": place // 10**9 + 1, "base_pair_location": place % 10**9, "height": -np.log10(rng.random(COUNT))}
    )


def test_everything_that_matters_stays_and_little_else(points: pd.DataFrame) -> None:
    kept = thinned(points)
    high = points["height"] >= 3
    assert (kept["height"] >= 3).sum() == high.sum() > 900
    assert len(kept) < 60_000  # of a thousand columns and sixty rows
    for chromosome, part in points.groupby("chromosome"):
        assert kept.loc[kept["chromosome"] == chromosome, "height"].max() == part["height"].max()
    cells = (
        points.assign(x=points["base_pair_location"] // 3_000_000)[~high].groupby(["chromosome", "x"])["height"].max()
    )
    seen = kept.assign(x=kept["base_pair_location"] // 3_000_000).groupby(["chromosome", "x"])["height"].max()
    assert (seen.reindex(cells.index) >= cells - 1e-12).mean() > 0.99  # the skyline is what it was


def test_the_order_of_rows_is_nothing(points: pd.DataFrame) -> None:
    some = points.iloc[::50]
    pd.testing.assert_frame_equal(thinned(some), thinned(some.sample(frac=1, random_state=1)))


def test_few_points_all_stay_where_no_cell_is_shared() -> None:
    few = pd.DataFrame({"chromosome": [1, 1, 2], "base_pair_location": [10, 500, 700], "height": [0.1, 2.0, 9.0]})
    pd.testing.assert_frame_equal(thinned(few), few)


def test_quantiles_of_uniform_p_lie_on_the_diagonal_within_the_band(points: pd.DataFrame) -> None:
    found = quantiles(points["height"].to_numpy())
    assert 1000 < len(found) < 1400  # all with expected P below 1e-3, which are 1,000, and one each .01 of the rest
    inside = found["observed"].between(found["low"], found["high"])
    assert inside.mean() > 0.9
    assert found["expected"].iloc[0] == pytest.approx(np.log10(COUNT + 1))
    assert (found["low"] < found["expected"]).all()
    assert quantiles(np.array([0.5]))["expected"].tolist() == [pytest.approx(np.log10(2))]


def test_a_file_is_reduced(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "chromosome": [1, 1, 23], "base_pair_location": [10, 20, 5], "effect_allele": "A", "other_allele": "C",
            "beta": [0.1, 10.0, 0.2], "standard_error": [0.1, 0.1, 0.05], "effect_allele_frequency": 0.3,
            "p_value": [0.3, 0.0, 6e-5], "rsid": ["rs1", "rs2", "rs3"], "n": 100,
        }
    )  # fmt: skip
    write_summary_statistics(tmp_path / "x.tsv.zst", table)
    scan = read_scan(tmp_path / "x.tsv.zst", secondary_p=1e-4)
    assert scan.candidates["rsid"].tolist() == ["rs2", "rs3"]
    assert scan.points["height"].iloc[1] > 300  # P is less than a double holds: from beta over its error, 100
    assert scan.ends.to_dict() == {1: 20, 23: 5}
