"""Pages of a library: what they show, what is refused, and others writing meanwhile."""

from __future__ import annotations

import http.client
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from simulated_defects import simulated_defects, simulated_picture

from adatom.defects.library import add_defects, open_library
from adatom.errors import SettingError, StoreError
from adatom.explorer.addresses import address
from adatom.explorer.library_server import LibraryServer

EVIL = "<script>alert(1)</script>"


class Answer(NamedTuple):
    """What a server answered."""

    status: int
    text: str
    headers: dict[str, str]


def ask(
    server: LibraryServer, target: str, *, method: str = "GET", host: str = "localhost"
) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=120)
    try:
        connection.putrequest(method, target, skip_host=True)
        connection.putheader("Host", host)
        connection.endheaders()
        answer = connection.getresponse()
        return Answer(answer.status, answer.read().decode(), dict(answer.getheaders()))
    finally:
        connection.close()


@contextmanager
def serve(place: Path, *, title: str = "Library") -> Iterator[LibraryServer]:
    with LibraryServer(str(place), title=title) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


# Pages change nothing, and so share one library.
@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LibraryServer]:
    """Serve a library of 30 defects, one of them with a name that is made to do harm."""
    place = tmp_path_factory.mktemp("served") / "defects.db"
    with open_library(place, create=True) as library:
        names = ["Si1C3"] * 24 + ["V1"] * 3 + ["Si2C6"] * 2
        add_defects(library, simulated_defects(names, seed=1), simulated_picture(seed=1))
        found = simulated_defects(["Si1C4"], seed=2)
        found.defects["name"] = ("site", [EVIL])
        add_defects(library, found, simulated_picture(seed=2), source=f"{EVIL}.tif")
    (place.parent / "secret.txt").write_text("secret")
    with serve(place, title=f"{EVIL}.db") as made:
        yield made


def test_the_atlas_shows_every_class_with_links(server: LibraryServer) -> None:
    page = ask(server, "/")
    assert page.status == 200
    assert "30 defects of 4 classes in 2 images." in page.text
    assert page.text.count("data:image/png") == 4
    (link,) = re.findall(r'<a href="(/class[^"]*)">Si1C3<', page.text)
    one = ask(server, link.replace("&amp;", "&"))
    assert one.status == 200
    assert "Seen 24 times in one image" in one.text
    members = re.findall(r'<a href="(/search\?class=[^"]*)">', one.text)
    assert "24 defects found" in ask(server, members[0].replace("&amp;", "&")).text


def test_a_search_lists_and_draws_and_has_pages(server: LibraryServer) -> None:
    found = ask(server, address("/search", formula="Si>=1", confidence="0.01"))
    assert "27 defects found." in found.text
    assert "page 1 of 2" in found.text
    assert found.text.count('href="/defect/') == 24
    assert found.text.count("data:image/png") == 1
    assert 'value="Si&gt;=1"' in found.text
    (after,) = re.findall(r'<a href="([^"]*)" rel="next"', found.text)
    second = ask(server, after.replace("&amp;", "&"))
    assert second.text.count('href="/defect/') == 3
    assert "No defect fulfils this." in ask(server, "/search?name=Si9C9").text


def test_a_defect_has_a_page_with_atoms_and_bonds(server: LibraryServer) -> None:
    page = ask(server, "/defect/1")
    assert page.status == 200
    for told in ("Defect 1: Si1C3", "substitution in graphene", "neighbor", "C-Si-C", "data:image"):
        assert told in page.text


@pytest.mark.parametrize(
    ("target", "status", "told"),
    [
        ("/search?formula=zz", 400, "neither a composition such as Si1C3"),
        ("/search?kind=odd", 400, "is none of"),
        ("/search?class=xyz", 400, "is no hash"),
        ("/search?what=1", 400, "is no parameter of this page"),
        ("/search?page=7", 404, "There is no page 7: the list has 2."),
        ("/?page=7", 404, "There is no page 7: the list has 1."),
        ("/defect/999", 404, "holds no defect 999"),
        ("/class?host=graphene&key=00", 404, "no class"),
        ("/favicon.ico", 404, "no such page"),
    ],
)
def test_what_cannot_be_shown_is_told(
    server: LibraryServer, target: str, status: int, told: str
) -> None:
    answer = ask(server, target)
    assert answer.status == status
    assert told in answer.text


@pytest.mark.parametrize(
    "target",
    [
        "/secret.txt", "/../secret.txt", "/..%2fsecret.txt", "/%2e%2e/secret.txt", "//secret.txt",
        "/defect/../../secret.txt", "/defects.db", "/defects.zarr/", "/search/../secret.txt",
        "file:///etc/passwd", "/etc/passwd",
    ],
)  # fmt: skip
def test_no_file_is_reached(server: LibraryServer, target: str) -> None:
    answer = ask(server, target)
    assert answer.status == 404
    assert "secret\n" not in answer.text
    assert "root:" not in answer.text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "ODD"])
def test_only_get_is_answered(server: LibraryServer, method: str) -> None:
    answer = ask(server, "/", method=method)
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET"


def test_a_page_under_another_name_does_not_read_from_us(server: LibraryServer) -> None:
    assert ask(server, "/search", host="elsewhere.example:8377").status == 403
    for name in ("127.0.0.1", "LOCALHOST:8377", "[::1]:8377"):
        assert ask(server, "/defect/1", host=name).status == 200


def test_texts_of_a_library_and_of_an_address_are_escaped(server: LibraryServer) -> None:
    for target in (
        "/", "/search", "/defect/30", address("/search", name=EVIL),
        address("/search", **{EVIL: "1"}), address("/class", host=EVIL, key='"><img src=x>'),
    ):  # fmt: skip
        answer = ask(server, target)
        assert "<script" not in answer.text
        assert "<img src=x" not in answer.text
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; img-src data:;")


def test_what_is_no_request_is_answered_with_escaped_words(server: LibraryServer) -> None:
    port = server.server_address[1]
    with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
        line.sendall(f"GET {EVIL} {EVIL} {EVIL} HTTP/1.1\r\n\r\n".encode())
        told = b"".join(iter(lambda: line.recv(65536), b"")).decode()
    assert " 400 " in told.splitlines()[0]
    assert "<script" not in told


def test_pages_are_read_while_others_write(tmp_path: Path) -> None:
    place = tmp_path / "defects.db"
    with open_library(place, create=True) as library:
        add_defects(library, simulated_defects(["Si1C3"], seed=0))
    ended = threading.Event()

    def write() -> None:
        with open_library(place) as library:
            for seed in range(1, 26):
                add_defects(library, simulated_defects(["Si1C3", "V1"], seed=seed))
        ended.set()

    statuses: list[int] = []
    counts: list[int] = []
    with serve(place) as server:

        def read(target: str) -> None:
            while True:
                last = ended.is_set()
                answer = ask(server, target)
                statuses.append(answer.status)
                if target == "/search":
                    counts.append(int(re.findall(r"(\d+) defects found", answer.text)[0]))
                if last:
                    return

        threads = [
            threading.Thread(target=read, args=(target,))
            for target in ("/", "/search", "/search?name=V*", "/defect/1")
        ]
        threads.append(threading.Thread(target=write))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # A page that was kept is not shown when the library has changed.
        assert "51 defects" in ask(server, "/").text
    assert set(statuses) == {200}
    assert counts == sorted(counts)
    assert counts[-1] == 51


def test_lost_pictures_are_told_and_the_rest_is_shown(tmp_path: Path) -> None:
    place = tmp_path / "defects.db"
    with open_library(place, create=True) as library:
        add_defects(library, simulated_defects(["Si1C3"], seed=1), simulated_picture(seed=1))
    shutil.rmtree(tmp_path / "defects.zarr")
    with serve(place) as server:
        assert "pictures or calculations are lost" in ask(server, "/").text
        assert "the library has no image of them" in ask(server, "/defect/1").text
        assert "Of 1 the library has no image" in ask(server, "/search").text


def test_a_library_that_is_gone_is_told_without_its_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "defects.db"
    with open_library(place, create=True):
        pass
    with serve(place) as server:
        assert "0 defects of 0 classes" in ask(server, "/").text
        place.unlink()
        answer = ask(server, "/")
        assert answer.status == 503
        assert str(tmp_path) not in answer.text
    assert "there is no library" in capsys.readouterr().err


def test_what_cannot_be_served_is_told(tmp_path: Path, server: LibraryServer) -> None:
    with pytest.raises(StoreError, match="there is no library"):
        LibraryServer(str(tmp_path / "none.db"))
    port = server.server_address[1]
    with pytest.raises(SettingError, match=f"port {port}: .*try another one by --port"):
        LibraryServer(server.place, port=port)
    with pytest.raises(SettingError, match="--port"):
        LibraryServer(server.place, port=70_000)


def test_the_command_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    place = tmp_path / "defects.db"
    with open_library(place, create=True) as library:
        add_defects(library, simulated_defects(["Si1C3"], seed=1))
    command = [sys.executable, "-m", "adatom", "library", "serve", str(place), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        (port,) = re.findall(r"^http://127\.0\.0\.1:(\d+)/ shows defects\.db", line)
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=60)
        connection.request("GET", "/search")
        assert "1 defects found" in connection.getresponse().read().decode()
        connection.close()
        process.terminate()
