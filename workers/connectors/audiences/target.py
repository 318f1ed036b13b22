"""Where an ad connector goes, its secrets resolved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class AdTarget:
    """One login with one platform.

    key              connector's key in the configuration
    platform         the platform's key
    settings         what [connectors.X] says for this platform, secrets among them, by name; never shown
    url              of the API, without a "/" at its end; "" for the platform's own
    store_url        of the store's database, with its password; never shown
    secret           what tokens and plain ids are sealed with; never shown
    timeout          seconds a call may take between two bytes
    connect_timeout  seconds a connection may take
    consent          what the platform is told of people's consent: "granted", "denied" or "" for nothing
    on_delete        what becomes of an audience whose segment was deleted, by integration: "empty", "keep", "delete"
    """

    key: str
    platform: str
    settings: Mapping[str, str] = field(repr=False)
    store_url: str = field(repr=False)
    secret: str = field(repr=False)
    url: str = ""
    timeout: float = 30.0
    connect_timeout: float = 10.0
    consent: str = ""
    on_delete: Mapping[str, str] = field(default_factory=dict)
