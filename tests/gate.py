"""A gate before a server on this machine: open, shut (connections are refused), or silent (nothing gets through)."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from enum import Enum


class State(Enum):
    OPEN = "open"
    SHUT = "shut"
    SILENT = "silent"


class Gate:
    """Forwards what comes to `port` to another port, or a socket by its path, as long as it is open. Connections that
    are through are cut when it closes or falls silent; new ones then hang."""

    def __init__(self, target: int | str) -> None:
        self._target = target
        self._state = State.OPEN
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listener: socket.socket | None = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def open(self) -> None:
        """Let everything through again."""
        self._cut()
        self._state = State.OPEN
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port))
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def shut(self) -> None:
        """Refuse connections, and cut those that are through."""
        self._state = State.SHUT
        if self._listener is not None:
            # Wakes whoever accepts on it, which closing alone does not.
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self._cut()

    def silence(self) -> None:
        """Cut what is through; take new connections and octets, and let none of them through."""
        self._state = State.SILENT
        self._cut()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
                server = self._reach()
            except OSError:
                return
            self._pairs.append((client, server))
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _reach(self) -> socket.socket:
        if isinstance(self._target, int):
            return socket.create_connection(("127.0.0.1", self._target))
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._target)
        return server

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while octets := source.recv(65536):
                if self._state is State.OPEN:
                    sink.sendall(octets)
            if self._state is State.OPEN:
                sink.shutdown(socket.SHUT_WR)

    def _cut(self) -> None:
        for pair in self._pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
        self._pairs.clear()


@contextlib.contextmanager
def gate_before(target: int | str) -> Iterator[Gate]:
    """An open gate before this port, or socket, of this machine."""
    gate = Gate(target)
    try:
        yield gate
    finally:
        gate.shut()
