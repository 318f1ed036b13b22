"""What a login to SQL Server says of the one who logs in (MS-TDS 2.2.6.4)."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Final

from pytds import tds_base

from workers.errors import ErrorClass, HoldLevel, TargetError

if TYPE_CHECKING:
    from workers.connectors.contract import Target
    from workers.connectors.sql.url import Address

PACKET: Final = 16_384
"""Bytes of a packet that we ask for; the server grants up to 32,767 and says how many."""
ENGLISH: Final = 1033
"""The language of the session, as Windows numbers it."""
LONGEST: Final = 128
"""Characters of a name or password in a login (MS-TDS 2.2.6.4)."""
OFF, ON, NOT_SUPPORTED, REQUIRED = range(4)
"""Encryption, as PRELOGIN has it."""


def login_of(target: Target, place: Address) -> tds_base._TdsLogin:
    """TargetError where a name or password is too long for the protocol."""
    for name, text in (("user", place.user), ("password", target.password), ("database", place.database)):
        # A login counts characters of 16 bits, and the driver others.
        if len((text or "").encode("utf-16-le", "surrogatepass")) > 2 * min(len(text or ""), LONGEST):
            reason = f"the {name} cannot be sent: expected at most {LONGEST} characters, and none beyond U+FFFF"
            raise TargetError(ErrorClass.HOLD, "mssql login", reason, level=HoldLevel.CONNECTOR)
    login = tds_base._TdsLogin()  # noqa: SLF001 - what `pytds.connect` makes of its arguments
    login.user_name = place.user or ""
    login.password = target.password or ""
    login.database = place.database or ""
    login.app_name = target.session_name[:128]
    login.client_host_name = socket.gethostname()[:128]
    login.server_name = (place.host or "")[:128]
    login.library = "segsync"
    login.pid, login.client_lcid = os.getpid(), ENGLISH
    login.blocksize = PACKET
    login.option_flag2 = tds_base.TDS_ODBC_ON
    login.enc_flag = OFF if place.options.get("encrypt") == "false" else ON
    return login
