"""Stands in the place of regenie: notes its arguments and writes files of its form."""

from __future__ import annotations

from pathlib import Path

#: Its header is that of regenie 3's step 2, of a quantitative trait.
_SCRIPT = """#!/bin/sh
printf '%s\\n' "$@" > "$0.said"
while [ $# -gt 0 ]; do case $1 in --out) out=$2;; --step) step=$2;; esac; shift; done
if [ "$step" = 1 ]; then
    echo x > "${out}_1.loco.gz"; echo "edf_0001 $(realpath "${out}_1.loco.gz")" > "${out}_pred.list"
else
    { echo "CHROM GENPOS ID ALLELE0 ALLELE1 A1FREQ INFO N TEST BETA SE CHISQ LOG10P EXTRA"
      echo "1 100 rs1 C A 0.3 1 98 ADD 0.5 0.1 25 6.24 NA"
      echo "1 200 rs2 C A 0.3 1 98 ADD NA NA NA NA TEST_FAIL"
      echo "1 300 rs3 C <DEL> 0.3 1 98 ADD 0.1 0.1 1 0.5 NA"; } | gzip -n > "${out}_edf_0001.regenie.gz"
fi
"""


def regenie(folder: Path) -> str:
    """A program to call; what it was told is in `regenie.said`, a word a line."""
    path = folder / "regenie"
    path.write_text(_SCRIPT)
    path.chmod(0o755)
    return str(path)
