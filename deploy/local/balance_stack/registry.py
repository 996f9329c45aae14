"""Apicurio Registry, which speaks the Confluent API.

Unlike the default it keeps its schemas in a file, so that ids and compatibility rules
outlive a crash, as in production. It refuses incompatible schemas (409) without any
setting of its own, once a subject has a compatibility level.
"""

from functools import partial

import requests

from balance_stack.endpoints import REGISTRY_PATH
from balance_stack.layout import Layout
from balance_stack.ports import Ports
from balance_stack.process import Part
from balance_stack.programs import SHORT_LIVED, Programs

_ANSWER_LIMIT_S = 3


def registry_part(layout: Layout, ports: Ports, programs: Programs) -> Part:
    """Describe the registry.

    Args:
        layout: The stack's directory.
        ports: The stack's ports.
        programs: Where the registry lies.

    Returns:
        The part.
    """
    data = layout.data("registry")
    url = f"http://127.0.0.1:{ports.registry}{REGISTRY_PATH}"
    return Part(
        name="registry",
        address=url,
        command=(
            str(programs.java),
            "-Xmx256m",
            *SHORT_LIVED,
            "-Dquarkus.http.host=127.0.0.1",
            f"-Dquarkus.http.port={ports.registry}",
            "-Dquarkus.http.access-log.enabled=false",
            # No delay between an answer and its place on disk.
            f"-Dapicurio.datasource.url=jdbc:h2:file:{data}/registry;WRITE_DELAY=0",
            "-jar",
            str(programs.registry_jar),
        ),
        log=layout.log("registry"),
        pid_file=layout.pid_file("registry"),
        prepare=partial(data.mkdir, parents=True, exist_ok=True),
        check=partial(check_registry, url),
    )


def check_registry(url: str) -> None:
    """Ask the registry for its subjects.

    Args:
        url: Base URL of the Confluent API.

    Raises:
        requests.RequestException: While it does not answer.
    """
    requests.get(f"{url}/subjects", timeout=_ANSWER_LIMIT_S).raise_for_status()
