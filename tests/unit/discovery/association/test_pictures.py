"""Pictures of scans: places along the genome, names, and the same bytes of the same numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from ecglfm.discovery.association.pictures import Genome, draw_manhattan, draw_qq, draw_scans, most_loci, together
from ecglfm.discovery.association.scan import Scan, quantiles, thinned
from tests.unit.discovery.association.test_loci import leads

NONE = leads().iloc[:0].assign(locus=0, nearest_gene="")


def scan(seed: int) -> Scan:
    rng = np.random.default_rng(seed)
    points = pd.DataFrame(
        {"chromosome": np.repeat([1, 2, 23], 100), "base_pair_location": np.tile(np.arange(1, 101) * 10, 3)}
    ).assign(height=-np.log10(rng.random(300)))
    ends = points.groupby("chromosome")["base_pair_location"].max()
    return Scan(points.iloc[:0], thinned(points), quantiles(points["height"].to_numpy()), ends)


def test_chromosomes_lie_one_behind_the_other() -> None:
    genome = Genome({"a": pd.Series({1: 100, 23: 50}), "b": pd.Series({1: 90, 2: 200})})
    points = pd.DataFrame({"chromosome": [1, 2, 23], "base_pair_location": [7, 7, 7]})
    assert genome.x(points).tolist() == [7, 107, 307]


def test_the_highest_of_several_scans_is_drawn() -> None:
    one = pd.DataFrame({"chromosome": [1, 1], "base_pair_location": [5, 900], "height": [4.0, 5.0]})
    both = together([one, one.assign(height=[6.0, 3.5])])
    assert both["height"].tolist() == [6.0, 5.0]
    assert len(together([])) == 0


def test_of_many_scans_a_point_is_kept_once_and_no_more_than_are_seen() -> None:
    rng, parts = np.random.default_rng(0), []
    for _ in range(6):
        places, height = rng.integers(1, 10**9, 20_000), -np.log10(rng.random(20_000))
        parts.append(thinned(pd.DataFrame({"chromosome": 1, "base_pair_location": places, "height": height})))
    both = together(parts)
    assert not both.duplicated().any()
    highest = pd.concat(parts).groupby(["chromosome", "base_pair_location"], as_index=False)["height"].max()
    assert len(both) < len(highest)
    pd.testing.assert_frame_equal(both, thinned(highest))


def test_lines_points_and_names() -> None:
    loci = leads().assign(locus=shared(), nearest_gene=["SCN5A", "SCN5A", None, None, "x"])
    axes = Figure().subplots()
    draw_manhattan(axes, scan(1).points, Genome({"a": scan(1).ends}), threshold=1e-9, loci=loci, title="t")
    heights = [line.get_ydata()[0] for line in axes.lines]
    assert heights == [pytest.approx(-np.log10(5e-8)), pytest.approx(9)]
    assert {text.get_text() for text in axes.texts} >= {"SCN5A", "c", "d"}  # one of each locus; without a gene the id
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1", "2", "X"]


def test_names_stand_at_their_points_beyond_what_a_double_holds() -> None:
    loci = leads().assign(locus=[1, 2, 3, 4, 5], nearest_gene=None, p_value=0.0)
    loci["beta"] = [0.5, 0.7, 0.4, 0.8, 0.6]  # by a standard error of 0.01
    points = scan(1).points
    axes = Figure().subplots()
    draw_manhattan(axes, points, Genome({"a": scan(1).ends}), threshold=1e-9, loci=loci, title="t")
    placed = {text.get_text(): text.xy[1] for text in axes.texts if text.get_text() in "abcde"}
    assert list(placed) == ["d", "b", "e", "a", "c"]  # the strongest first
    assert placed["d"] == pytest.approx(1391.7435, abs=0.001)  # z of 80: (3200 - log(2 / (80 sqrt(2 pi)))) / log(10)
    assert most_loci(loci.assign(locus=1), ["edf_0001", "edf_0002", "edf_0003"]) == ["edf_0003", "edf_0002"]


def test_of_many_scans_those_with_loci_have_a_name() -> None:
    scans = {f"edf_{number}": scan(number).quantiles for number in range(9)}
    axes = Figure().subplots()
    inflation = pd.Series({name: 1 + at / 100 for at, name in enumerate(scans)})
    draw_qq(axes, scans, inflation, named=["edf_7", "edf_2", "gone"])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["edf_7, λ 1.070", "edf_2, λ 1.020"]
    assert axes.get_title(loc="left") == "9 traits, λ 1.000 to 1.080, median 1.040"
    assert len([part for part in axes.collections if part.get_label().startswith("_")]) == 7 + 1  # and the band


def shared() -> list[int]:
    return [1, 1, 2, 3, 1]


def test_the_two_with_most_loci() -> None:
    loci = leads().assign(locus=shared())
    assert most_loci(loci, ["edf_0003", "edf_0002", "edf_0001", "edf_0004"]) == ["edf_0001", "edf_0002"]
    assert most_loci(NONE, ["b", "a", "c"]) == ["a", "b"]


@pytest.mark.parametrize("count", [0, 1, 2, 8])
def test_any_number_of_features_is_drawn_the_same_twice(tmp_path: Path, count: int) -> None:
    scans = {f"edf_{number}": scan(number) for number in range(count)}
    inflation = pd.Series(dict.fromkeys(scans, 1.0), dtype=float)
    for name in ("once", "again"):
        draw_scans(scans, NONE, inflation, tmp_path / name, threshold=1e-9)
    files = sorted(str(path.relative_to(tmp_path / "once")) for path in (tmp_path / "once").rglob("*.png"))
    assert files == ["manhattan.png", "miami.png", "qq.png", *(f"scans/{name}.png" for name in sorted(scans))]
    assert all((tmp_path / "once" / name).read_bytes() == (tmp_path / "again" / name).read_bytes() for name in files)
