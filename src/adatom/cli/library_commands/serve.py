"""``adatom library serve``: pages for a browser, read only."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument(
        "--port", type=int, default=8377, metavar="N", help="default: 8377; 0 takes a free one"
    )
    parser.add_argument(
        "--host",
        dest="address",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="where to listen (default: 127.0.0.1, this machine only); whoever reaches another "
        "address sees the whole library",
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve pages until interrupted."""
    from adatom.defects.library.sessions import shown_place
    from adatom.explorer.library_server import LOCAL, LibraryServer

    title = shown_place(arguments.library).rstrip("/").replace("\\", "/").rpartition("/")[2]
    server = LibraryServer(
        arguments.library, host=arguments.address, port=arguments.port, title=title
    )
    with server:
        print(f"{server.url} shows {title}; Ctrl-C ends", flush=True)
        if arguments.address not in LOCAL:
            print("whoever reaches this address sees the whole library", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("ended")
    return 0
