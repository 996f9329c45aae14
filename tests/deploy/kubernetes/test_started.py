"""Whatever Compose and Kubernetes start would start, and as safely as it is meant to."""

import aiohttp
import pytest
import typer
from click import Context
from started import COMPOSE, KUBERNETES, deployments, file_of, in_compose, in_kubernetes

from balance_alerting.rules_file import errors_in
from balance_cli.main import app
from balance_connector.service import options_of, url_of
from balance_connector.venues import VENUES
from balance_shared.http import serve
from balance_shared.service import DRAIN_S_MAX
from balance_shared.settings import (
    AlertingSettings,
    ConnectorSettings,
    MetricsSettings,
    ProofSettings,
    ServiceSettings,
    StorageSettings,
    environment_names,
    load,
)
from balance_simulator.stand_ins import STAND_INS

SETTINGS = {
    "connector": ConnectorSettings,
    "storage": StorageSettings,
    "metrics": MetricsSettings,
    "alerting": AlertingSettings,
    "proof": ProofSettings,
    "simulate": ServiceSettings,
}
STARTED = [*in_compose(), *in_kubernetes()]
SERVICES = [one for one in STARTED if one.command[0] != "simulate"]
CONNECTORS = [one for one in STARTED if one.command[0] == "connector"]
DEPLOYMENTS = list(deployments())

each = pytest.mark.parametrize("started", STARTED, ids=str)
each_service = pytest.mark.parametrize("started", SERVICES, ids=str)
each_connector = pytest.mark.parametrize("started", CONNECTORS, ids=str)
each_deployment = pytest.mark.parametrize(
    "deployment", DEPLOYMENTS, ids=lambda found: found["metadata"]["name"]
)


def pod_of(deployment):
    """Return the pod and its one container."""
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    return pod, container


@each
def test_command_exists(started):
    """Every word of it is a command, an argument or an option of ours."""
    command, rest = typer.main.get_command(app), list(started.command)
    context = Context(command)
    while hasattr(command, "resolve_command") and rest:
        name, command, rest = command.resolve_command(context, rest)
        context = Context(command, parent=context, info_name=name)
    command.make_context(started.command[0], rest)
    if started.command[0] == "connector":
        assert started.command[1] in VENUES


@each
def test_every_setting_is_known(started):
    """A name that the service does not know would stop it."""
    known = environment_names(SETTINGS[started.command[0]])
    assert set(started.environment) <= set(known)


@each_service
def test_it_would_start(started, tmp_path, monkeypatch):
    """Its settings are whole and right, as `balancebus` reads them."""
    secret = tmp_path / "secret"
    secret.write_text("one-word")
    for name, value in started.environment.items():
        monkeypatch.setenv(name, str(secret) if name.endswith("_FILE") else value)
    settings = load(SETTINGS[started.command[0]])
    if started.command[0] == "connector":
        venue = VENUES[started.command[1]]
        options_of(venue, settings)
        assert url_of(venue, settings, "ws")
        assert url_of(venue, settings, "rest")


@each_service
def test_files_are_where_settings_look(started):
    """Every file that a setting names is mounted, and every key is a file."""
    named = {
        value for name, value in started.environment.items() if name.endswith("_FILE")
    }
    assert named == set(started.files)
    assert not any(
        name.endswith(("_KEY", "_SECRET", "_PASSPHRASE", "_PASSWORD"))
        for name in started.environment
    )


def test_each_key_has_one_process():
    """No two Deployments are given the same Secret."""
    secrets = [
        volume["secret"]["secretName"]
        for deployment in DEPLOYMENTS
        for volume in pod_of(deployment)[0].get("volumes", [])
    ]
    assert sorted(set(secrets)) == sorted(secrets)


@each_connector
def test_one_connector_for_each_account(started):
    """Kubernetes ends the old process before it starts the new one."""
    if started.place.startswith("kubernetes"):
        spec = started.whole["spec"]
        assert (1, {"type": "Recreate"}) == (spec["replicas"], spec["strategy"])
    assert "main" == started.environment["BALANCEBUS_ACCOUNT"]


@pytest.mark.parametrize(
    "started", [one for one in CONNECTORS if one.place.startswith("compose")], ids=str
)
def test_compose_speaks_to_its_stand_ins(started):
    """A connector finds a stand-in of its venue, which takes its keys."""
    venue = started.command[1]
    stand_in = STAND_INS[venue].venue(STAND_INS[venue].settings())
    settings = stand_in.state.settings
    keys = {
        name.removeprefix("BALANCEBUS_").removesuffix("_FILE"): started.files[path]
        for name, path in started.environment.items()
        if name.endswith("_FILE")
    }
    assert keys.pop("API_KEY") in stand_in.api_keys()
    assert keys.pop("REST_API_KEY", settings.api_key) in stand_in.api_keys()
    assert keys.pop("API_SECRET") == settings.api_secret
    assert keys.pop("REST_API_SECRET", settings.api_secret) == settings.api_secret
    assert keys.pop("API_PASSPHRASE", "") == getattr(settings, "api_passphrase", "")
    assert {} == keys
    commands = file_of(COMPOSE)["services"][venue]["command"]
    assert commands.startswith(f"simulate {venue} --host 0.0.0.0 --port 9600")
    ways = {f"ws://{venue}:9600{path}" for path in stand_in.stream_paths}
    assert started.environment["BALANCEBUS_WS_URL"] in ways
    assert f"http://{venue}:9600" == started.environment["BALANCEBUS_REST_URL"]


@each_deployment
def test_process_may_do_nothing_but_its_work(deployment):
    """No root, no writing, no privileges, no token of the cluster, no service links."""
    pod, container = pod_of(deployment)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert 65534 == pod["securityContext"]["runAsUser"]
    assert {"type": "RuntimeDefault"} == pod["securityContext"]["seccompProfile"]
    assert {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    } == container["securityContext"]
    assert pod["enableServiceLinks"] is False
    assert pod["automountServiceAccountToken"] is False
    assert {"cpu", "memory"} == set(container["resources"]["requests"])
    assert "memory" in container["resources"]["limits"]


@each_deployment
def test_it_is_given_time_to_drain(deployment):
    """What it holds is handed over before it is killed."""
    pod, _ = pod_of(deployment)
    assert pod["terminationGracePeriodSeconds"] > DRAIN_S_MAX


@each_deployment
async def test_probes_ask_for_pages_that_are_there(deployment):
    """The probes and Prometheus find what they ask for, on the port that is open."""
    _, container = pod_of(deployment)
    template = deployment["spec"]["template"]["metadata"]
    scraped = template["annotations"]
    paths = {
        "/healthz": container["livenessProbe"]["httpGet"]["path"],
        "/readyz": container["readinessProbe"]["httpGet"]["path"],
        "/metrics": scraped["prometheus.io/path"],
    }
    assert list(paths) == list(paths.values())
    port = ServiceSettings().http_port
    assert [{"name": "http", "containerPort": port}] == container["ports"]
    assert f"{port}" == scraped["prometheus.io/port"]
    assert "true" == scraped["prometheus.io/scrape"]
    probes = container["livenessProbe"], container["readinessProbe"]
    assert {"http"} == {probe["httpGet"]["port"] for probe in probes}
    settings = ServiceSettings(http_host="127.0.0.1", http_port=0)
    serving = serve(settings, health=lambda: None, readiness=dict)
    async with serving as url, aiohttp.ClientSession() as session:
        for path in paths:
            async with session.get(f"{url}{path}") as answer:
                assert 200 == answer.status


@each_deployment
def test_selector_finds_its_own_pods(deployment):
    """Pods of one Deployment are not counted by another."""
    wanted = deployment["spec"]["selector"]["matchLabels"]
    has = deployment["spec"]["template"]["metadata"]["labels"]
    assert {"app.kubernetes.io/name": deployment["metadata"]["name"]} == wanted
    assert wanted.items() <= has.items()
    assert deployment["metadata"]["labels"] == has


def test_every_file_is_used():
    """A file that the kustomization does not name is never applied."""
    said = file_of(KUBERNETES / "kustomization.yaml")
    (generated,) = said["configMapGenerator"]
    used = {*said["resources"], *generated["envs"], "kustomization.yaml", "README.md"}
    used |= {patch["path"] for patch in said["patches"]}
    there = {path for path in KUBERNETES.rglob("*") if path.is_file()}
    assert used == {path.relative_to(KUBERNETES).as_posix() for path in there}
    (mapped,) = {
        source["configMapRef"]["name"]
        for deployment in DEPLOYMENTS
        for source in pod_of(deployment)[1]["envFrom"]
    }
    assert generated["name"] == mapped


def test_compose_has_rules_that_alerting_takes():
    """The file is there, and right."""
    rules = file_of(COMPOSE)["configs"]["rules"]["file"]
    assert [] == errors_in(COMPOSE.parent / rules)
