"""A database as its home publishes it, on this machine."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from ecglfm.config import DownloadSlice
from ecglfm.sources.download.credentials import advice, auth_of
from ecglfm.sources.download.run import run_download
from ecglfm.sources.download.transfer import Client
from tests.file_server import FileServer


def download(server: FileServer, root: Path, *, connections: int = 2, **options) -> str:
    config = DownloadSlice(source="s", root=str(root), **({"url": server.url} | options))
    client = Client(config.url or "", timeout=0.5, attempts=4, pause=0.01, auth=auth_of(config), advice=advice(config))
    return run_download(config, connections, client)


def content(root: Path) -> dict[str, bytes]:
    files = [path for path in root.rglob("*") if path.is_file() and ".download" not in path.parts]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def zenodo(server: FileServer, **files: bytes) -> str:
    """Serve files as Zenodo's API does, and return the record's URL."""
    server.files |= {f"content/{name}": data for name, data in files.items()}
    entries = [
        {
            "key": name,
            "size": len(data),
            "checksum": f"md5:{hashlib.md5(data).hexdigest()}",
            "links": {"self": f"{server.url}content/{name}"},
        }
        for name, data in files.items()
    ]
    server.files["api/records/4916206"] = json.dumps({"files": entries}).encode()
    return f"{server.url}api/records/4916206"


def figshare(server: FileServer, *articles: dict[str, bytes]) -> str:
    """Serve articles as figshare's API does, and return the URL of a collection of them."""
    page = "?page_size=1000"
    for number, files in enumerate(articles, start=17912441):
        server.files |= {f"files/{number}-{name}": data for name, data in files.items()}
        entries = [
            {
                "id": place,
                "name": name,
                "size": len(data),
                "is_link_only": False,
                "download_url": f"{server.url}files/{number}-{name}",
                "supplied_md5": "",
                "computed_md5": hashlib.md5(data).hexdigest(),
            }
            for place, (name, data) in enumerate(files.items())
        ]
        server.files[f"v2/articles/{number}/files{page}"] = json.dumps(entries).encode()
    listed = [{"id": number, "title": "t"} for number, _ in enumerate(articles, start=17912441)]
    server.files[f"v2/collections/5779802/articles{page}"] = json.dumps(listed).encode()
    return f"{server.url}v2/collections/5779802"


NAMES = [
    "ptbxl_database.csv",
    "scp_statements.csv",
    "records500/00000/00001_hr.hea",
    "records500/00000/00001_hr.dat",
    "records500/00000/00002_hr.hea",
    "records500/00000/00002_hr.dat",
]


def list_files(server: FileServer) -> None:
    listed = sorted((name, data) for name, data in server.files.items() if name != "SHA256SUMS.txt")
    lines = [f"{hashlib.sha256(data).hexdigest()} {name}\n" for name, data in listed]
    server.files["SHA256SUMS.txt"] = "".join(lines).encode()


DAT = "records500/00000/00001_hr.dat"
