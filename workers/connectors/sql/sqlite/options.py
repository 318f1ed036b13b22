"""What SQLite's URLs may have behind their question mark, as in `Vendor.options`."""

from __future__ import annotations

OPTIONS: dict[str, tuple[str, ...]] = {}
