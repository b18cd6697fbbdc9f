"""Mail over SMTP (RFC 5321): STARTTLS or implicit TLS, login only under TLS, Chinese by RFC 2047 and UTF-8."""

from __future__ import annotations

import smtplib
import ssl
from base64 import b64encode
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from notify.notice import Delivered, Failed, Message, Receipt, Retry, Why
from notify.text import body, flat, title
from notify.web import ending, reason
from records.secret import Secret

READY = 220
PERMANENT = 500
AUTHENTICATED = 235


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One server and its sender.

    Attributes:
        security: ``starttls``, ``tls`` (implicit) or ``none``.
        recipients: Get every message, beside those on duty.
        ca: File with the authorities to trust; empty: the system's.
    """

    host: str
    port: int
    security: str
    sender: str
    recipients: tuple[str, ...]
    username: str
    password: Secret | None
    ca: str
    seconds: float
    clock: Callable[[], datetime]

    def send(self, message: Message) -> Receipt:
        to = tuple(dict.fromkeys((*self.recipients, *(one.mail for one in message.to if one.mail))))
        if not to:
            return Failed(why=Why("nobody on duty has a mail address, and the channel names none"))
        client = self._client()
        try:
            with ending(lambda: client.sock, self.seconds):
                return self._converse(client, message, to)
        finally:
            client.close()

    def _client(self) -> smtplib.SMTP:
        """Not connected yet: so its socket can be shut from the first byte on."""
        client = smtplib.SMTP(timeout=self.seconds)
        if self.security == "tls":
            client = smtplib.SMTP_SSL(timeout=self.seconds, context=self._context())
        client._host = self.host  # type: ignore[attr-defined]  # noqa: SLF001 - what TLS checks; else the constructor connects
        return client

    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca or None)

    def _converse(self, client: smtplib.SMTP, message: Message, to: Sequence[str]) -> Receipt:
        try:
            self._greet(client)
        except smtplib.SMTPResponseException as error:
            return _refused(error)
        except ssl.SSLCertVerificationError as error:
            return Failed(why=Why("its certificate is not to be trusted: {reason}", {"reason": error.verify_message}))
        except (OSError, ValueError) as error:
            return Retry(why=Why("cannot connect: {reason}", {"reason": reason(error)}), reached=False)
        return self._deliver(client, message, to)

    def _greet(self, client: smtplib.SMTP) -> None:
        code, said = client.connect(self.host, self.port)
        if code != READY:
            raise smtplib.SMTPConnectError(code, said)
        if self.security == "starttls":
            client.starttls(context=self._context())
        if self.password is not None:
            _login(client, self.username, self.password.reveal())

    def _deliver(self, client: smtplib.SMTP, message: Message, to: Sequence[str]) -> Receipt:
        """Once the data are under way, an end without an answer may mean that it arrived."""
        try:
            refused = client.send_message(self.letter(message, to), self.sender, to)
        except smtplib.SMTPRecipientsRefused as error:
            return _nobody(error)
        except smtplib.SMTPResponseException as error:
            return _refused(error)
        except (OSError, ValueError) as error:
            return Retry(why=Why("the mail server broke off: {reason}", {"reason": reason(error)}))
        with suppress(OSError):  # taken is taken, whatever it says to the farewell
            client.quit()
        note = Why("it refuses these recipients: {names}", {"names": ", ".join(refused)}) if refused else None
        return Delivered(note=note)

    def letter(self, message: Message, to: Sequence[str]) -> EmailMessage:
        """The letter; its Message-ID is the same in every try."""
        found = EmailMessage(policy=SMTP)
        found["From"] = self.sender
        found["To"] = ", ".join(to)
        found["Subject"] = flat(title(message))
        found["Date"] = format_datetime(self.clock())
        found["Message-ID"] = f"<{message.id}@{self.sender.rpartition('@')[2]}>"
        found["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday replies
        found.set_content(f"{title(message)}\n\n{body(message)}\n", charset="utf-8", cte="base64")
        return found


def _login(client: smtplib.SMTP, username: str, password: str) -> None:
    """What smtplib negotiates; it knows ASCII only, so other names and passwords go as PLAIN in UTF-8 (RFC 4616)."""
    if username.isascii() and password.isascii():
        client.login(username, password)
        return
    client.ehlo_or_helo_if_needed()
    code, said = client.docmd("AUTH", "PLAIN " + b64encode(f"\0{username}\0{password}".encode()).decode())
    if code != AUTHENTICATED:
        raise smtplib.SMTPAuthenticationError(code, said)


def _refused(error: smtplib.SMTPResponseException) -> Receipt:
    """4yz may heal, 5yz will not (RFC 5321 §4.2.1)."""
    said = error.smtp_error
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    why = Why("it answers {code} {text}", {"code": error.smtp_code, "text": flat(text, 200)})
    if error.smtp_code >= PERMANENT:
        return Failed(why=why)
    return Retry(why=why, reached=False)


def _nobody(error: smtplib.SMTPRecipientsRefused) -> Receipt:
    codes = [code for code, _ in error.recipients.values()]
    why = Why("it refuses these recipients: {names}", {"names": ", ".join(error.recipients)})
    return Failed(why=why) if all(code >= PERMANENT for code in codes) else Retry(why=why, reached=False)
