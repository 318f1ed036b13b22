"""namespace, [redis] and [broker]: what each process reads from its own file."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from kombu.connection import Connection
from redis.connection import SSLConnection, UnixDomainSocketConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from tests.unit.settings.files import mistakes, write
from workers.errors import SettingsError
from workers.settings import LocalSettings, RedisSettings, load_local

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "p@s s:/?#%25é"
SENTINELS = '[redis]\nsentinels = ["s1:26379", "[::1]:26380"]\nmaster = "main"'


def local(folder: Path, text: str, **environ: str) -> LocalSettings:
    return load_local(write(folder, text), environ)


def wrong(folder: Path, text: str, **environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        local(folder, text, **environ)
    assert [str(mistake) for mistake in caught.value.mistakes] == mistakes(folder, text, environ=environ)
    return [str(mistake) for mistake in caught.value.mistakes]


def options(settings: RedisSettings) -> dict[str, Any]:
    return dict(settings.client().connection_pool.connection_kwargs)


def test_what_the_file_does_not_say_is_a_redis_on_this_machine(tmp_path: Path) -> None:
    found = local(tmp_path, "[ledger]")

    assert (found.namespace, found.path) == ("segsync", tmp_path / "segsync.toml")
    assert found.redis == RedisSettings("redis://localhost:6379/0", named=False)
    assert found.broker is found.redis


def test_the_environment_may_name_redis_where_the_file_does_not(tmp_path: Path) -> None:
    found = local(tmp_path, "[ledger]", SEGSYNC_REDIS_URL="redis://r:1/2")

    assert found.redis == RedisSettings("redis://r:1/2", named=True)


def test_all_keys_are_read(tmp_path: Path) -> None:
    write(tmp_path, "secret\n", "pw")
    text = (
        'namespace = "${NS:-prod}"\n[redis]\nurl = "redis://${R}:6379/0"\npassword = "${PW}"\n'
        '[broker]\nurl = "rediss://me@b"\npassword_file = "pw"'
    )
    found = local(tmp_path, text, R="r", PW=PASSWORD)

    assert found.namespace == "prod"
    assert found.redis == RedisSettings("redis://r:6379/0", password=PASSWORD)
    assert found.broker == RedisSettings("rediss://me@b", password="secret", password_file=tmp_path / "pw")
    assert "secret" not in repr(found)


def test_sentinels_are_read(tmp_path: Path) -> None:
    found = local(tmp_path, SENTINELS + '\nusername = "me"\npassword = "a"\nsentinel_password = "b"\ndb = 2')

    assert found.redis == RedisSettings("", ("s1:26379", "[::1]:26380"), "main", 2, "me", "a", "b")
    assert "'a'" not in repr(found)
    assert "'b'" not in repr(found)
    assert local(tmp_path, SENTINELS).redis.db == 0


def test_local_settings_are_read_whatever_is_wrong_beside_them(tmp_path: Path) -> None:
    text = 'namespace = "prod"\ninclude = ["nowhere.toml"]\nintegrations = 5\n[connectors.x]\nurl = "${MISSING'

    assert local(tmp_path, text + '"').namespace == "prod"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('namespace = "Prod"', "namespace: 'Prod' cannot be a name; expected 1 to 63 of a-z, 0-9, _ and -"),
        ('namespace = ""', "namespace: is empty; expected 1 to 63 of a-z"),
        ("namespace = 5", "namespace: 5 is an integer; expected 1 to 63 of a-z"),
        ('redis = "redis://:hunter2@h"', "redis: is text; expected a table"),
        ('[redis]\nurl = "redis://:hunter2@h"', "redis.url: there is a password inside the URL"),
        ('[redis]\nurl = "unix:///r.sock?password=hunter2"', "redis.url: there is a password inside the URL"),
        ('[redis]\nurl = "${R}"', "redis.url: the environment variable R is not set"),
        ('[redis]\nurl = "http://h"', "redis.url: 'http' is no scheme here; expected one of redis, rediss, unix"),
        ('[redis]\nurl = "redi://h"', "redis.url: 'redi' is no scheme here; did you mean 'redis'?"),
        ('[redis]\nurl = "redis://h/main"', "redis.url: the database after the host is no number"),
        ('[redis]\nurl = "redis://h/0/1"', "redis.url: the database after the host is no number"),
        ('[redis]\nurl = "redis://h?db=1"', "redis.url: unknown option 'db'"),
        ('[redis]\nurl = "rediss://h?ssl_cert_req=none"', "redis.url: unknown option 'ssl_cert_req'; did you mean"),
        (
            '[redis]\nurl = "rediss://h?ssl_cert_reqs=no"',
            "redis.url: option 'ssl_cert_reqs' is 'no'; did you mean 'none'?",
        ),
        (
            '[redis]\nurl = "rediss://h?ssl_ca_certs=ca.pem"',
            "redis.url: option 'ssl_ca_certs' is 'ca.pem'; expected the whole path of a file, from / on",
        ),
        (
            '[redis]\nurl = "rediss://h?ssl_ca_certs=/nowhere/ca.pem"',
            "redis.url: option 'ssl_ca_certs': /nowhere/ca.pem: no such file",
        ),
        ('[redis]\nurl = "rediss://h?ssl_certfile=/"', "redis.url: option 'ssl_certfile': /: is a folder"),
        (
            '[redis]\nurl = "rediss://h?ssl_keyfile=/dev/null"',
            "redis.url: option 'ssl_keyfile': /dev/null: is no regular file",
        ),
        (
            f'[redis]\nurl = "rediss://h?ssl_keyfile={__file__}"',
            "redis.url: option 'ssl_keyfile' is a key without its certificate; expected ssl_certfile, too",
        ),
        ('[redis]\nurl = "unix://h/r.sock"', "redis.url: expected unix:///path/to/redis.sock"),
        (
            '[redis]\nurl = "redis://h"\nport = 1',
            "redis.port: unknown key; expected one of db, master, password, password_file",
        ),
        ('[redis]\nurl = "redis://h"\ndb = 1', "redis.db: is for sentinels only"),
        ('[redis]\nurl = "redis://h"\nmaster = "m"', "redis.master: is for sentinels only"),
        ('[redis]\nsentinels = ["h:1"]', "redis.master: is missing; expected the name that the sentinels know"),
        ('[redis]\nmaster = "m"\nsentinels = []', "redis.sentinels: is empty; expected a list of sentinels"),
        ('[redis]\nmaster = "m"\nsentinels = ["h"]', "redis.sentinels[0]: is no address; expected host:port"),
        ('[redis]\nmaster = "m"\nsentinels = ["h:99999"]', "redis.sentinels[0]: is no address; expected host:port"),
        ('[redis]\nmaster = "m"\nsentinels = ["h:0"]', "redis.sentinels[0]: is no address; expected host:port"),
        (SENTINELS + '\nurl = "redis://h"', "redis.url: expected either url or sentinels, not both"),
        ('[redis]\nurl = ["redis://:hunter2@h"]', "redis.url: is a list; expected redis://host:6379/0"),
        ("[redis]\npassword = 5", "redis.password: is an integer; expected text"),
        ('[redis]\npassword_file = "no"', "redis.password_file: no: no such file"),
        ('[redis]\npassword = "a"\npassword_file = "b"', "redis.password_file: expected either password or"),
        ('[broker]\nurl = "amqp://h"', "broker.url: 'amqp' is no scheme here; expected one of redis, rediss, unix"),
    ],
)
def test_what_is_wrong_is_said_with_what_was_expected(tmp_path: Path, text: str, said: str) -> None:
    found = wrong(tmp_path, text)

    assert len(found) == 1
    assert found[0].startswith(said)
    assert "hunter2" not in found[0]


def test_a_password_that_the_environment_puts_into_the_url_is_refused(tmp_path: Path) -> None:
    found = wrong(tmp_path, "[ledger]", SEGSYNC_REDIS_URL="redis://:hunter2@h:1/0")

    assert len(found) == 1
    assert found[0].startswith("redis.url: there is a password inside the URL")


def test_a_client_has_timeouts_and_speaks_bytes() -> None:
    found = options(RedisSettings("redis://h:7/3", password=PASSWORD))

    assert (found["host"], found["port"], found["db"]) == ("h", 7, 3)
    assert found["credential_provider"].get_credentials() == (PASSWORD,)
    assert (found["socket_timeout"], found["socket_connect_timeout"], found["socket_keepalive"]) == (15.0, 5.0, True)
    assert found["health_check_interval"] == 25
    assert not found.get("decode_responses")


def test_a_client_takes_the_callers_options_over_its_own() -> None:
    client = RedisSettings("redis://h").client(socket_timeout=1.0, client_name="x")

    assert client.connection_pool.connection_kwargs["socket_timeout"] == 1.0
    assert client.connection_pool.connection_kwargs["client_name"] == "x"


def test_a_client_tries_again_when_the_link_is_lost_and_not_when_redis_is_slow() -> None:
    retry = RedisSettings("redis://h").client().get_retry()
    assert retry is not None
    tries = []

    def fail(error: Exception) -> None:
        tries.append(error)
        raise error

    for error, count in ((RedisConnectionError(), 4), (RedisTimeoutError(), 1)):
        tries.clear()
        with pytest.raises(type(error)):
            retry.call_with_retry(partial(fail, error), lambda _: None)
        assert len(tries) == count


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        (RedisSettings("unix:///run/r.sock?db=2", password=PASSWORD), UnixDomainSocketConnection),
        (RedisSettings("rediss://h?ssl_cert_reqs=none&ssl_check_hostname=false"), SSLConnection),
    ],
)
def test_redis_py_takes_the_options_for_every_kind_of_link(settings: RedisSettings, kind: type) -> None:
    """It refuses TCP's options for a Unix socket, and only when it connects."""
    assert isinstance(settings.client().connection_pool.make_connection(), kind)


def test_a_client_through_sentinels_asks_for_the_master() -> None:
    settings = RedisSettings("", ("s1:26379", "[::1]:26380"), "main", 2, "me", PASSWORD, "sp")
    pool: Any = settings.client().connection_pool

    assert pool.service_name == "main"
    assert pool.connection_kwargs["db"] == 2
    assert pool.connection_kwargs["credential_provider"].get_credentials() == ("me", PASSWORD)
    asked = [sentinel.connection_pool.connection_kwargs for sentinel in pool.sentinel_manager.sentinels]
    assert [(each["host"], each["port"], each["credential_provider"].get_credentials()) for each in asked] == [
        ("s1", 26379, ("sp",)),
        ("::1", 26380, ("sp",)),
    ]


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        (RedisSettings("redis://h:7/3"), "redis://h:7/3"),
        (RedisSettings("redis://me@h", password="a/b"), "redis://me:a%2Fb@h"),
        (RedisSettings("redis://me@h"), "redis://me@h"),
        (RedisSettings("rediss://h"), "rediss://h?ssl_cert_reqs=required"),
        (RedisSettings("rediss://h?ssl_cert_reqs=none"), "rediss://h?ssl_cert_reqs=none"),
        (RedisSettings("unix:///run/r.sock?db=2"), "redis+socket:///run/r.sock?virtual_host=2"),
        (RedisSettings("unix:///run/r.sock", password="p w"), "redis+socket://:p%20w@/run/r.sock?virtual_host=0"),
        (RedisSettings("", ("a:1", "b:2"), "m", 3), "sentinel://a:1/3;sentinel://b:2/3"),
        (RedisSettings("", ("a:1",), "m", username="me", password="p"), "sentinel://me:p@a:1/0"),
    ],
)
def test_celery_gets_the_same_redis_in_its_own_words(settings: RedisSettings, url: str) -> None:
    assert settings.celery_url() == url


def test_celery_reads_back_the_password_as_it_was() -> None:
    connect: Any = Connection  # kombu leaves it untyped
    connection = connect(RedisSettings("redis://me@h:7/3", password=PASSWORD).celery_url())

    assert (connection.userid, connection.password, connection.hostname) == ("me", PASSWORD, "h")


def test_celery_gets_the_masters_name_where_there_are_sentinels() -> None:
    options = RedisSettings("", ("a:1",), "main", sentinel_password="sp").celery_transport_options()

    assert options["master_name"] == "main"
    assert options["sentinel_kwargs"]["credential_provider"].get_credentials() == ("sp",)
    assert "sp" not in repr(options).replace("provider", "")
    assert RedisSettings().celery_transport_options() == {}


@pytest.mark.parametrize(
    "settings",
    [
        RedisSettings("redis://me@h:7/3", password="hunter2"),
        RedisSettings("unix:///run/r.sock", password="hunter2"),
        RedisSettings("", ("a:1", "b:2"), "m", 3, "me", "hunter2", "hunter3"),
    ],
)
def test_what_workers_tell_of_their_broker_names_nobody(settings: RedisSettings) -> None:
    place = settings.celery_place()

    assert "hunter" not in place
    assert "me" not in place


def test_a_password_file_is_read_anew_for_each_connection(tmp_path: Path) -> None:
    file = tmp_path / "pw"
    file.write_text("old\n")
    found = local(tmp_path, '[redis]\nurl = "redis://me@h"\npassword_file = "pw"')
    who = found.redis.credentials()
    assert who is not None
    assert who.get_credentials() == ("me", "old")

    file.write_text("new\n")
    assert who.get_credentials() == ("me", "new")
    assert found.redis.celery_url() == "redis://me:new@h"

    file.unlink()
    assert who.get_credentials() == ("me", "old")


def test_the_sentinels_password_may_stand_in_a_file(tmp_path: Path) -> None:
    write(tmp_path, "secret\n", "pw")
    found = local(tmp_path, SENTINELS + '\nsentinel_password_file = "pw"')

    assert (found.redis.sentinel_password, found.redis.sentinel_password_file) == ("secret", tmp_path / "pw")
