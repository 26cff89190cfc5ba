"""The socket that a server listens on, opened before anything is loaded."""

from __future__ import annotations

import socket


def listen(port: int, host: str = "127.0.0.1") -> socket.socket:
    """A socket at ``host``, by default this machine's own address; 0 takes a free port.

    ``ValueError`` if it can't be had.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise ValueError(
            f"no address of this machine is called {host!r} ({error.strerror}): give 127.0.0.1, "
            "or 0.0.0.0 for all"
        ) from error
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # An answer goes out in two parts, head and body. Without this the second waits until the first
    # is acknowledged, 40 ms later. Connections have it from here: asyncio sets it only where the
    # socket was made with the protocol's number.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listening.bind(address)
        listening.listen()  # who comes before the server is up waits
    except OSError as error:
        listening.close()
        raise ValueError(
            f"port {port} can't be had ({error.strerror}): is another one running? --port 0 takes "
            "a free one"
        ) from error
    return listening
