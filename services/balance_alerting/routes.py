"""The routes: how a notice reaches Alertmanager, a webhook or the log."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import structlog

from balance_alerting.notices import (
    Notice,
    alertmanager_body,
    signature,
    webhook_body,
)
from balance_alerting.route_settings import (
    AlertmanagerRoute,
    AnyRoute,
    LogRoute,
    WebhookRoute,
)
from balance_shared.clock import Clock
from balance_shared.errors import NotDelivered, SettingsError

TIMEOUT_S = 10.0
"""How long a route may take to answer, in seconds."""

_ALERTS = "/api/v2/alerts"
_OK = range(200, 300)
_REFUSED = {400, 413, 422}  # this notice; the others say that it takes none now
_TEXT_CHARS_MAX = 200

log = structlog.get_logger(__name__)


class Route(Protocol):
    """A way to tell people.

    Attributes:
        resend_s: seconds after which alerts that last are sent again; None: never.
        together: most notices that one call of `send` takes.
    """

    resend_s: float | None
    together: int

    async def send(self, notices: Sequence[Notice]) -> None:
        """Tell of some alerts, all or none.

        Raises:
            NotDelivered: try again, later.
        """


class Alertmanager:
    """A Prometheus Alertmanager.

    Args:
        settings: from the rules.
        session: to call with.
        clock: the service's.
    """

    together = 64

    def __init__(
        self,
        settings: AlertmanagerRoute,
        session: aiohttp.ClientSession,
        clock: Clock,
    ) -> None:
        self._url = settings.url.rstrip("/") + _ALERTS
        self._expires = settings.expires
        self.resend_s: float | None = settings.resend.total_seconds()
        self._session = session
        self._clock = clock

    async def send(self, notices: Sequence[Notice]) -> None:
        """Post alerts; see `Route.send`."""
        now = self._clock.now()
        alerts = [alertmanager_body(one, now, self._expires) for one in notices]
        await _post(self._session, self._url, json=alerts)


class Webhook:
    """A page that takes JSON, signed if there is a secret.

    Args:
        settings: from the rules.
        url: where it is.
        secret: shared with it; None: nothing is signed.
        session: to call with.
        clock: the service's.
    """

    together = 1
    resend_s: float | None = None

    def __init__(
        self,
        settings: WebhookRoute,
        url: str,
        secret: bytes | None,
        session: aiohttp.ClientSession,
        clock: Clock,
    ) -> None:
        self._template = settings.body
        self._url = url
        self._secret = secret
        self._session = session
        self._clock = clock

    async def send(self, notices: Sequence[Notice]) -> None:
        """Post each notice; see `Route.send`."""
        for notice in notices:
            body = webhook_body(notice, self._template)
            headers = self._headers(notice, body)
            await _post(self._session, self._url, data=body, headers=headers)

    def _headers(self, notice: Notice, body: bytes) -> dict[str, str]:
        timestamp = str(int(self._clock.now().timestamp()))
        headers = {
            "Content-Type": "application/json",
            "X-Balancebus-Id": notice.notice_id.encode("ascii", "replace").decode(),
            "X-Balancebus-Timestamp": timestamp,
        }
        if self._secret is not None:
            proof = signature(self._secret, timestamp, body)
            headers["X-Balancebus-Signature"] = f"sha256={proof}"
        return headers


class Log:
    """The service's own log."""

    together = 64
    resend_s: float | None = None

    async def send(self, notices: Sequence[Notice]) -> None:
        """Write a line for each notice."""
        for notice in notices:
            alert = notice.alert
            log.warning(
                "alert",
                alert_id=alert.alert_id,
                kind=notice.kind,
                severity=alert.severity,
                summary=alert.summary,
            )


def routes_of(
    settings: Mapping[str, AnyRoute], session: aiohttp.ClientSession, clock: Clock
) -> dict[str, Route]:
    """Return name → route; reads the files with addresses and secrets.

    Raises:
        SettingsError: a file cannot be read, or does not hold what it should.
    """
    return {name: _route(name, one, session, clock) for name, one in settings.items()}


def _route(
    name: str, settings: AnyRoute, session: aiohttp.ClientSession, clock: Clock
) -> Route:
    match settings:
        case AlertmanagerRoute():
            return Alertmanager(settings, session, clock)
        case LogRoute():
            return Log()
    url, secret = settings.url or "", None
    if settings.url_file is not None:
        url = _text_of(name, "url_file", settings.url_file)
        if not url.startswith(("http://", "https://")):
            raise SettingsError(f"route {name}: {settings.url_file} holds no URL")
    if settings.secret_file is not None:
        secret = _text_of(name, "secret_file", settings.secret_file).encode()
    return Webhook(settings, url, secret, session, clock)


def _text_of(route: str, field: str, path: str) -> str:
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "is not UTF-8 text"
        raise SettingsError(f"route {route}: {field}: {path}: {why}") from None
    if not text:
        raise SettingsError(f"route {route}: {field}: {path} is empty")
    return text


async def _post(session: aiohttp.ClientSession, url: str, **arguments: Any) -> None:
    """Post something; no redirect takes a secret elsewhere.

    Raises:
        NotDelivered: no answer, or one that does not say that it was taken.
    """
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    posting = session.post(url, timeout=timeout, allow_redirects=False, **arguments)
    try:
        async with posting as answer:
            status, text = answer.status, await answer.text(errors="replace")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise NotDelivered(f"{type(error).__name__} {error}".strip()) from error
    if status not in _OK:
        what = f"HTTP {status} {text[:_TEXT_CHARS_MAX]}".strip()
        raise NotDelivered(what, refused=status in _REFUSED)
