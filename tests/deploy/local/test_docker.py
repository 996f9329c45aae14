"""Whether containers are used, asked of an engine that only knows its images."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from balance_stack.docker import IMAGES, Contained, Containers, is_usable
from balance_stack.endpoints import local_endpoints
from balance_stack.errors import StackRefused


class Engine(socketserver.ThreadingUnixStreamServer):
    """An engine that answers for its version and its images."""

    daemon_threads = True

    def __init__(self, path: Path, images: tuple[str, ...]) -> None:
        super().__init__(str(path), Answers)
        self.images = images


class Answers(BaseHTTPRequestHandler):
    """Answers as Docker's API does."""

    server: Engine

    def address_string(self) -> str:
        """Return a name: who asks over a socket of the file system has none."""
        return "test"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer a question."""
        image = self.path.partition("/images/")[2].removesuffix("/json")
        if self.path.endswith("/version"):
            self._answer(200, {"ApiVersion": "1.41", "MinAPIVersion": "1.12"})
        elif image in self.server.images:
            self._answer(200, {"Id": "sha256:0", "RepoTags": [image]})
        else:
            self._answer(404, {"message": f"no such image: {image}"})

    def _answer(self, status: int, body: dict[str, object]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def engine(path: Path, images: tuple[str, ...]) -> Iterator[None]:
    """Run an engine for as long as the block lasts."""
    with Engine(path, images) as server:
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}
        )
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("missing", [None, *IMAGES])
def test_containers_are_used_where_all_images_are(tmp_path, monkeypatch, missing):
    """One image too few, and nothing is pulled: the parts run as processes."""
    path = tmp_path / "engine.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    there = tuple(image for image in IMAGES if image != missing)
    with engine(path, there):
        assert (missing is None) == is_usable()


def test_no_engine_means_no_containers(tmp_path, monkeypatch):
    """Nobody listens, so nobody is asked."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'nobody.sock'}")
    assert not is_usable()


@pytest.mark.parametrize("verb", ["kill", "start"])
def test_unknown_part_is_refused(verb):
    """The error lists the parts that there are."""
    parts: dict[str, Contained] = {"kafka-1": None, "postgres": None}
    containers = Containers(local_endpoints((1,), 2, 3), parts)
    with pytest.raises(StackRefused, match="kafka-1, postgres"):
        getattr(containers, verb)("kafka-2")
