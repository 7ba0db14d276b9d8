"""A web server on this machine that serves a folder, notes every request and misbehaves when told to."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class FileServer:
    """What is served and how.

    Attributes
    ----------
    files : dict
        Path: content.
    faults : dict
        Path: faults, one per request, in order: `truncate` (half the bytes, then the connection closes), `503`,
        `wrong` (other bytes), `hang` (no answer for two seconds), `404`, `http` (a redirect away from https),
        `chunked` (no length, pieces of 100 bytes), `cut` (no length, and only the first line), `endless` (a length of 5000 digits).
    ranges : bool
        False: `Range` is ignored, as RFC 9110 allows.
    requests : list
        Of every request so far: its path and the value of its `Range` header.
    unchanged : list
        Paths that were asked for if changed, and had not.
    versions : dict
        Path: ETag; by default the length.
    moved : dict
        Path: URL that a request for it is redirected to.
    authorization : str
        `Authorization` header without which everything is refused; empty: anybody is served.
    sent : list
        Those headers of every request that had one.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[str]] = field(default_factory=dict)
    ranges: bool = True
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    authorization: str = ""
    sent: list[str] = field(default_factory=list)
    url: str = ""

    def add_folder(self, folder: Path, names: list[str]) -> None:
        for name in names:
            self.files[name] = (folder / name).read_bytes()

    def asked(self, path: str) -> list[str | None]:
        """`Range` headers of the requests for one path."""
        return [header for name, header in self.requests if name == path]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        files: FileServer = self.server.files  # type: ignore[attr-defined]
        path = self.path.lstrip("/")
        asked = self.headers.get("Range")
        authorization = self.headers.get("Authorization", "")
        files.sent += [authorization] if authorization else []
        if files.authorization and authorization != files.authorization:
            self._head(403 if authorization else 401, 0, {})
            return
        version = files.versions.get(path, f'"{len(files.files.get(path, b""))}"')
        if self.headers.get("If-None-Match") == version:
            files.unchanged.append(path)
            self._head(304, None, {"ETag": version})
            return
        files.requests.append((path, asked))
        faults = files.faults.get(path, [])
        fault = faults.pop(0) if faults else None
        if fault == "hang":
            time.sleep(2)
            self.close_connection = True
            return
        if fault == "503":
            self._head(503, 0, {"Retry-After": "0"})
            return
        if path in files.moved:
            self._head(302, 0, {"Location": files.moved[path]})
            return
        if fault == "404" or path not in files.files:
            self._head(404, 0, {})
            return
        if fault == "http":
            self._head(302, 0, {"Location": f"ftp://{self.headers['Host']}/{path}"})
            return
        content = files.files[path]
        status, headers = 200, {"ETag": version}
        condition = self.headers.get("If-Range")
        if asked and files.ranges and condition in {None, version}:
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            status, headers["Content-Range"] = 206, f"bytes {start}-{len(content) - 1}/{len(content)}"
            content = content[start:]
        if fault == "wrong":
            content = bytes(len(content))
        if fault == "chunked":
            self._head(200, None, {"Transfer-Encoding": "chunked"})
            for start in range(0, len(content), 100):
                piece = content[start : start + 100]
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
            return
        if fault == "cut":
            self._head(200, None, headers | {"Connection": "close"})
            self.wfile.write(content[: content.index(b"\n") + 1])
            self.close_connection = True
            return
        if fault == "endless":
            self._head(200, None, headers | {"Content-Length": "9" * 5000, "Connection": "close"})
            self.wfile.write(content)
            self.close_connection = True
            return
        self._head(status, len(content), headers)
        if fault == "truncate":
            content = content[: len(content) // 2]
            self.close_connection = True
        self.wfile.write(content)

    def _head(self, status: int, length: int | None, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | ({} if length is None else {"Content-Length": str(length)})).items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve() -> Iterator[FileServer]:
    """A running server; `url` is its root."""
    files = FileServer()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that gave up
        server.files = files  # type: ignore[attr-defined]
        files.url = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield files
        finally:
            server.shutdown()
            thread.join()
