"""What PostgreSQL's URLs may have behind their question mark, as in `Vendor.options`."""

from __future__ import annotations

OPTIONS = {
    "host": (),
    "port": (),
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslrootcert": (),
    "sslcert": (),
    "sslkey": (),
    "sslcrl": (),
    "channel_binding": ("disable", "prefer", "require"),
    "gssencmode": ("disable", "prefer", "require"),
    "target_session_attrs": ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    "require_auth": (),
}
