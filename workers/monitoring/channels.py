"""The ways to tell: a webhook, mail, a command."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import smtplib
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from email.message import EmailMessage
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import msgspec

from workers.monitoring.alarms import NotSent
from workers.settings.alerts import SMTP
from workers.settings.urls import split

if TYPE_CHECKING:
    from workers.monitoring.alarms import Channel, Message
    from workers.settings.alerts import AlertSettings

SECONDS: Final = 15.0
"""How long each step on a channel's network may take."""
LONGEST_SECONDS: Final = 2 * SECONDS
"""How long a channel may take for a message, however slowly it goes on: others wait to be told."""
SIGNATURE: Final = "X-Segsync-Signature"
"""`t=UNIX,v1=HEX`: HMAC-SHA256 of `UNIX.BODY` by the secret, so that neither body nor time can be changed."""


def channels_of(settings: AlertSettings) -> list[Channel]:
    """All that are set up."""
    found: list[Channel] = []
    if settings.webhook:
        found.append(InTime(Webhook(settings.webhook, settings.webhook_secret)))
    if settings.smtp:
        found.append(InTime(Mail(settings)))
    if settings.command:
        found.append(Command(settings.command))
    return found


class InTime:
    """A channel that is given up after LONGEST_SECONDS: time-outs of a network begin anew with each byte that comes.

    What was given up goes on in a thread of its own, which holds up nobody; until that ends, nothing more is sent.
    """

    def __init__(self, channel: Channel, seconds: float = LONGEST_SECONDS) -> None:
        self.name = channel.name
        self._channel, self._seconds = channel, seconds
        self._thread: threading.Thread | None = None

    def send(self, message: Message) -> None:
        """As the channel does."""
        if self._thread is not None and self._thread.is_alive():
            raise NotSent("the message before this one is still on its way")
        failed: list[BaseException] = []

        def sends() -> None:
            try:
                self._channel.send(message)
            except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
                failed.append(error)

        self._thread = threading.Thread(target=sends, name=f"segsync-{self.name}", daemon=True)
        self._thread.start()
        self._thread.join(self._seconds)
        if self._thread.is_alive():
            raise NotSent(f"it came to no end within {self._seconds:g} s")
        if failed:
            raise failed.pop()  # out of the list: its traceback leads here, and would keep itself alive


class Webhook:
    """POSTs each message as JSON."""

    name = "webhook"

    def __init__(self, url: str, secret: str | None) -> None:
        self._url, self._secret = url, secret

    def send(self, message: Message) -> None:
        """Anything but 2xx is a failure."""
        body = msgspec.json.encode(message)
        headers = {"Content-Type": "application/json", "User-Agent": "segsync"}
        if self._secret:
            headers[SIGNATURE] = signature(self._secret, int(time.time()), body)
        request = urllib.request.Request(self._url, body, headers, method="POST")  # noqa: S310 - checked with the file
        try:
            with _opener.open(request, timeout=SECONDS):
                return
        except urllib.error.HTTPError as error:
            error.close()
            raise NotSent(f"it answered {error.code}") from None
        except (OSError, ValueError, http.client.HTTPException) as error:  # the last: what answers speaks no HTTP
            raise NotSent(f"it is out of reach ({type(error).__name__})") from None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A POST that is redirected would go on as a GET without its message, to a login page that answers 200."""

    def redirect_request(self, *_: object) -> None:
        """None, so that the redirect is an answer that is not 2xx."""


_opener: Final = urllib.request.build_opener(_NoRedirects)


def signature(secret: str, at: int, body: bytes) -> str:
    """The header's value; `at` in Unix seconds."""
    signed = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256)
    return f"t={at},v1={signed.hexdigest()}"


class Mail:
    """One mail for each message."""

    name = "smtp"

    def __init__(self, settings: AlertSettings) -> None:
        self._settings, self._url = settings, split(settings.smtp)

    def send(self, message: Message) -> None:
        """Through the server of the URL; without TLS only where its host is this one."""
        try:
            mail = self._written(message)
            with self._connected() as server:
                if self._url.user:
                    server.login(unquote(self._url.user), self._settings.smtp_password or "")
                server.send_message(mail)
        except (OSError, smtplib.SMTPException) as error:
            raise NotSent(f"the mail server refused or did not answer ({type(error).__name__})") from None
        except ValueError:  # the library's own check; its text may show the password
            refused = "a character in an address, the user or the password is none that a mail or its login can carry"
            raise NotSent(f"{refused}; expected ASCII") from None

    def _written(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["From"], mail["To"] = self._settings.sender, ", ".join(self._settings.to)
        mail["Subject"] = f"[{message.namespace}] {message.topic}: {message.state}"
        mail.set_content(text_of(message))
        return mail

    def _connected(self) -> smtplib.SMTP:
        host, port = self._url.host.strip("[]"), int(self._url.port or SMTP[self._url.scheme])
        if self._url.scheme == "smtps":
            return smtplib.SMTP_SSL(host, port, timeout=SECONDS, context=ssl.create_default_context())
        server = smtplib.SMTP(host, port, timeout=SECONDS)
        if host not in {"localhost", "127.0.0.1", "::1"}:
            server.starttls(context=ssl.create_default_context())
        return server


class Command:
    """Runs a program for each message, which gets it as JSON on its standard input."""

    name = "command"

    def __init__(self, command: tuple[str, ...]) -> None:
        self._command = command

    def send(self, message: Message) -> None:
        """Any exit status but 0 is a failure."""
        body = msgspec.json.encode(message)
        try:
            done = subprocess.run(  # noqa: S603 - the operator's own program
                self._command,
                input=body,
                timeout=LONGEST_SECONDS,
                check=False,
                # Not a pipe, which a child that it leaves behind would hold open.
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:  # ValueError: a NUL in an argument
            raise NotSent(f"{self._command[0]}: {type(error).__name__}") from None
        if done.returncode:
            raise NotSent(f"{self._command[0]} ended with {done.returncode}")


def text_of(message: Message) -> str:
    """A message for people."""
    what = {"begun": "Someone is needed", "over": "This is over", "test": "This is a test"}[message.state]
    return (
        f"{what}, since {message.since:%Y-%m-%d %H:%M:%S} UTC:\n\n{message.sentence}\n\n"
        f"(segsync {message.namespace}, {message.topic}; `segsync status` has the rest)\n"
    )
