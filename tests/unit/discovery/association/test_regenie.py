"""regenie was not run here: what is held are its command lines and the form of its files, by its documentation."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.config.discovery import RegenieConfig
from ecglfm.discovery.association import Design, read_design, run_step1, run_step2
from ecglfm.discovery.association.merge import read_association
from ecglfm.provenance import read_json
from tests.unit.discovery.association.programs import regenie
from tests.unit.discovery.association.test_design import people


@pytest.fixture
def design(tmp_path: Path) -> Design:
    return read_design(*people(tmp_path))


def told(folder: Path, temporary: str) -> str:
    """The command line, with the temporary folder that it wrote into as OUT."""
    words = (folder / "regenie.said").read_text().split("\n")[:-1]
    out = Path(words[words.index("--out") + 1]).parent
    assert out.parent.name.startswith(f".{temporary}.")
    return " ".join(words).replace(str(out), "OUT").replace(str(folder), "WORK")


def test_step_1(tmp_path: Path, design: Design, monkeypatch: pytest.MonkeyPatch) -> None:
    """Into a relative path, as the workflow has them: regenie's list has absolute ones."""
    monkeypatch.chdir(tmp_path)
    output = Path("predictions")
    run_step1(regenie(tmp_path), tmp_path / "structure", design, output, config=RegenieConfig(), threads=8)
    assert told(tmp_path, "predictions") == (
        "--step 1 --qt --bed WORK/structure/pruned --keep OUT/keep.txt --phenoFile OUT/traits.tsv"
        " --covarFile OUT/covariates.tsv --bsize 1000 --lowmem --lowmem-prefix OUT/blocks --threads 8 --gz --out OUT/step1"
    )
    assert (output / "traits.tsv").read_text().startswith("FID\tIID\tedf_0001")  # `#FID` it refuses
    assert (output / "keep.txt").read_text().startswith("fp1\tp1\n")  # without a header
    # its list says where predictions are, and that was another folder while it ran
    assert (output / "step1_pred.list").read_text() == f"edf_0001 {tmp_path}/predictions/step1_1.loco.gz\n"
    assert (output / "step1_1.loco.gz").exists()


def test_step_2(tmp_path: Path, design: Design) -> None:
    output, config = tmp_path / "1", RegenieConfig(step2_block=200, min_mac=20)
    arguments = tmp_path / "genotypes", tmp_path / "predictions", design, output
    run_step2(regenie(tmp_path), *arguments, config=config, threads=4)
    assert told(tmp_path, "1") == (
        "--step 2 --qt --pgen WORK/genotypes/all --phenoFile OUT/traits.tsv --covarFile OUT/covariates.tsv"
        " --pred WORK/predictions/step1_pred.list --bsize 200 --minMAC 20 --threads 4 --gz --out OUT/step2"
    )
    assert sorted(path.name for path in output.iterdir()) == ["association.json", "edf_0001.regenie.gz"]
    assert read_json(output / "association.json")["engine"] == "regenie"


def test_its_table_is_read(tmp_path: Path, design: Design) -> None:
    """ALLELE1 is the tested one; what it could not test, or names no bases, is left out."""
    output = tmp_path / "1"
    run_step2(regenie(tmp_path), tmp_path, tmp_path, design, output, config=RegenieConfig())
    table = read_association(output / "edf_0001.regenie.gz")
    assert table.to_dict("records") == [
        {
            "chromosome": 1, "base_pair_location": 100, "effect_allele": "A", "other_allele": "C", "beta": 0.5,
            "standard_error": 0.1, "effect_allele_frequency": 0.3, "p_value": pytest.approx(10**-6.24), "rsid": "rs1",
            "n": 98, "info": 1.0,
        }
    ]  # fmt: skip
