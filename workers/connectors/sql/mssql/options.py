"""What SQL Server's URLs may have behind their question mark, as in `Vendor.options`, and their port."""

from __future__ import annotations

PORT = 1433
"""Where SQL Server listens unless told otherwise."""
SWITCH = ("true", "false")
OPTIONS = {
    "encrypt": SWITCH,
    "trust_server_certificate": SWITCH,
    "host_name_in_certificate": (),
    "ca_file": (),
    "cert_file": (),
    "key_file": (),
}
