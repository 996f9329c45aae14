"""The schema registry, spoken to by its Confluent API.

Running services need it only for schema ids that they have not met; starting ones wait
for it.
"""

import asyncio
from typing import Any, Self

import aiohttp
import structlog
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_delay,
    stop_never,
    wait_random_exponential,
)

from balance_schemas.codec import Schema, UndecodableError, writer_schema
from balance_shared.errors import BusInterrupted, PublishError, text_of

COMPATIBILITY = "FULL_TRANSITIVE"
"""Every version reads every other, so that teams upgrade in any order."""

_CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
_NOT_FOUND = 404
_CONFLICT = 409
_BUSY = (408, 429)
_NO_WORDS = "and no word: is BALANCEBUS_SCHEMA_REGISTRY_URL whole, with its path?"
_SERVER_ERROR = 500

log = structlog.get_logger(__name__)


class Registry:
    """Client of one registry; use as an async context manager.

    Args:
        url: base of the Confluent API, such as ``http://host:8081/apis/ccompat/v7``.
        patience_s: how long to try before giving up, in seconds; None waits for ever.
    """

    def __init__(self, url: str, patience_s: float | None = None) -> None:
        self._url = url.rstrip("/")
        self._stop = stop_never if patience_s is None else stop_after_delay(patience_s)
        self._session: aiohttp.ClientSession | None = None
        self._schemas: dict[int, Schema] = {}

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def register(self, subject: str, schema: str) -> int:
        """Register a schema (again) and return its id.

        Raises:
            PublishError: the registry refuses it as incompatible, or as wrong.
            BusInterrupted: no answer within `patience_s`.
        """
        await self._call("PUT", f"/config/{subject}", {"compatibility": COMPATIBILITY})
        answer = await self._call(
            "POST", f"/subjects/{subject}/versions", {"schema": schema}, expected="id"
        )
        return int(answer["id"])

    async def compatible(self, subject: str, schema: str) -> bool:
        """Say whether `register` would take a schema; changes nothing."""
        versions = await self._call("GET", f"/subjects/{subject}/versions", missing=[])
        checks = [
            self._call(
                "POST",
                f"/compatibility/subjects/{subject}/versions/{version}",
                {"schema": schema},
                expected="is_compatible",
            )
            for version in versions
        ]
        answers = await asyncio.gather(*checks)
        return all(answer["is_compatible"] for answer in answers)

    async def schema(self, schema_id: int) -> Schema:
        """Return a writer schema by id, ready for the codec; remembered.

        Raises:
            UndecodableError: the registry knows no such id.
            BusInterrupted: no answer within `patience_s`.
        """
        if schema_id not in self._schemas:
            answer = await self._call("GET", f"/schemas/ids/{schema_id}", missing={})
            if "schema" not in answer:
                raise UndecodableError(f"the registry has no schema {schema_id}")
            self._schemas[schema_id] = writer_schema(answer["schema"])
        return self._schemas[schema_id]

    async def _call(
        self,
        method: str,
        path: str,
        body: Any = None,
        missing: Any = None,
        expected: str = "",
    ) -> Any:
        """Return the JSON answer, or `missing` (if given) where there is nothing.

        An answer without the `expected` member is some proxy's: asked again.
        """
        try:
            async for attempt in AsyncRetrying(
                stop=self._stop,
                wait=wait_random_exponential(multiplier=0.2, max=5),
                retry=retry_if_exception_type((aiohttp.ClientError, TimeoutError)),
                before_sleep=self._note,
                reraise=True,
            ):
                with attempt:
                    answer = await self._ask(method, path, body, missing)
                    if expected and expected not in answer:
                        raise aiohttp.ClientPayloadError(f"{path}: no {expected!r}")
                    return answer
        except (aiohttp.ClientError, TimeoutError) as error:
            raise BusInterrupted(
                f"schema registry {self._url} does not answer: {text_of(error)}"
            ) from error

    async def _ask(self, method: str, path: str, body: Any, missing: Any) -> Any:
        if self._session is None:
            raise RuntimeError("use the registry as an async context manager")
        async with self._session.request(
            method,
            f"{self._url}{path}",
            json=body,
            headers={"Content-Type": _CONTENT_TYPE},
        ) as answer:
            if answer.status == _NOT_FOUND and missing is not None:
                return missing
            if _passes(method, answer.status):
                answer.raise_for_status()
            if not answer.ok:
                raise PublishError(
                    f"schema registry {self._url} refuses {method} {path}: "
                    f"{answer.status} {(await answer.text())[:500] or _NO_WORDS}"
                )
            try:
                return await answer.json(content_type=None)
            except ValueError as error:  # a page of some proxy: the answer is to come
                raise aiohttp.ClientPayloadError(
                    f"{method} {path}: not JSON: {(await answer.text())[:100]!r}"
                ) from error

    def _note(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if error is not None:
            log.warning("registry_unreachable", url=self._url, error=text_of(error))


def _passes(method: str, status: int) -> bool:
    """Return whether asking again may mend an answer.

    Processes that start together set a subject's compatibility together, and all but
    the first may meet 409; an incompatible schema (409 to POST) stays so.
    """
    raced = status == _CONFLICT and method == "PUT"
    return raced or status >= _SERVER_ERROR or status in _BUSY
