"""Drivers that are installed only where somebody asks for them: `pip install 'segsync[mssql]'`."""

from __future__ import annotations

from importlib.util import find_spec

from workers.errors import ErrorClass, HoldLevel, TargetError


def require(dialect: str, module: str) -> None:
    """TargetError (HOLD, CONNECTOR) where the driver of a dialect is not installed; its extra has the dialect's name.

    module  the driver's, which is looked for and not loaded
    """
    if find_spec(module) is not None:
        return
    reason = f"the driver is not installed (Python module {module!r}); expected pip install 'segsync[{dialect}]'"
    raise TargetError(ErrorClass.HOLD, f"{dialect} driver", reason, level=HoldLevel.CONNECTOR)
