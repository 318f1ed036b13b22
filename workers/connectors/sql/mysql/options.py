"""What MySQL's and MariaDB's URLs may have behind their question mark, as in `Vendor.options`."""

from __future__ import annotations

SWITCH = ("true", "false")
OPTIONS = {
    "unix_socket": (),
    "ssl_ca": (),
    "ssl_cert": (),
    "ssl_key": (),
    "ssl_verify_cert": SWITCH,
    "ssl_verify_identity": SWITCH,
    "ssl_disabled": SWITCH,
    # As MySQL's own client and the platforms write it.
    "ssl-mode": ("DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"),
}
