"""A server of the pages of a library of defects, for the browser of the same machine."""

from __future__ import annotations

import socket
import threading
from collections import OrderedDict
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from adatom.defects.library.opening import Library, open_library
from adatom.errors import SettingError, StoreError
from adatom.explorer.addresses import Asked, read_address
from adatom.explorer.library_pages import MissingPageError, page_of_error, page_of_library

LOCAL: Final = ("127.0.0.1", "localhost", "::1")
"""Names of this machine, by which no other one reaches the server."""

_SECONDS: Final = 20.0
"""How long a question may take; of a hundred thousand defects the longest takes a third."""
_IDLE_SECONDS: Final = 30.0
_KEPT: Final = 32
_HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class LibraryServer(ThreadingHTTPServer):
    """A server that gives pages of one library and changes nothing.

    A page is one of those of `library_pages`: no address leads to a file. Every
    request opens the library anew, to read only; so others may write meanwhile.

    Parameters
    ----------
    place : str
        Of the library.
    host : str
        Address to listen at. The default is reached from this machine only.
    port : int
        0 takes one that is free.
    title : str
        Of the pages.

    Raises
    ------
    StoreError
        If there is no library.
    SettingError
        If the address cannot be listened at.
    """

    daemon_threads = True

    def __init__(
        self, place: str, /, *, host: str = "127.0.0.1", port: int = 0, title: str = "Library"
    ) -> None:
        open_library(place).close()
        self.place, self.title = place, title
        self.is_local = host in LOCAL
        self._pages: OrderedDict[tuple[Any, ...], bytes] = OrderedDict()
        # Figures are drawn one at a time: two at once need twice the memory, and no less time.
        self._drawing = threading.Lock()
        if ":" in host:
            self.address_family = socket.AF_INET6
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            msg = f"cannot listen at {host}, port {port}: {reason}; try another one by --port"
            raise SettingError(msg) from error

    @property
    def url(self) -> str:
        """Address of the first page."""
        host, port = self.server_address[:2]
        name = f"[{host!s}]" if ":" in str(host) else str(host)
        return f"http://{name}:{port}/"

    def page(self, asked: Asked, /) -> bytes:
        """Give a page, drawn anew where the library has changed."""
        with open_library(self.place) as library:
            library.session.limit_to_reading(max_seconds=_SECONDS)
            key = (asked.page, asked.number, *sorted(asked.texts.items()), *_state(library))
            with self._drawing:
                page = self._pages.pop(key, None)
                if page is None:
                    page = page_of_library(library, asked, title=self.title).encode()
                self._pages[key] = page
                while len(self._pages) > _KEPT:
                    self._pages.popitem(last=False)
        return page


def _state(library: Library) -> tuple[Any, ...]:
    """Give numbers that change with whatever a page shows."""
    images = library.session.rows(
        "SELECT COUNT(*), MAX(id), SUM(id * is_current) FROM adatom_images"
    )
    computed = library.session.rows("SELECT COUNT(*), MAX(id) FROM adatom_calculations")
    return (*images[0], *computed[0])


class _Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: LibraryServer
    server_version = "adatom"
    sys_version = ""
    # Of a connection on which nothing is sent.
    timeout = _IDLE_SECONDS

    def do_GET(self) -> None:
        """Answer with a page."""
        if self.server.is_local and not self._is_asked_locally():
            # A page from elsewhere may have given its own name our address, to read from us.
            told = "This server answers to the names of this machine only."
            self._fail(HTTPStatus.FORBIDDEN, told)
            return
        try:
            asked = read_address(self.path)
            if asked is None:
                self._fail(HTTPStatus.NOT_FOUND, "There is no such page: the atlas leads to all.")
                return
            page = self.server.page(asked)
        except SettingError as error:
            self._fail(HTTPStatus.BAD_REQUEST, str(error))
        except MissingPageError as error:
            self._fail(HTTPStatus.NOT_FOUND, str(error))
        except StoreError as error:
            self.log_error("%s", error)
            told = "The library cannot be read now; the terminal of the server says why."
            self._fail(HTTPStatus.SERVICE_UNAVAILABLE, told)
        except Exception:
            self._fail(HTTPStatus.INTERNAL_SERVER_ERROR, "The page cannot be made.")
            raise
        else:
            self._send(HTTPStatus.OK, page)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no request of a page, of which the base class knows the reason."""
        status = HTTPStatus(code)
        if status is HTTPStatus.NOT_IMPLEMENTED:
            refused = HTTPStatus.METHOD_NOT_ALLOWED
            self._fail(refused, "Pages are read by GET only.", Allow="GET")
        else:
            self._fail(status, explain or message or status.description)

    def _is_asked_locally(self) -> bool:
        name = self.headers.get("Host", "").lower()
        host, _, port = name.rpartition(":")
        if not port.isdecimal():
            host = name
        return host.strip("[]") in LOCAL

    def _fail(self, status: HTTPStatus, told: str, **headers: str) -> None:
        heading = f"{status.value} {status.phrase}"
        page = page_of_error(told, title=self.server.title, heading=heading)
        self._send(status, page.encode(), **headers)

    def _send(self, status: HTTPStatus, page: bytes, **headers: str) -> None:
        # The reader may have gone.
        with suppress(ConnectionError):
            self.send_response(status)
            for name, value in {**_HEADERS, **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(page)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Say nothing of what went well."""
