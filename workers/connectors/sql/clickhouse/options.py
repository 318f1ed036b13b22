"""What ClickHouse's URLs may have behind their question mark, as in `Vendor.options`, and their ports."""

from __future__ import annotations

PORT, SECURE_PORT = 8123, 8443
"""Where ClickHouse listens unless told otherwise; the second where `secure` asks for TLS."""
SWITCH = ("true", "false")
OPTIONS = {
    "secure": SWITCH,
    "verify": SWITCH,
    "ca_cert": (),
    "client_cert": (),
    "client_cert_key": (),
    "server_host_name": (),
}
