"""Sends one mail through the server that DUTIFUL_SMTP_URL names."""

import re
import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from anyio import to_thread

SECONDS = 20.0

# What the envelope takes as one plain address. Anything else in an address of ours is no address for mail.
_PLAIN_ADDRESS = re.compile(r"[^\s,;:<>()\[\]\\\"@]+@[^\s,;:<>()\[\]\\\"@]+")


class MailError(Exception):
    """It was not sent. `is_final`: it never will be, however often it is tried."""

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final


@dataclass(frozen=True, slots=True)
class Mail:
    to: str
    subject: str
    text: str


async def send(smtp_url: str, mail: Mail) -> None:
    """Raises MailError. The URL's password goes over TLS or not at all."""
    await to_thread.run_sync(_send, urlsplit(smtp_url), mail)


def _send(server: SplitResult, mail: Mail) -> None:
    message = _message(server, mail)
    try:
        with _connect(server) as connection:
            if server.username:
                connection.login(unquote(server.username), unquote(server.password or ""))
            connection.send_message(message, to_addrs=[mail.to])
    except smtplib.SMTPRecipientsRefused as error:
        code, _ = next(iter(error.recipients.values()))
        raise MailError(f"the mail server refuses the recipient ({code})", is_final=code >= 500) from error
    except smtplib.SMTPAuthenticationError as error:
        raise MailError(f"the mail server does not take user and password ({error.smtp_code})") from error
    except smtplib.SMTPNotSupportedError as error:
        raise MailError(
            f"the mail server cannot do it: {error}", is_final=bool(server.username is None)
        ) from error
    except (smtplib.SMTPException, OSError) as error:
        # Told without what the server said, which may repeat what it was sent.
        raise MailError(f"the mail server cannot be used: {type(error).__name__}") from error


def _message(server: SplitResult, mail: Mail) -> EmailMessage:
    if not _PLAIN_ADDRESS.fullmatch(mail.to):
        raise MailError("the e-mail address is none that mail can be sent to", is_final=True)
    message = EmailMessage(policy=SMTP)
    sender = sender_of(server)
    message["From"] = sender
    message["To"] = mail.to
    message["Subject"] = mail.subject
    message["Date"] = formatdate(localtime=False)
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    # No machine answers this one (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    return message


def sender_of(server: SplitResult) -> str:
    """`?from=`, else the user if that is an address, else one at the mail server's host."""
    named = parse_qs(server.query).get("from", [""])[0] or unquote(server.username or "")
    return named if _PLAIN_ADDRESS.fullmatch(named) else f"dutiful@{server.hostname}"


def _connect(server: SplitResult) -> smtplib.SMTP:
    assert server.hostname is not None  # noqa: S101 - the settings have checked it
    context = ssl.create_default_context()
    if server.scheme == "smtps":
        return smtplib.SMTP_SSL(server.hostname, server.port or 465, timeout=SECONDS, context=context)
    connection = smtplib.SMTP(
        server.hostname, server.port or (587 if server.username else 25), timeout=SECONDS
    )
    try:
        connection.ehlo_or_helo_if_needed()
        if connection.has_extn("starttls"):
            connection.starttls(context=context)
        elif server.username:
            raise MailError("the mail server offers no TLS, and the password is not sent without")
    except BaseException:
        connection.close()
        raise
    return connection
