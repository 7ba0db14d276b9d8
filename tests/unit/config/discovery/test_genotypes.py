"""Where genotypes are named: which files belong together, and what cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.config import UserError
from ecglfm.config.base import parse
from ecglfm.config.discovery import GenotypesConfig


def genotypes(**keys: object) -> GenotypesConfig:
    return parse(GenotypesConfig, keys, "config.yaml")


def test_files_of_a_chromosome(tmp_path: Path):
    bed = genotypes(files="g/c{chromosome}.v1.bed", chromosomes=["7", "X"])
    assert bed.files_of("X") == ["g/cX.v1.bed", "g/cX.v1.bim", "g/cX.v1.fam"]
    bgen = genotypes(files="g/{chromosome}/{chromosome}.bgen", sample="g/all_{chromosome}.sample")
    assert bgen.files_of("7") == ["g/7/7.bgen", "g/all_7.sample"]
    pgen = genotypes(files=f"{tmp_path}/c{{chromosome}}.pgen")
    assert pgen.files_of("1")[1:] == [f"{tmp_path}/c1.pvar", f"{tmp_path}/c1.psam"]
    (tmp_path / "c1.pvar.zst").touch()
    assert pgen.files_of("1")[1] == f"{tmp_path}/c1.pvar.zst"
    assert bed.model_copy(update={"chromosomes": []}).path("7") == "g/c7.v1.bed"


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (
            {"files": "g/c{chromosome}.txt"},
            "name the file that ends in .bed, .pgen or .bgen, found 'g/c{chromosome}.txt'",
        ),
        ({"files": "g/c{chromosome}.vcf.gz"}, "; plink2 --vcf FILE --make-pgen makes .pgen of it"),
        ({"files": "g/c{chromosome}.bcf"}, "; plink2 --bcf FILE --make-pgen makes .pgen of it"),
        ({"files": "g/all.bed"}, "needs `{chromosome}` where there are several"),
        ({"files": "g/c{chromosome}.bgen"}, "`.bgen` needs `sample`"),
        ({"files": "g/c{chromosome}.bed", "sample": "s"}, "nothing else has it"),
    ],
)
def test_mistakes(keys: dict, says: str):
    with pytest.raises(UserError, match=says):
        genotypes(**keys)
