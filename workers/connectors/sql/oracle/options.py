"""What Oracle's URLs may have behind their question mark, as in `Vendor.options`, and their port."""

from __future__ import annotations

PORT = 1521
"""Where Oracle's listener listens unless told otherwise."""
OPTIONS = {
    "protocol": ("tcp", "tcps"),
    "ca_file": (),
    "cert_file": (),
    "key_file": (),
    "ssl_server_cert_dn": (),
    "database_is": ("service", "sid"),
}
