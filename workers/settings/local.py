"""Where Redis is: what every process reads from its own file."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from workers.settings.files import FileError, read_secret
from workers.settings.secret import Secret, credentials
from workers.settings.source import open_source
from workers.settings.table import TomlTable
from workers.settings.urls import UrlError, check_redis, split, with_password

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import redis

    from workers.settings.source import SettingsSource

DEFAULT_REDIS = "${SEGSYNC_REDIS_URL:-redis://localhost:6379/0}"
SOCKET_TIMEOUT = 15.0
"""Seconds; longer than any blocking read, which waits 5 s at most (rule 26b)."""
CONNECT_TIMEOUT = 5.0
"""Seconds; a Redis that needs longer is away."""
HEALTH_CHECK_INTERVAL = 25
"""Seconds of idleness after which a connection is tried before it is used."""
RETRIES = 3
"""Of a command whose connection broke, before the caller is told."""
HIGHEST_DB = 99_999
"""Redis numbers its databases from 0; how many there are is its own setting."""
HIGHEST_PORT = 65_535
ONLY_SENTINELS = ("sentinels", "master", "username", "db", "sentinel_password", "sentinel_password_file")
_SENTINEL = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})", re.ASCII)


@dataclass(frozen=True, slots=True)
class RedisSettings:
    """One Redis: by URL, or by its sentinels and the name of the master they watch.

    url        without a password; "" where sentinels are given
    sentinels  "host:port" each
    db         the database's number, with sentinels; a URL names its own
    password, sentinel_password  as they were when the file was read, also where they stand in a file of their own
    named      whether the file or SEGSYNC_REDIS_URL names it: where not, `segsync up` starts one
    """

    url: str = "redis://localhost:6379/0"
    sentinels: tuple[str, ...] = ()
    master: str = ""
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    sentinel_password: str | None = field(default=None, repr=False)
    named: bool = True
    password_file: Path | None = None
    sentinel_password_file: Path | None = None

    def client(self, **options: Any) -> redis.Redis:  # noqa: ANN401 - redis-py's own options, whatever they are
        """A client that speaks bytes, not connected yet; `options` override those set here.

        A command is sent again, up to three times within about 2 s, when its connection is refused or lost, even
        if Redis may have run it: what segsync sends is made so that twice is once. It is not sent again after a
        timeout of 15 s, as Redis is then overloaded or gone.
        """
        import redis as redis_py  # noqa: PLC0415 - 0.25 s, which commands that need no Redis shall not wait for

        from workers.settings.reconnecting import leave_replicas  # noqa: PLC0415 - as above

        settings = self._options() | options
        alone = settings.pop("single_connection_client", False)  # Sentinel's pool knows no such option
        if self.sentinels:
            client = self._through_sentinels({"db": self.db} | settings)
        else:
            client = redis_py.Redis.from_url(_without_user(self.url), **settings)
        leave_replicas(client.connection_pool)
        one: redis.Redis = client.client() if alone else client  # type: ignore[no-untyped-call]
        return one

    def _options(self) -> dict[str, Any]:
        """What `client` sets; redis-py refuses TCP's options for a Unix socket."""
        common = {
            "decode_responses": False,
            "socket_timeout": SOCKET_TIMEOUT,
            "health_check_interval": HEALTH_CHECK_INTERVAL,
            "retry": _retry(),
        }
        tcp = {"socket_connect_timeout": CONNECT_TIMEOUT, "socket_keepalive": True}
        who = self.credentials()
        return common | ({} if self.url.startswith("unix:") else tcp) | ({"credential_provider": who} if who else {})

    def credentials(self) -> redis.CredentialProvider | None:
        """Who we are, asked before each connection, so that a password that rotates is met; None without any."""
        named = split(self.url).user if self.url else self.username
        return credentials(unquote(named) if named else None, Secret(self.password, self.password_file))

    def _through_sentinels(self, settings: dict[str, Any]) -> redis.Redis:
        from redis import sentinel  # noqa: PLC0415 - as above

        hosts = [(host.strip("[]"), int(port)) for host, _, port in (each.rpartition(":") for each in self.sentinels)]
        watch: Any = sentinel.Sentinel  # redis-py leaves it untyped
        master: redis.Redis = watch(hosts, sentinel_kwargs=self._sentinel_options()).master_for(self.master, **settings)
        return master

    def _sentinel_options(self) -> dict[str, Any]:
        options: dict[str, Any] = {"socket_timeout": CONNECT_TIMEOUT, "socket_connect_timeout": CONNECT_TIMEOUT}
        who = credentials(None, Secret(self.sentinel_password, self.sentinel_password_file))
        return options | ({"credential_provider": who} if who else {})

    def celery_place(self) -> str:
        """The same Redis as Celery's `broker_url`, without user and password: workers tell it to whoever asks."""
        url = self.url and _without_user(self.url)
        return replace(self, url=url, username=None, password=None, password_file=None).celery_url()

    def celery_url(self) -> str:
        """The same, user and password in it, percent-encoded: never to be logged."""
        if self.sentinels:
            return ";".join(f"sentinel://{self._userinfo()}{each}/{self.db}" for each in self.sentinels)
        url = split(self.url)
        if url.scheme == "unix":
            number = dict(url.options).get("db", "0")
            return f"redis+socket://{self._userinfo(url.user)}{url.path}?virtual_host={number}"
        if url.scheme == "rediss" and "ssl_cert_reqs" not in dict(url.options):
            # Celery refuses rediss:// without it; redis-py's default is the same.
            url = split(f"{self.url}{'&' if url.options else '?'}ssl_cert_reqs=required")
        return with_password(url, Secret(self.password, self.password_file).read())

    def _userinfo(self, user: str = "") -> str:
        name = user or quote(self.username or "", safe="")
        password = Secret(self.password, self.password_file).read()
        secret = f":{quote(password, safe='')}" if password else ""
        return f"{name}{secret}@" if name or secret else ""

    def celery_transport_options(self) -> dict[str, Any]:
        """What Celery's `broker_transport_options` need beside the URL: the master's name, with sentinels."""
        if not self.sentinels:
            return {}
        return {"master_name": self.master, "sentinel_kwargs": self._sentinel_options()}


def _without_user(url: str) -> str:
    scheme, mark, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{mark}{authority.rpartition('@')[2]}{slash}{path}"


def _retry() -> Any:  # noqa: ANN401 - redis-py's Retry cannot be named without importing it
    from redis.backoff import ExponentialWithJitterBackoff  # noqa: PLC0415 - as above
    from redis.exceptions import ConnectionError as RedisConnectionError  # noqa: PLC0415 - as above
    from redis.retry import Retry  # noqa: PLC0415 - as above

    return Retry(ExponentialWithJitterBackoff(base=0.1, cap=1.0), RETRIES, supported_errors=(RedisConnectionError,))


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """What a process reads from its own file even when the rest of it is wrong.

    namespace  prefixes every key in Redis and Celery's queues
    broker     Celery's Redis; the one for data unless the file says otherwise
    """

    path: Path
    namespace: str
    redis: RedisSettings
    broker: RedisSettings


def load_local(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> LocalSettings:
    """Only namespace, [redis] and [broker], whatever is wrong beside them; SettingsError for what is wrong in them."""
    source = open_source(path, environ)
    local = read_local(source)
    source.finish()
    return local


def read_local(source: SettingsSource) -> LocalSettings:
    """namespace, [redis] and [broker] of the main file; what is wrong is noted in the source."""
    present = {key: source.main[key] for key in ("namespace", "redis", "broker") if key in source.main}
    table = TomlTable(source.fill(present, ()), "", source.mistakes)
    namespace = table.name("namespace", "segsync")
    main = _redis(source, table.table("redis"))
    broker = _redis(source, table.table("broker")) if "broker" in table else main
    return LocalSettings(source.path, namespace, main, broker)


def _redis(source: SettingsSource, table: TomlTable) -> RedisSettings:
    password, password_file = read_password(table, "password", source.folder)
    by_name = "sentinels" in table
    found = _by_sentinels(source, table) if by_name else _by_url(source, table)
    for key in ("url",) if by_name else ONLY_SENTINELS:
        table.take(key)
        if key in table:
            table.wrong(key, "expected either url or sentinels, not both" if by_name else "is for sentinels only")
    table.close()
    return replace(found, password=password, password_file=password_file)


def _by_sentinels(source: SettingsSource, table: TomlTable) -> RedisSettings:
    expected = 'a list of sentinels, as in ["host:26379"]'
    addresses = table.list_of("sentinels", expected)
    if table.values["sentinels"] == []:
        table.wrong("sentinels", f"is empty; expected {expected}")
    for index, address in enumerate(addresses):
        found = _SENTINEL.fullmatch(address)
        if found is None or not 1 <= int(found["port"]) <= HIGHEST_PORT:
            table.wrong(f"sentinels[{index}]", "is no address; expected host:port, as in sentinel-1:26379")
    password, file = read_password(table, "sentinel_password", source.folder)
    return RedisSettings(
        url="",
        sentinels=tuple(addresses),
        master=table.text("master", "the name that the sentinels know the master by"),
        db=table.whole("db", 0, 0, HIGHEST_DB),
        username=table.optional_text("username"),
        sentinel_password=password,
        sentinel_password_file=file,
    )


def _by_url(source: SettingsSource, table: TomlTable) -> RedisSettings:
    url = table.optional_text("url", "redis://host:6379/0", hidden=True)
    if "url" not in table:
        url = str(source.fill(DEFAULT_REDIS, (table.at("url"),)))
    try:
        if url is not None:
            check_redis(split(url))
    except UrlError as error:
        table.wrong("url", str(error))
    named = "url" in table or bool(source.environ.get("SEGSYNC_REDIS_URL"))
    return RedisSettings(url or "", named=named)


def read_password(table: TomlTable, key: str, folder: Path) -> tuple[str | None, Path | None]:
    """A password, or what its file (relative to `folder`) holds, and that file; "" is none; no message shows it."""
    file = f"{key}_file"
    if key in table and file in table:
        table.wrong(file, f"expected either {key} or {file}, not both")
    password = table.optional_text(key, hidden=True) if table.take(key) != "" else None
    path = table.optional_text(file, "the path of a file")
    if path is None or key in table:
        return password, None
    try:
        return read_secret(folder / path), folder / path
    except FileError as error:
        table.wrong(file, f"{path}: {error}")
        return None, None
