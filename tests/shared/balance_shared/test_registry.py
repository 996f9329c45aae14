"""The registry: waited for where that helps, refused where it does not."""

import asyncio
import json
import socket
import uuid

import pytest
from aiohttp import web

from balance_schemas.codec import UndecodableError, schema_text
from balance_shared.errors import BusInterrupted, PublishError
from balance_shared.registry import Registry

SCHEMA = schema_text("BalanceEvent")


@pytest.fixture
async def scripted():
    """Give a function that starts a registry with answers: (status, body) by request.

    Each request takes the next answer; the last one is repeated. It returns the URL
    and the list of requests.
    """
    runners = []

    async def start(*answers):
        asked, left = [], list(answers)

        async def answer(request):
            asked.append(f"{request.method} {request.path}")
            status, body = left.pop(0) if len(left) > 1 else left[0]
            return web.Response(status=status, text=body)

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}/", asked

    yield start
    for runner in runners:
        await runner.cleanup()


async def test_registering_sets_the_compatibility_first(scripted):
    """A subject is never without its rule."""
    url, asked = await scripted((200, "{}"), (200, '{"id": 7}'))
    async with Registry(url) as registry:
        assert await registry.register("x-value", SCHEMA) == 7
    assert asked == ["PUT /config/x-value", "POST /subjects/x-value/versions"]


@pytest.mark.parametrize(
    "answer",
    [
        (500, ""),
        (503, "down"),
        (429, "slow down"),
        (409, "a rule exists already"),
        (200, "<html>sign in</html>"),
    ],
)
async def test_what_passes_is_asked_again(scripted, answer):
    """Overload, races and a proxy's page are no answers."""
    url, asked = await scripted(answer, (200, "{}"), (200, '{"id": 7}'))
    async with Registry(url, patience_s=10) as registry:
        assert await registry.register("x-value", SCHEMA) == 7
    assert len(asked) == 3


@pytest.mark.parametrize("answer", ["{}", "[]", '{"message": "busy"}'])
async def test_answer_without_its_member_is_asked_again(scripted, answer):
    """A success that does not say what was asked is somebody else's."""
    url, asked = await scripted((200, "{}"), (200, answer), (200, '{"id": 7}'))
    async with Registry(url, patience_s=10) as registry:
        assert await registry.register("x-value", SCHEMA) == 7
    assert len(asked) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_refusal_is_final(scripted, status):
    """What asking again does not mend ends the process, with what the registry said."""
    url, _ = await scripted((status, "because"))
    async with Registry(url) as registry:
        with pytest.raises(PublishError, match=f"PUT /config/x: {status} because"):
            await registry.register("x", SCHEMA)


async def test_incompatible_schema_is_final(scripted):
    """Here 409 means no."""
    url, _ = await scripted((200, "{}"), (409, "incompatible"))
    async with Registry(url) as registry:
        with pytest.raises(PublishError, match="409 incompatible"):
            await registry.register("x", SCHEMA)


@pytest.mark.parametrize("kind", ["closed", "failing", "page"])
async def test_patience_ends(scripted, kind):
    """A registry that does not come is told by its address."""
    url, _ = await scripted((200, "<html>") if kind == "page" else (500, ""))
    if kind == "closed":
        with socket.create_server(("127.0.0.1", 0)) as closed:
            url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    async with Registry(url, patience_s=0.2) as registry:
        with pytest.raises(
            BusInterrupted, match=f"registry {url.rstrip('/')} does not"
        ):
            await registry.schema(1)


async def test_schema_is_asked_for_once(scripted):
    """Running services need the registry only for ids that they have not met."""
    url, asked = await scripted((200, json.dumps({"schema": SCHEMA})))
    async with Registry(url) as registry:
        assert await registry.schema(1) is await registry.schema(1)
    assert asked == ["GET /schemas/ids/1"]


@pytest.mark.parametrize(
    "answer", [(404, ""), (200, "{}"), (200, '{"schema": "{}"}'), (200, "[]")]
)
async def test_unknown_schema_is_undecodable(scripted, answer):
    """Records that carry the id are dead letters."""
    url, _ = await scripted(answer)
    async with Registry(url) as registry:
        with pytest.raises(UndecodableError):
            await registry.schema(1)


async def test_compatible_asks_for_every_version(scripted):
    """One version that says no is enough."""
    yes, no = '{"is_compatible": true}', '{"is_compatible": false}'
    url, asked = await scripted((200, "[1, 3]"), (200, yes), (200, no))
    async with Registry(url) as registry:
        assert not await registry.compatible("x", SCHEMA)
    assert {
        "POST /compatibility/subjects/x/versions/1",
        "POST /compatibility/subjects/x/versions/3",
    } == set(asked[1:])


async def test_registry_is_used_as_a_context():
    """Using it otherwise is a bug, told as one."""
    with pytest.raises(RuntimeError, match="context manager"):
        await Registry("http://localhost:1").register("x", SCHEMA)


@pytest.fixture
async def real(stack):
    """Give a client of the real registry."""
    async with Registry(stack.endpoints.schema_registry_url, patience_s=10) as registry:
        yield registry


@pytest.mark.integration
async def test_registered_twice_is_one_schema(real):
    """Restarts register again, and nothing changes."""
    subject = f"{uuid.uuid4().hex}-value"
    assert await real.compatible(subject, SCHEMA)
    first = await real.register(subject, SCHEMA)
    assert first == await real.register(subject, SCHEMA)
    assert await real.schema(first)


@pytest.mark.integration
async def test_services_that_start_together_agree(real):
    """Many register the same new subject at once, and all get its id."""
    subject = f"{uuid.uuid4().hex}-value"
    ids = await asyncio.gather(*[real.register(subject, SCHEMA) for _ in range(8)])
    assert len(set(ids)) == 1


@pytest.mark.integration
async def test_incompatible_schema_is_refused_for_real(real):
    """The registry holds what the contract says: versions read each other."""
    subject = f"{uuid.uuid4().hex}-value"
    await real.register(subject, SCHEMA)
    schema = json.loads(SCHEMA)
    schema["fields"].append({"name": "new", "type": "string", "doc": "New."})
    changed = json.dumps(schema)
    assert not await real.compatible(subject, changed)
    with pytest.raises(PublishError, match="409"):
        await real.register(subject, changed)


@pytest.mark.integration
@pytest.mark.parametrize("schema_id", [999_999, 2**31, 2**32 - 1, 0])
async def test_id_of_garbage_is_undecodable(real, schema_id):
    """Whatever four bytes a stranger wrote, no consumer ends over them."""
    with pytest.raises(UndecodableError):
        await real.schema(schema_id)
