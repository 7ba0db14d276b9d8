"""`snakemake download`, as the README says it, from a server on this machine."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd
import pytest

from tests.file_server import serve
from tests.pages import commands

pytestmark = pytest.mark.slow


TOKEN = "-".join(("planted", "7f3a9c"))  # in two, for the clone has this file, too


def test_readme_command_fills_the_root_and_leaves_a_users_copy_alone(clone, real_data: Path) -> None:
    command = "snakemake download --configfile config/recipes/ptb-xl-small.yaml"
    assert all(command in commands(clone.root / page) for page in ("README.md", "docs/own-ecgs.md"))
    table = pd.read_csv(real_data / "ptb-xl/ptbxl_database.csv", dtype=str).head(5)
    names = [f"{name}{ending}" for name in table["filename_hr"] for ending in (".hea", ".dat")]
    with serve() as server:
        server.add_folder(real_data / "ptb-xl", [*names, "scp_statements.csv"])
        server.files["ptbxl_database.csv"] = table.to_csv(index=False).encode()
        server.files["records100/00000/00001_lr.hea"] = b"not wanted: the source reads 500 Hz"
        sums = [f"{hashlib.sha256(data).hexdigest()} {name}\n" for name, data in server.files.items()]
        server.files["SHA256SUMS.txt"] = "".join(sums).encode()
        clone.edit("config/sources/ptbxl.yaml", shards=1, download={"url": server.url})
        root = clone.root / "data/ptb-xl"
        server.authorization = f"Bearer {TOKEN}"
        told = {"ECGLFM_DOWNLOAD_PTBXL": TOKEN}

        assert (
            "data/ptb-xl: 12 files, 12 of them fetched now, 0 were there" in clone.run(*command.split(), **told).stdout
        )
        for name in (*names, "scp_statements.csv", "ptbxl_database.csv"):
            assert (root / name).read_bytes() == server.files[name]
        assert not (root / "records100").exists()

        server.requests.clear()
        assert (
            "data/ptb-xl: 12 files, 0 of them fetched now, 12 were there" in clone.run(*command.split(), **told).stdout
        )
        assert server.requests == []
        clone.run(*command.replace("download", "ingest").split(), **told)
        assert len(pd.read_parquet(clone.root / "results/ptb-xl-small/ingest/ptbxl/000.parquet")) == 5

        (root / ".download").rename(root / "put-there-by-hand")
        assert "nothing to download" in clone.run(*command.split(), **told).stdout
        assert server.requests == []
    files = [path for path in clone.root.rglob("*") if path.is_file() and not path.is_symlink()]
    assert any(".snakemake" in path.parts for path in files)
    assert [str(path) for path in files if TOKEN.encode() in path.read_bytes()] == []


def test_no_other_target_downloads(clone) -> None:
    shown = clone.run("snakemake", "-n", "--configfile", "config/recipes/ptb-xl-small.yaml", check=False).stdout
    assert "fetch it with `snakemake download --configfile config/recipes/ptb-xl-small.yaml`" in shown
    assert not (clone.root / "data").exists()
