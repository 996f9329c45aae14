"""What Compose and Kubernetes start, in one form.

Kustomize need not be installed: what our files use of it is done here. Patches are laid
over each resource that they target, lists of named things by their names.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plain_yaml import read

ROOT = Path(__file__).parents[3]
KUBERNETES = ROOT / "deploy" / "kubernetes"
COMPOSE = ROOT / "docker-compose.yml"

GIVEN = "wss://given.example/stream"
"""Stands for a variable whose value a Secret holds."""


@dataclass(frozen=True)
class Started:
    """One container that runs a command of ours.

    Attributes:
        place: which, for people.
        command: its words.
        environment: of the container.
        files: path → which secret is to be found there.
        whole: everything that is said about it.
    """

    place: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    files: Mapping[str, str]
    whole: Mapping[str, Any]

    def __str__(self) -> str:
        """Name it in a test's id."""
        return self.place


def file_of(path: Path) -> Any:
    """Return what a YAML file says."""
    return read(path.read_text(encoding="utf-8"))


def merged(base: Any, patch: Any) -> Any:
    """Return a patch laid over what is there."""
    if isinstance(base, dict) and isinstance(patch, dict):
        both = {name: merged(base.get(name), value) for name, value in patch.items()}
        return {**base, **both}
    if isinstance(base, list) and isinstance(patch, list) and _are_named(base + patch):
        named = {one["name"]: one for one in base}
        for one in patch:
            named[one["name"]] = merged(named.get(one["name"]), one)
        return list(named.values())
    return deepcopy(patch)


def _are_named(items: list[Any]) -> bool:
    return all(isinstance(one, dict) and "name" in one for one in items)


def deployments() -> Iterator[dict[str, Any]]:
    """Yield the Deployments as Kustomize renders them."""
    said = file_of(KUBERNETES / "kustomization.yaml")
    for resource in said["resources"]:
        found = file_of(KUBERNETES / resource)
        for patch in said["patches"]:
            if _is_target(found, **patch["target"]):
                meant = file_of(KUBERNETES / patch["path"])
                del meant["metadata"]
                found = merged(found, meant)
        yield found


def _is_target(found: dict[str, Any], kind: str, labelSelector: str = "") -> bool:  # noqa: N803
    name, _, value = labelSelector.partition("=")
    labels = found["metadata"].get("labels", {})
    return found["kind"] == kind and (not name or labels.get(name) == value)


def common_settings() -> dict[str, str]:
    """Return what the ConfigMap tells every service."""
    lines = (KUBERNETES / "settings.env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines)


def in_kubernetes() -> Iterator[Started]:
    """Yield the containers of the Deployments."""
    for deployment in deployments():
        pod = deployment["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        given = {
            one["name"]: str(one.get("value", GIVEN))
            for one in container.get("env", [])
        }
        secrets = {
            volume["name"]: volume["secret"]["secretName"]
            for volume in pod.get("volumes", [])
        }
        mounts = {
            mount["mountPath"]: secrets[mount["name"]]
            for mount in container.get("volumeMounts", [])
        }
        yield Started(
            f"kubernetes {deployment['metadata']['name']}",
            tuple(container["args"]),
            common_settings() | given,
            {
                path: f"{mounts[folder]}/{name}"
                for path in given.values()
                for folder, _, name in [path.rpartition("/")]
                if folder in mounts
            },
            deployment,
        )


def in_compose() -> Iterator[Started]:
    """Yield the containers of Compose that run our image."""
    said = file_of(COMPOSE)
    for name, service in said["services"].items():
        if service["image"] != "balance-bus":
            continue
        yield Started(
            f"compose {name}",
            tuple(service["command"].split()),
            {key: str(value) for key, value in service["environment"].items()},
            {
                one["target"]: said["configs"][one["source"]].get("content", "")
                for one in service.get("configs", [])
            },
            service,
        )
