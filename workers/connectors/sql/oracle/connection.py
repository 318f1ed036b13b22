"""How a connection to Oracle is opened: by python-oracledb, thin, which needs no client of Oracle's."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import oracledb

from workers.connectors.sql.oracle.options import OPTIONS, PORT
from workers.connectors.sql.url import address, show_certificate, trusting

if TYPE_CHECKING:
    import ssl

    from workers.connectors.contract import Target
    from workers.connectors.sql.url import Address


def open_connection(target: Target) -> oracledb.Connection:
    """A new connection, logged in and not set up; raises oracledb.Error, OSError, and TargetError for a wrong URL."""
    place = address(target, OPTIONS)
    encrypted = place.options.get("protocol") == "tcps"
    by = "sid" if place.options.get("database_is") == "sid" else "service_name"
    parameters = oracledb.ConnectParams(
        user=place.user,
        password=target.password,
        host=place.host,
        port=place.port or PORT,
        protocol="tcps" if encrypted else "tcp",
        tcp_connect_timeout=target.connect_timeout,
        retry_count=0,
        expire_time=1,  # minutes after which a silent link is asked whether it lives
        stmtcachesize=0,  # no two statements of ours are the same
        program=target.session_name,
        ssl_context=_tls(place) if encrypted else None,
        ssl_server_cert_dn=place.options.get("ssl_server_cert_dn"),
        **{by: place.database},
    )
    connection = _within(target.connect_timeout, parameters)
    connection.module = target.session_name[:48]
    return connection


def _tls(place: Address) -> ssl.SSLContext:
    context = trusting(place, "ca_file")
    show_certificate(context, place, "cert_file", "key_file")
    return context


_waiting: dict[tuple[str | None, int], threading.Thread] = {}


def _within(seconds: float, parameters: oracledb.ConnectParams) -> oracledb.Connection:
    """Connects, or gives up: TimeoutError.

    The driver's own limit is for TCP alone: it waits for ever for a listener that says nothing. So it waits in a thread
    of its own, of which there is one at a time for each listener; what it still gets is closed.
    """
    place = (str(parameters.host), int(parameters.port))
    before = _waiting.get(place)
    if before is not None and before.is_alive():
        raise TimeoutError("an earlier connection still waits for this listener")
    attempt = _Attempt(parameters)
    thread = threading.Thread(target=attempt.make, name="segsync-oracle-connect", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive() and attempt.give_up():
        _waiting[place] = thread
        raise TimeoutError("timed out")
    return attempt.made()


class _Attempt:
    """A connection that is being made."""

    def __init__(self, parameters: oracledb.ConnectParams) -> None:
        self._parameters = parameters
        self._lock = threading.Lock()
        self._given_up = False
        self._connection: oracledb.Connection | None = None
        self._error: BaseException | None = None

    def make(self) -> None:
        """Connects, in a thread of its own."""
        connection, error = None, None
        try:
            connection = oracledb.connect(params=self._parameters)
        except BaseException as raised:  # noqa: BLE001 - it belongs to whoever waits
            error = raised
        with self._lock:
            self._connection, self._error = connection, error
            if self._given_up and connection is not None:
                connection.close()

    def give_up(self) -> bool:
        """Whether it was still waiting; then nobody will take what it gets."""
        with self._lock:
            self._given_up = self._connection is None and self._error is None
            return self._given_up

    def made(self) -> oracledb.Connection:
        """The connection; raises what the driver raised."""
        if self._connection is None:
            raise self._error or ConnectionError("there is no connection")
        return self._connection
