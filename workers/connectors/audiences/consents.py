"""The ways to tokens, each as its platform's pages have it: Yandex.OAuth, VK's and Google's.

yandex.ru/dev/id (codes/code-url, tokens/refresh-client); ads.vk.com/doc, "Authorization"; and Google's "OAuth 2.0 for
desktop apps". Facebook's token stands in the file (`facebook.GivenToken`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from workers.connectors.audiences.http import retry_after_ms, whole_number, word
from workers.connectors.audiences.logins import LoginTokens
from workers.connectors.audiences.wire import CallFailed, Fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.connectors.audiences.http import Http, HttpAnswer

_YANDEX: Final = "https://oauth.yandex.ru"
_QUARTER_S: Final = 90 * 86_400


def lacking(granted: object, rights: Sequence[str]) -> tuple[str, ...] | None:
    """Of these rights those that an answer does not grant; None where it says nothing of rights.

    granted  names with blanks or commas between them, or a list
    """
    if isinstance(granted, list):
        granted = " ".join(each for each in granted if isinstance(each, str))
    if not isinstance(granted, str):
        return None
    names = granted.replace(",", " ").split()
    return tuple(each for each in rights if each not in names)


def _refused(platform: str, answer: HttpAnswer, code: str, who: str, what: str) -> CallFailed:
    """No tokens: `who` failed, or refuses `what`."""
    shown = f"{platform} {answer.status} {code}".rstrip()
    if answer.status >= 500 or answer.body is None:  # noqa: PLR2004 - HTTP's
        return CallFailed(Fault.UNHEARD, shown, f"{who} failed")
    if answer.status == 429:  # noqa: PLR2004 - HTTP's
        return CallFailed(Fault.BUDGET, shown, f"{who} was asked too often", wait_ms=retry_after_ms(answer, 0))
    return CallFailed(Fault.LOGIN, shown, f"{who} refuses {what}")


class YandexConsent:
    """`logins.Consent`: a person opens a page and pastes the code that it shows.

    rights  as `Platform.rights`; oauth: Yandex.OAuth's own address, unless a test says otherwise
    """

    application = ""
    early_s = 365 * 86_400 - _QUARTER_S
    """A token lives a year; Yandex advises a new one every three months."""

    def __init__(
        self, http: Http, client_id: str, client_secret: str, oauth: str = "", rights: Sequence[str] = ()
    ) -> None:
        self._http = http
        self._rights = rights
        self._id = client_id
        self._secret = client_secret
        self._oauth = (oauth or _YANDEX).rstrip("/")

    def url(self, state: str) -> str:
        """As `Consent.url`."""
        words = {"response_type": "code", "client_id": self._id, "redirect_uri": f"{_YANDEX}/verification_code"}
        words |= {"scope": " ".join(self._rights), "state": state, "force_confirm": "yes"}
        return f"{self._oauth}/authorize?{urlencode(words)}"

    def exchange(self, code: str) -> LoginTokens:
        """As `Consent.exchange`."""
        return self._tokens({"grant_type": "authorization_code", "code": code})

    def renew(self, refresh: str) -> LoginTokens:
        """As `Consent.renew`."""
        return self._tokens({"grant_type": "refresh_token", "refresh_token": refresh})

    def _tokens(self, what: dict[str, str]) -> LoginTokens:
        form = what | {"client_id": self._id, "client_secret": self._secret}
        answer = self._http.send("POST", f"{self._oauth}/token", form=form)
        access = answer.field("access_token")
        if answer.fine and isinstance(access, str):
            life = answer.field("expires_in")
            refresh = answer.field("refresh_token")
            lacks = lacking(answer.field("scope"), self._rights)
            if lacks is None and "code" in what:
                lacks = ()  # it says so only where it has granted less than was asked for
            return LoginTokens(access, refresh if isinstance(refresh, str) else "", whole_number(life), lacks=lacks)
        error = word(answer.field("error"))
        raise _refused("yandex-audiences", answer, error, "Yandex.OAuth", "the code, the token or the application")


class VkConsent:
    """`logins.Consent`: an application's own account needs no person.

    VK gives five tokens to an application and a user, and counts those that have ended; so one is kept and renewed.
    """

    early_s = 3600
    """A token lives a day."""

    def __init__(self, http: Http, client_id: str, client_secret: str, rights: Sequence[str] = ()) -> None:
        self._http = http
        self._rights = rights
        self.application = client_id
        self._client = {"client_id": client_id, "client_secret": client_secret}

    def url(self, state: str) -> str:  # noqa: ARG002 - nobody has to be asked
        """As `Consent.url`."""
        return ""

    def exchange(self, code: str) -> LoginTokens:  # noqa: ARG002 - nobody has been asked
        """As `Consent.exchange`."""
        return self._tokens({"grant_type": "client_credentials"})

    def renew(self, refresh: str) -> LoginTokens:
        """As `Consent.renew`; LOGIN also where VK has dropped what nobody used for a month."""
        return self._tokens({"grant_type": "refresh_token", "refresh_token": refresh})

    def _tokens(self, grant: dict[str, str]) -> LoginTokens:
        answer = self._http.send("POST", "/api/v2/oauth2/token.json", form=grant | self._client)
        access, refresh = answer.field("access_token"), answer.field("refresh_token")
        if answer.fine and isinstance(access, str):
            life = whole_number(answer.field("expires_in"))
            lacks = lacking(answer.field("scope"), self._rights)
            return LoginTokens(access, refresh if isinstance(refresh, str) else "", life, lacks=lacks)
        code = word(answer.field("code")) or word(answer.field("error"))
        refused = "the application, or has given out all its tokens"
        raise _refused("vk-ads", answer, code, "VK's OAuth", refused)


class GoogleConsent:
    """`logins.Consent`: a person opens a page, which leads to an address that nobody answers, with the code in it.

    base  where tokens are given; "" for Google's own
    """

    application = ""
    early_s = 600
    """A token lives an hour."""
    redirect = "http://127.0.0.1:1/"
    """Where the page leads: the browser shows an error there, and the code in its address bar."""

    def __init__(
        self, http: Http, client_id: str, client_secret: str, base: str = "", rights: Sequence[str] = ()
    ) -> None:
        self._http = http
        self._rights = rights
        self._client = {"client_id": client_id, "client_secret": client_secret}
        self._base = base or "https://oauth2.googleapis.com"

    def url(self, state: str) -> str:
        """As `Consent.url`."""
        words = {"response_type": "code", "client_id": self._client["client_id"], "redirect_uri": self.redirect}
        words |= {"scope": " ".join(self._rights), "state": state}
        words |= {"access_type": "offline", "prompt": "consent"}
        return f"https://accounts.google.com/o/oauth2/v2/auth?{urlencode(words)}"

    def exchange(self, code: str) -> LoginTokens:
        """As `Consent.exchange`."""
        return self._tokens({"grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect})

    def renew(self, refresh: str) -> LoginTokens:
        """As `Consent.renew`: the refresh token stays as it is."""
        return self._tokens({"grant_type": "refresh_token", "refresh_token": refresh})

    def _tokens(self, what: dict[str, str]) -> LoginTokens:
        answer = self._http.send("POST", f"{self._base}/token", form=what | self._client)
        access, refresh = answer.field("access_token"), answer.field("refresh_token")
        if answer.fine and isinstance(access, str):
            lives, ends = (whole_number(answer.field(each)) for each in ("expires_in", "refresh_token_expires_in"))
            lacks = lacking(answer.field("scope"), self._rights)
            return LoginTokens(access, refresh if isinstance(refresh, str) else "", lives, ends, lacks)
        error = word(answer.field("error"))
        raise _refused("google-audiences", answer, error, "Google's OAuth", "the code, the token or the application")
