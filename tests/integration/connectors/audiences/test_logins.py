"""Tokens: renewed early, once, and by one process; and what a person must do."""

from __future__ import annotations

import threading
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest

from tests.fakes.server import Reply
from tests.integration.connectors.audiences.accounts import Account, changes, on, owes_nothing
from tests.integration.connectors.audiences.rig import Rig, people
from workers.connectors.audiences.logins import LoginTokens, TokenKeeper
from workers.connectors.audiences.told_logins import LoginStanding
from workers.connectors.audiences.wire import CallFailed, Fault
from workers.control.connecting import use_code
from workers.errors import ErrorClass, HoldLevel, TargetError
from workers.lanes.keys import Keys
from workers.targets import OpenAccount

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

    from tests.fakes.server import FakePlatform
    from tests.fakes.yandex import FakeYandex
    from tests.integration.connectors.audiences.conftest import MakeRig
    from workers.connectors.audiences.connector import AdConnector

DAY_S = 86_400.0


def test_a_token_is_renewed_long_before_its_end(rig: Rig, yandex: FakeYandex) -> None:
    rig.connector.probe()
    assert yandex.renewals == 0
    rig.fake.advance(100 * DAY_S)
    rig.connector.probe()
    rig.connector.probe()
    assert yandex.renewals == 1


def test_a_renewal_that_fails_early_stops_nothing(rig: Rig, yandex: FakeYandex) -> None:
    rig.fake.advance(100 * DAY_S)
    yandex.fail("/token", Reply(500, {}))
    rig.connector.probe()
    rig.fake.advance(3_600)
    rig.connector.probe()
    assert yandex.renewals == 1


def test_a_renewal_that_fails_early_is_not_tried_at_each_call(rig: Rig, yandex: FakeYandex) -> None:
    rig.fake.advance(100 * DAY_S)
    yandex.refresh = "another"
    asked = len(yandex.calls)
    for _ in range(5):
        rig.connector.probe()
    assert [path for _, path in yandex.calls[asked:]].count("/token") == 1
    yandex.access = "another, too"
    with pytest.raises(TargetError, match="OAuth refuses"):
        rig.connector.probe()


@pytest.mark.parametrize("days", [300, 180, 1])
def test_a_token_that_lives_shorter_than_another_is_renewed_when_a_part_of_its_life_is_over(
    rig: Rig, yandex: FakeYandex, days: int
) -> None:
    """It would be renewed at each call: its end is never as far as a token is to be renewed before it."""
    yandex.token_lives_s = round(days * DAY_S)
    rig.connector.way.tokens.keep(rig.connector.way.consent.exchange("1234567"))
    renewals = yandex.renewals
    for _ in range(8):
        rig.connector.probe()
        rig.fake.advance(days * DAY_S / 8)
    assert 1 <= yandex.renewals - renewals <= 3


def test_that_a_token_ends_which_cannot_be_renewed_is_told(rig: Rig, yandex: FakeYandex) -> None:
    """It works for months yet, and then all stops at once."""
    ends = rig.fake.now + round(365 * DAY_S * 1000)
    rig.fake.advance(100 * DAY_S)
    yandex.fail("/token", Reply(500, {}))
    rig.connector.probe()
    assert rig.connector.way.tokens.standing().ends_ms == 0, "it may pass"
    rig.fake.advance(DAY_S)
    was, yandex.refresh = yandex.refresh, "another"
    rig.connector.probe()
    assert rig.connector.way.tokens.standing().ends_ms == ends
    rig.fake.advance(DAY_S)
    yandex.refresh = was
    rig.connector.probe()
    assert rig.connector.way.tokens.standing().ends_ms == 0


def test_a_refused_token_is_renewed_once_and_the_call_repeated(rig: Rig, yandex: FakeYandex) -> None:
    yandex.access = "another"
    rig.deliver(("add", people(range(120))))
    rig.run()
    assert yandex.renewals == 1
    assert len(yandex.members("VIP")) == 120


def test_who_asks_for_a_token_too_often_asks_later_and_needs_nobody(rig: Rig, yandex: FakeYandex) -> None:
    tokens = rig.connector.way.tokens
    yandex.fail("/token", Reply(429, {"error": "too_many_requests"}))
    with pytest.raises(TargetError) as late:
        tokens.renew(tokens.token())
    assert (late.value.error_class, late.value.code) == (
        ErrorClass.RETRY,
        "yandex-audiences 429 too_many_requests",
    )
    assert tokens.renew(tokens.token()) == yandex.access


def test_processes_renew_one_after_the_other_and_take_what_the_first_got(rig: Rig, yandex: FakeYandex) -> None:
    keepers = [rig.again().way.tokens for _ in range(4)]
    refused, got = keepers[0].token(), []

    def renew(number: int) -> None:
        try:
            got.append(keepers[number].renew(refused))
        except TargetError as error:
            got.append(error.error_class.value)

    threads = [threading.Thread(target=renew, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert yandex.renewals == 1
    assert set(got) <= {yandex.access, ErrorClass.RETRY.value}
    assert keepers[3].renew(refused) == yandex.access
    assert yandex.renewals == 1


@pytest.mark.parametrize("fails", [False, True])
def test_a_renewal_that_ends_after_somebody_has_connected_changes_nothing_of_their_login(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, *, fails: bool
) -> None:
    """Its tokens would lead all audiences back to the account before; its failure would be told of the new login."""
    tokens, consent = rig.connector.way.tokens, rig.connector.way.consent
    renew, other = consent.renew, rig.again()

    def late(refresh: str) -> LoginTokens:
        found = renew(refresh)
        other.keep_login(LoginTokens("another account's", "its refresh", 31_536_000), "", moves=True)
        if fails:
            raise CallFailed(Fault.LOGIN, "yandex-audiences 400 invalid_grant", "Yandex.OAuth refuses it")
        return found

    monkeypatch.setattr(consent, "renew", late)
    assert tokens.renew(tokens.token()) == "another account's"
    assert tokens.token() == "another account's"
    assert (tokens.standing().ends_ms, tokens.standing().reason) == (0, "")


def test_who_died_in_a_renewal_stands_in_nobody_s_way(rig: Rig, yandex: FakeYandex) -> None:
    with rig.connector.store.changing() as connection:
        connection.exec_driver_sql(f"UPDATE ads_login SET owner = 'dead', owned_until_ms = {rig.fake.now + 60_000}")
    yandex.access = "another"
    with pytest.raises(TargetError, match="another process renews"):
        rig.connector.probe()
    rig.fake.advance(120)
    rig.connector.probe()
    assert yandex.renewals == 1


def test_who_gives_tokens_is_left_alone_for_as_long_as_it_wants(rig: Rig, yandex: FakeYandex) -> None:
    """Whoever asks on has the wait begin anew, on many platforms."""
    yandex.access = "another"
    yandex.fail("/token", Reply(429, {}, {"Retry-After": formatdate(yandex.now / 1000 + 5_000, usegmt=True)}))
    with pytest.raises(TargetError, match="OAuth was asked too often"):
        rig.connector.probe()
    asked = len(yandex.calls)
    for _ in range(4):
        rig.fake.advance(1_200)
        with pytest.raises(TargetError, match="asked for tokens too often, and is left alone") as caught:
            rig.connector.probe()
        assert caught.value.error_class is ErrorClass.RETRY
    assert "/token" not in [path for _, path in yandex.calls[asked:]]
    rig.fake.advance(400)
    rig.connector.probe()
    assert yandex.renewals == 1


def test_what_no_renewal_helps_needs_a_person_and_loses_nothing(rig: Rig, yandex: FakeYandex) -> None:
    yandex.access, yandex.refresh = "another", "another, too"
    rig.deliver(("add", people(range(120))))
    with pytest.raises(TargetError, match="expected `segsync connect ya`") as caught:
        rig.tend()
    assert (caught.value.error_class, caught.value.level) == (ErrorClass.HOLD, HoldLevel.CONNECTOR)
    rig.connector.way.tokens.keep(rig.connector.way.consent.exchange("1234567"))
    rig.fake.advance(400)
    rig.run()
    assert len(yandex.members("VIP")) == 120


@pytest.fixture
def two(make_rig: MakeRig, yandex: FakeYandex, postgresql_url: str) -> list[AdConnector]:
    """Two processes on one store of PostgreSQL, of which none was connected yet."""
    rig = make_rig("yandex", yandex, store_url=postgresql_url)
    with rig.connector.store.changing() as connection:
        connection.exec_driver_sql("DELETE FROM ads_login")
        connection.exec_driver_sql("DELETE FROM ads_seal")
    return [rig.connector, rig.again()]


def at_once(two: list[AdConnector], act: Callable[[AdConnector], object]) -> list[str]:
    """What those are told who act at the same time and fail."""
    told: list[str] = []

    def run(each: AdConnector) -> None:
        try:
            act(each)
        except TargetError as error:
            told.append(str(error))

    threads = [threading.Thread(target=run, args=(each,)) for each in two]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told


def test_of_two_who_keep_a_first_login_at_once_one_is_told(
    two: list[AdConnector], monkeypatch: pytest.MonkeyPatch
) -> None:
    both, look = threading.Barrier(2), TokenKeeper._row

    def row(keeper: TokenKeeper, *asked: object, **how: bool) -> object:
        found = look(keeper, *asked, **how)  # type: ignore[arg-type]
        if found is None:
            both.wait(20)
        return found

    monkeypatch.setattr(TokenKeeper, "_row", row)
    (told,) = at_once(two, lambda each: each.way.tokens.keep(LoginTokens(f"of {id(each)}")))
    assert told.endswith("that one stays; expected `segsync connect ya` once more if this one is meant")
    assert two[0].way.tokens.token() == two[1].way.tokens.token()


def test_of_two_who_connect_at_once_to_two_accounts_one_is_told(two: list[AdConnector]) -> None:
    (told,) = at_once(two, lambda each: each.keep_login(LoginTokens("token"), f"account {id(each)}"))
    assert "another process has kept a login at the same time" in told
    assert not at_once(two, lambda each: each.keep_login(LoginTokens("token"), two[0].way.tokens.account() or ""))


def test_of_two_who_need_nobody_s_consent_one_asks_for_the_first_token(
    two: list[AdConnector], monkeypatch: pytest.MonkeyPatch
) -> None:
    """VK gives five, and those that nobody keeps count for ever: with six workers there would be none for a renewal."""
    asked, got, is_asked, may_answer = [], [], threading.Event(), threading.Event()

    def exchange(_code: str) -> LoginTokens:
        asked.append(threading.get_ident())
        is_asked.set()
        assert may_answer.wait(20)
        return LoginTokens("the first")

    for each in two:
        monkeypatch.setattr(each.way.consent, "url", lambda _state: "")
        monkeypatch.setattr(each.way.consent, "exchange", exchange)
    first = threading.Thread(target=lambda: got.append(two[0].way.tokens.token()))
    first.start()
    assert is_asked.wait(20)
    with pytest.raises(TargetError, match="another process asks for the first token") as caught:
        two[1].way.tokens.token()
    assert caught.value.error_class is ErrorClass.RETRY
    may_answer.set()
    first.join()
    assert got == [two[1].way.tokens.token()] == ["the first"]
    assert len(asked) == 1


def test_who_died_asking_for_the_first_token_stands_in_nobody_s_way(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    with rig.connector.store.changing() as connection:
        connection.exec_driver_sql("DELETE FROM ads_login")
    tokens, consent = rig.connector.way.tokens, type(rig.connector.way.consent)
    monkeypatch.setattr(consent, "url", lambda *_: "")

    def dies(*_: str) -> LoginTokens:
        raise KeyboardInterrupt

    monkeypatch.setattr(consent, "exchange", dies)
    with pytest.raises(KeyboardInterrupt):
        tokens.token()
    assert tokens.standing() == LoginStanding()
    monkeypatch.setattr(consent, "exchange", lambda *_: LoginTokens("the first"))
    with pytest.raises(TargetError, match="another process asks"):
        rig.again().way.tokens.token()
    rig.fake.advance(121)
    assert tokens.token() == "the first"


def test_a_first_token_that_is_refused_is_asked_for_again_and_one_that_somebody_connects_with_stays(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rig.connector.store.changing() as connection:
        connection.exec_driver_sql("DELETE FROM ads_login")
    tokens, consent = rig.connector.way.tokens, rig.connector.way.consent
    monkeypatch.setattr(consent, "url", lambda _state: "")

    def refused(_code: str) -> LoginTokens:
        raise CallFailed(Fault.LOGIN, "vk-ads 403 token_limit_exceeded", "VK's OAuth refuses it")

    def late(_code: str) -> LoginTokens:
        rig.again().keep_login(LoginTokens("a person's"), "")
        return LoginTokens("a process's")

    monkeypatch.setattr(consent, "exchange", refused)
    for _ in range(2):
        with pytest.raises(TargetError, match="token_limit_exceeded"):
            tokens.token()
    assert (tokens.standing().kept, tokens.standing().code) == (False, "vk-ads 403 token_limit_exceeded")
    monkeypatch.setattr(consent, "exchange", late)
    assert tokens.token() == tokens.token() == "a person's"


def test_nobody_has_consented_yet(rig: Rig) -> None:
    with rig.connector.store.changing() as connection:
        connection.exec_driver_sql("DELETE FROM ads_login")
    with pytest.raises(TargetError, match="nobody has consented yet; expected `segsync connect ya`"):
        rig.connector.probe()


def test_tokens_show_nowhere() -> None:
    assert repr(LoginTokens("secret-1", "secret-2")).count("secret") == 0


def test_a_login_that_is_out_of_reach_for_a_while_needs_nobody(rig: Rig, yandex: FakeYandex) -> None:
    rig.deliver(("add", people(range(120))))
    yandex.access = "another"
    yandex.fail("/token", Reply(500, {}))
    with pytest.raises(TargetError) as caught:
        rig.tend()
    assert caught.value.error_class is ErrorClass.RETRY
    assert (rig.standing().waits, rig.standing().code) == ("the platform", "yandex-audiences 500")
    rig.fake.advance(60)
    rig.run()
    assert len(yandex.members("VIP")) == 120


@on("yandex", "vk", "google")
@pytest.mark.parametrize("begun", [False, True])
def test_a_call_for_which_there_is_no_token_is_known_to_be_undone(
    account: Account, rig: Rig, fake: FakePlatform, *, begun: bool
) -> None:
    """Taken for one of which nobody heard, what is told in the day after it would be told once more."""
    if begun:
        rig.deliver(("add", people(range(4))))
        rig.run(2)
    fake.advance(3_600)
    fake.expire_token()
    fake.fail("token", Reply(500, {}), times=2)
    rig.deliver(("add", people(range(8))))
    for _ in range(2):
        with pytest.raises(TargetError, match="500"):
            rig.tend()
        fake.advance(600)
    code = f"{account.platform} 500"
    failed = rig.rows("SELECT state, code FROM ads_call WHERE state != 'done'")
    assert [" ".join(map(str, each)) for each in failed] == [f"undone {code}"] * 2
    rig.run(2)
    assert account.members(fake) == account.wanted(people(range(8)))
    made = changes(fake)
    rig.run(48)
    assert changes(fake) == made
    assert owes_nothing(rig)


def test_a_move_whose_login_is_not_kept_moves_nothing(
    rig: Rig, yandex: FakeYandex, redis_client: redis.Redis, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All would be begun anew in the account before, beside what is there."""
    rig.deliver(("add", people(range(120))))
    rig.run()
    yandex.segments.clear()

    def away(*_: object, **__: object) -> None:
        raise TargetError(ErrorClass.RETRY, "ads store", "is away")

    account = OpenAccount(rig.connector, redis_client, Keys(namespace), is_applied=False)
    with monkeypatch.context() as patched:
        patched.setattr(rig.connector.way.tokens, "write", away)
        with pytest.raises(TargetError, match="is away"):
            use_code(account, "1234567", moves=True)
    assert rig.standing().state == "live"
    use_code(account, "1234567", moves=True)
    assert rig.standing().state == "new"
