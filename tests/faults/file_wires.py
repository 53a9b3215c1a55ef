"""A wire that breaks: a TCP proxy that hangs up after so many bytes, before a server of files or of a database."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass


@dataclass
class Wire:
    """`left`: bytes that the server may still say; None: all. `broke`: whether it did."""

    port: int
    left: int | None = None
    broke: bool = False


@contextmanager
def wire(port: int) -> Iterator[Wire]:
    """A proxy before 127.0.0.1:`port`."""
    door = socket.create_server(("127.0.0.1", 0))
    made = Wire(door.getsockname()[1])
    ends: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                client, _ = door.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", port))
            ends.extend((client, server))
            threading.Thread(target=_pump, args=(client, server, None), daemon=True).start()
            threading.Thread(target=_pump, args=(server, client, made), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield made
    finally:
        for one in (door, *ends):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def _pump(source: socket.socket, sink: socket.socket, wire: Wire | None) -> None:
    with suppress(OSError):
        while data := source.recv(512):
            if wire is not None and wire.left is not None:
                data = data[:wire.left]
                wire.left -= len(data)
                wire.broke = wire.broke or not wire.left
            if data:
                sink.sendall(data)
            if wire is not None and wire.broke:
                break
    for one in (source, sink):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
