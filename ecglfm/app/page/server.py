"""The page's server: this machine alone, one model, one question at a time, nothing kept.

A browser with other pages open is the way in from outside: a page elsewhere may send forms to this address (`Origin` is
checked), or make its own name point here (`Host` is checked). The page has no script, and its policy allows none.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import re
import signal
import socketserver
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, NamedTuple

from ecglfm.app.page.form import MAX_BODY, MAX_BYTES, Form, PageError, hidden, read_form
from ecglfm.app.page.view import LIKELIEST, NONE, NOTICE, answer
from ecglfm.app.prediction import Predictor
from ecglfm.config import UserError
from ecglfm.evaluation.report import environment

logger = logging.getLogger(__name__)

_SECONDS = 60  # that a browser may be silent
_DRAINED = 16 * MAX_BODY  # of a body that is too large: a browser reads the answer only when it has sent it
_HTML, _PDF = "text/html; charset=utf-8", "application/pdf"


class PageServer(socketserver.ThreadingTCPServer):
    """Listens on 127.0.0.1.

    Parameters
    ----------
    predictor : Predictor
        Of one model.
    name : str
        What the page calls it.
    port : int
        0: any that is free; `url` says which.

    Raises
    ------
    UserError
        The port is not free.
    """

    allow_reuse_address = True
    daemon_threads = True  # browsers keep a connection open that they may need; the end waits for none of those

    def __init__(self, predictor: Predictor, name: str, port: int) -> None:
        self._predictor, self._name = predictor, name
        self._asking = threading.Lock()
        templates = environment()
        self._template = templates.get_template("app.html.j2")
        self._style = templates.get_template("app.css.j2").render()
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except OSError as error:
            raise UserError(f"--port {port}: {error.strerror}; take another one, or 0 for any that is free") from None
        self.port = int(self.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}/"
        self.hosts = {f"{host}:{self.port}" for host in ("127.0.0.1", "localhost")}
        digest = base64.b64encode(hashlib.sha256(self._style.encode()).digest()).decode()
        self.policy = (
            f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; form-action 'self'; base-uri 'none'; "
            "frame-ancestors 'none'"
        )

    def server_close(self) -> None:
        """Wait for the answer that is under way, whose folder is deleted, let none begin, and close."""
        self._asking.acquire()
        super().server_close()

    def page(self, form: Form | None = None, *, error: str = "") -> bytes:
        """The page: the form alone, or with what the model says of the recordings of a form; raises `PageError`."""
        model = self._predictor.models[0]
        shown: dict[str, Any] = {
            "style": self._style, "notice": NOTICE, "error": error, "model": self._name, "answer": None,
            "labels": model.label_names, "chosen": LIKELIEST, "likeliest": LIKELIEST, "nothing": NONE,
            "has_classes": model.link.kind.has_classes, "hidden": [], "limit": MAX_BYTES // 2**20,
        }  # fmt: skip
        if form is not None:
            with self._asking:
                shown["answer"] = answer(self._predictor, form).shown()
            kept = [(which, value) for which, files in form.files.items() for value in hidden(files)]
            kept += [(name, form.fields[name]) for name in ("now_exam", "before_exam") if form.fields.get(name)]
            shown |= {"hidden": kept, "chosen": shown["answer"]["explained"] or NONE}
        return self._template.render(shown).encode()

    def pdf(self, form: Form) -> tuple[bytes, str]:
        """The answer as PDF, and a name for the file; raises `PageError`."""
        with self._asking:
            found = answer(self._predictor, form)
            content = found.pdf(self._name)
        return content, f"{re.sub(r'[^A-Za-z0-9_-]+', '-', found.now.subject.name)[:60]}.pdf"


class _Sent(NamedTuple):
    """An answer of HTTP; `saved_as` names what a browser saves instead of showing it."""

    content: bytes
    status: int = 200
    kind: str = _HTML
    saved_as: str = ""


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    _unread = 0  # bytes of the body
    server_version, sys_version = "ecglfm", ""
    timeout = _SECONDS

    def do_GET(self) -> None:
        """Send the form."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """Answer a form."""
        self._answer(self._post)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing about who asked what is kept."""

    def _answer(self, how: Callable[[], _Sent]) -> None:
        try:
            self._send(self._sent(how))
        except (TimeoutError, ConnectionError):
            self.close_connection = True  # whoever asked has gone

    def _sent(self, how: Callable[[], _Sent]) -> _Sent:
        """What `how` answers, or a sentence that says why not."""
        try:
            if self.headers.get_all("Host", []) not in [[host] for host in self.server.hosts]:
                raise PageError(f"This page is at {self.server.url} and under no other name.", 403)
            return how()
        except PageError as error:
            self._drain()
            return _Sent(self.server.page(error=str(error)), error.status)
        except (TimeoutError, ConnectionError):
            raise
        except Exception:  # our own fault, which one recording must not make everybody's
            logger.exception("the page could not answer")
            return _Sent(self.server.page(error="This went wrong here; the console says where."), 500)

    def _get(self) -> _Sent:
        if self.path != "/":
            raise PageError("There is no such page.", 404)
        return _Sent(self.server.page())

    def _post(self) -> _Sent:
        self._unread = self._length()
        if self.headers.get_all("Origin", []) not in [[f"http://{host}"] for host in self.server.hosts]:
            raise PageError("The form did not come from this page.", 403)
        if self.path not in {"/", "/pdf"}:
            raise PageError("There is no such page.", 404)
        form = read_form(self.headers.get("Content-Type", ""), self._body())
        if self.path == "/":
            return _Sent(self.server.page(form))
        content, name = self.server.pdf(form)
        return _Sent(content, kind=_PDF, saved_as=name)

    def _length(self) -> int:
        stated = self.headers.get("Content-Length", "")
        if not re.fullmatch(r"[0-9]{1,15}", stated):
            raise PageError("The request does not say how long it is.", 411)
        return int(stated)

    def _body(self) -> bytes:
        length = self._unread
        if length > MAX_BODY:
            raise PageError(f"The files are larger than {MAX_BYTES // 2**20} MB; `ecglfm predict` takes them.", 413)
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionError
        self._unread = 0
        return body

    def _drain(self) -> None:
        """Take what else a browser sends, up to a limit: it reads no answer before."""
        left = min(self._unread, _DRAINED)
        while left > 0 and (piece := self.rfile.read(min(left, 2**16))):
            left -= len(piece)

    def _send(self, sent: _Sent) -> None:
        self.send_response(sent.status)
        headers = {
            "Content-Type": sent.kind, "Content-Length": str(len(sent.content)),
            "Content-Security-Policy": self.server.policy, "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin", "Cache-Control": "no-store",
            "Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
        }  # fmt: skip
        if sent.saved_as:
            headers["Content-Disposition"] = f'attachment; filename="{sent.saved_as}"'
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(sent.content)


def run_page(model: Path, *, port: int, threads: int = 1, at: Sequence[float] = ()) -> None:
    """Serve the page of a model until Ctrl-C or SIGTERM.

    Parameters
    ----------
    model : path
        Folder that `finetune` wrote.
    port : int
        On 127.0.0.1; 0: any that is free.
    threads : int
        Of torch.
    at : sequence of float
        Times at which a survival model says a risk.

    Raises
    ------
    UserError
        The model cannot be read or says no risk at these times, or the port is not free.
    """
    with PageServer(Predictor.load([model], threads=threads, at=at), _name(model), port) as server:

        def end(*_: object) -> None:
            """Ask the loop to end: an exception would fall into the middle of a connection that is being taken."""
            signal.signal(signal.SIGINT, signal.default_int_handler)  # who asks again waits for no answer
            threading.Thread(target=server.shutdown, daemon=True).start()

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, end)
        logger.info("%s: open it in a browser; Ctrl-C ends it", server.url)
        server.serve_forever(poll_interval=0.1)
        logger.info("ended")


def _name(model: Path) -> str:
    """Encoder, task and fit of a model's folder, without the rest of the path."""
    return "/".join(model.absolute().parts[-3:])
