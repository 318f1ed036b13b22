"""What failures mean to whoever called a command."""

from __future__ import annotations

import pytest
import redis

from segsync import IntakeFull, PushFailed
from workers.cli.explaining import explain
from workers.cli.json_lines import BadLine, PushStopped
from workers.control.apply import WrongChoice
from workers.control.losses import ApplyRefused
from workers.control.pause import NotPausable, NotSettled, UnknownIntegration
from workers.control.startup import UnfitRedis
from workers.errors import Mistake, SegsyncError, SettingsError, WrongUsage
from workers.ledger.errors import LedgerError
from workers.quarantine.entries import UnknownEntry
from workers.settings.revision import NothingApplied


def stopped(cause: PushFailed) -> PushStopped:
    error = PushStopped(3, "why", 2)
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (SegsyncError("anything else"), 1),
        (ApplyRefused("owes"), 1),
        (NotSettled("busy"), 1),
        (NotPausable("orphaned"), 1),
        (NothingApplied("nothing"), 1),
        (UnfitRedis("policy"), 1),
        (stopped(IntakeFull("full")), 1),
        (SettingsError("file", [Mistake("a.b", "is wrong")]), 2),
        (WrongChoice("in the file"), 2),
        (WrongUsage("--since"), 2),
        (UnknownIntegration("crn"), 2),
        (UnknownEntry("7"), 2),
        (BadLine(1, "not JSON", 0), 2),
        (LedgerError("sqlite", "is gone"), 3),
        (redis.ConnectionError("refused"), 3),
        (redis.TimeoutError("slow"), 3),
        (redis.ResponseError("OOM command not allowed"), 3),
        (stopped(PushFailed("gone")), 3),
    ],
)
def test_every_expected_failure_has_a_message_and_a_status(error: Exception, status: int) -> None:
    failure = explain(error)
    assert failure is not None
    assert failure.status == status
    assert str(error) in failure.message


@pytest.mark.parametrize("error", [KeyError("a"), ValueError("b"), ZeroDivisionError()])
def test_a_mistake_of_ours_is_not_explained_away(error: Exception) -> None:
    assert explain(error) is None


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed", "vouches for (docs/redis.md, TLS)"),
        ("Connection closed by server.", "does it want TLS (rediss://) or a certificate (ssl_certfile)?"),
        ("Error 8 while writing to socket. EOF occurred in violation of protocol", "does it want TLS"),
    ],
)
def test_where_tls_may_be_what_is_wrong_it_is_said(said: str, remedy: str) -> None:
    failure = explain(redis.ConnectionError(said))
    assert failure is not None
    assert remedy in failure.message


@pytest.mark.parametrize("said", ["Keys in request don't hash to the same slot", "Hash slot not served"])
def test_a_cluster_is_named_where_it_refuses(said: str) -> None:
    failure = explain(redis.ResponseError(said))
    assert failure is not None
    assert "is it Redis Cluster, which is not supported?" in failure.message


def test_a_redis_that_does_not_listen_is_not_told_of_tls() -> None:
    failure = explain(redis.ConnectionError("Error 111 connecting to 127.0.0.1:1. Connection refused."))
    assert failure is not None
    assert "TLS" not in failure.message


def test_bytes_of_the_command_line_that_are_no_text_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["segsync", "pause", "crm", "--reason", "caf\udce9"])
    with pytest.raises(UnicodeEncodeError) as caught:
        "the reason caf\udce9".encode()
    failure = explain(caught.value)
    assert failure is not None
    assert (failure.status, failure.message) == (2, r"'caf\udce9': bytes that are no text; expected UTF-8")
    monkeypatch.setattr("sys.argv", ["segsync", "status"])
    assert explain(caught.value) is None
