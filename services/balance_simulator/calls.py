"""REST calls and answers, and a broken front before a venue: common to all venues.

Pure: no sockets and no clock.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from balance_simulator.faults import Fault, Faults


class Call(NamedTuple):
    """One HTTP request.

    ``headers`` must be found in any case; ``body`` and ``target`` (path and query) are
    exactly as sent.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""
    query: Mapping[str, str] = {}
    target: str = ""

    @property
    def endpoint(self) -> str:
        """The last word of the path."""
        return self.path.rsplit("/", 1)[-1]


class Answer(NamedTuple):
    """One HTTP answer, to be sent after ``delay_s`` seconds."""

    text: str
    status: int = 200
    content_type: str = "application/json"
    delay_s: float = 0.0


def through_front(
    faults: Faults, call: Call, html: str, given: Callable[[], Answer]
) -> Answer:
    """Answer a call through a front that may be slow, in place or cut answers short.

    Args:
        faults: what is armed; ``delay``, ``html``, ``raw`` and ``truncate`` are met.
        call: the request.
        html: the page that the front shows when the venue behind it is gone.
        given: returns the venue's own answer; not called when the front answers.
    """
    endpoint = call.endpoint
    delay = faults.take(Fault.DELAY, endpoint=endpoint)
    answer = _page(faults, endpoint, html) or given()
    if faults.take(Fault.TRUNCATE, to="rest", endpoint=endpoint):
        answer = answer._replace(text=answer.text[: len(answer.text) // 2])
    if delay:
        answer = answer._replace(delay_s=float(delay.arguments["seconds"]))
    return answer


def _page(faults: Faults, endpoint: str, html: str) -> Answer | None:
    """Return what a broken front would answer in place of the venue."""
    page = faults.take(Fault.HTML, endpoint=endpoint)
    if page:
        return Answer(html, int(page.arguments["status"]), "text/html")
    raw = faults.take(Fault.RAW, to="rest", endpoint=endpoint)
    if raw:
        return Answer(str(raw.arguments["text"]), int(raw.arguments["status"]))
    return None
