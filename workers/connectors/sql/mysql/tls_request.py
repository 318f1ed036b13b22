"""What a client says to a MySQL server before TLS begins.

https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from socket import socket

_HEADER: Final = 4
"""Bytes before each packet: its length in three, and its number."""
_PROTOCOL_41, _SSL, _SECURE_CONNECTION = 1 << 9, 1 << 11, 1 << 15
_LARGEST_PACKET: Final = 1 << 24
"""Bytes, as any client says."""
_UTF8MB4: Final = 45
"""The number of a character set; none is used before the link ends."""


def ask_for_tls(link: socket) -> bool:
    """Whether the server has TLS, which then begins. OSError where it does not speak MySQL's protocol."""
    header = _read(link, _HEADER)
    greeting = _read(link, int.from_bytes(header[:3], "little"))
    # The protocol's number, the version up to a NUL, the connection's id, eight bytes of a nonce, a filler.
    at = greeting.find(b"\0") + 1 + 4 + 8 + 1
    able = int.from_bytes(greeting[at : at + 2], "little")
    if not able & _SSL:
        return False
    flags = _PROTOCOL_41 | _SSL | _SECURE_CONNECTION
    wish = struct.pack("<IIB23x", flags, _LARGEST_PACKET, _UTF8MB4)
    link.sendall(len(wish).to_bytes(3, "little") + bytes([header[3] + 1]) + wish)
    return True


def _read(link: socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = link.recv(size - len(found))
        if not more:
            raise ConnectionError("the server has hung up")
        found += more
    return found
