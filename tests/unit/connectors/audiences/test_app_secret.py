"""Facebook's `appsecret_proof`, of each call: against a vector, and without the secret itself."""

from __future__ import annotations

from typing import Any

from workers.connectors.audiences.facebook import FacebookWire
from workers.connectors.audiences.http import Http, HttpAnswer

PROOF = "04a3b763a778e4f2804eb286b1657124594c11317cdf93323f0d766cabd75fb1"
"""HMAC-SHA256 with the key `app-secret-1234` of the text `EAAtoken` ("Secure Graph API calls")."""


class Noting(Http):
    """Notes what is sent, and answers with nothing."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send(self, method: str, path: str, **options: Any) -> HttpAnswer:
        self.sent.append({"method": method, "path": path} | options)
        return HttpAnswer(200, {}, {"data": [], "success": True})


def sent_with(secret: str) -> list[dict[str, Any]]:
    http = Noting()
    wire = FacebookWire(http, "77", "EAAtoken", secret)
    wire.account()
    wire.signs()
    list(wire._listed())
    return http.sent


def test_each_call_bears_the_proof_and_none_the_secret() -> None:
    sent = sent_with("app-secret-1234")
    assert len(sent) == 4
    assert {each["query"]["appsecret_proof"] for each in sent} == {PROOF}
    assert "app-secret-1234" not in repr(sent)


def test_without_a_secret_there_is_no_proof() -> None:
    assert not [each for each in sent_with("") if "appsecret_proof" in (each["query"] or {})]
