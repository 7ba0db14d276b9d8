"""One page of a small random model, in a thread of its own, for all tests that ask it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import ecglfm
from ecglfm.app.page.server import PageServer
from ecglfm.app.prediction import Predictor
from ecglfm.data.samples import Held
from ecglfm.models.conformal import Conformal
from ecglfm.models.reference import Reference
from ecglfm.training.inference import predict_described
from tests.unit.app.prediction.test_predict import make_model, write_wfdb

BOUNDARY = "----abc'123"


def body_of(*parts: tuple[str, str | None, bytes]) -> bytes:
    """A form as browsers write it: field, file name, content."""
    pieces = []
    for name, filename, content in parts:
        named = "" if filename is None else f'; filename="{filename}"\r\nContent-Type: application/octet-stream'
        pieces.append(
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode() + content
        )
    return b"\r\n".join([*pieces, f"--{BOUNDARY}--\r\n".encode()])


def recording(which: str, path: Path) -> list[tuple[str, str | None, bytes]]:
    """Parts with the two files of a WFDB record."""
    return [(which, f"{path.name}{ending}", path.with_name(f"{path.name}{ending}").read_bytes())
            for ending in (".hea", ".dat")]  # fmt: skip


class Page(NamedTuple):
    """The server, its model, and two recordings."""

    server: PageServer
    predictor: Predictor
    ecgs: list[Path]

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of an answer; a header that is empty is not sent."""
        sent = {"Host": f"127.0.0.1:{self.server.port}"}
        if method == "POST":
            sent |= {"Origin": self.server.url.rstrip("/"), "Content-Length": str(len(body)),
                     "Content-Type": f'multipart/form-data; boundary="{BOUNDARY}"'}  # fmt: skip
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        connection.putrequest(method, path, skip_host=True)
        for name, value in sent.items():
            if value:
                connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        found = answer.status, dict(answer.getheaders()), answer.read()
        connection.close()
        return found

    def post(self, *parts: Any, path: str = "/") -> tuple[int, str]:
        """Status and text of the answer to a form."""
        status, _, body = self.ask("POST", path, body_of(*parts))
        return status, body.decode("utf-8", "replace")


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A model of two labels with sets, and a reference that calls noise unlike its training."""
    folder = tmp_path_factory.mktemp("page")
    ecgs = [write_wfdb(folder / "ecgs", f"r{k}", seed=k) for k in range(8)]
    model = ecglfm.load_model(make_model(folder / "model"))
    model.conformal = Conformal(0.9, (0.5, None), (0.6, None), (20, 2), (20, 20))
    model.reference = Reference(16, 12)
    predictor = Predictor([model])
    signals = [predictor.prepare(ecglfm.read_record(path)).signal for path in ecgs]
    _, numbers = predict_described(model, Held(signals))
    model.reference.fit(numbers)
    model.reference.choose(numbers, [{"einthoven_residual"}] * 8, np.arange(8).astype(str), 0.05)
    with PageServer(predictor, "tiny/t/full-s0", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Page(server, predictor, ecgs[:2])
        server.shutdown()
        thread.join()


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where uploads go while this test runs, and nothing else does."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder
