"""docker-compose.yml by its structure: official images, health checks, named volumes, no password of its own."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

AIRFLOW = {"api-server", "scheduler", "dag-processor", "triggerer"}
SECRET = re.compile(r"PASSWORD|SECRET|FERNET|SUPERUSER_DSN|SQL_ALCHEMY_CONN")
# `${NAME:?why}`: the start fails where it is not set. `${NAME}` is allowed where another service demands it.
DEMANDED = re.compile(r"\$\{[A-Z_]+(:\?[^}]+)?\}")


def load(path: Path) -> dict[str, Any]:
    yaml = YAML(typ="safe")
    return yaml.load(path.read_text(encoding="utf-8"))


def problems(compose: dict[str, Any]) -> list[str]:
    """What is wrong with a compose file. Empty: nothing."""
    found = []
    services, volumes = compose["services"], set(compose.get("volumes") or {})
    if missing := (AIRFLOW | {"postgres"}) - set(services):
        found.append(f"missing services: {sorted(missing)}")
    for name, service in services.items():
        if not (service.get("image") or service.get("build")):
            found.append(f"{name}: neither image nor build")
        once = service.get("restart") == "no"
        if not once and "healthcheck" not in service:
            found.append(f"{name}: no health check")
        for variable, value in (service.get("environment") or {}).items():
            if SECRET.search(variable) and not variable.endswith("_FILE") and not DEMANDED.search(str(value)):
                found.append(f"{name}: {variable} has a value of its own")
            if re.search(r"\$\{[A-Z_]*(PASSWORD|SECRET|KEY)[A-Z_]*:-", str(value)):
                found.append(f"{name}: {variable} has a default")
        for mount in service.get("volumes") or []:
            source = str(mount).partition(":")[0]
            if not source.startswith((".", "/")) and source not in volumes:
                found.append(f"{name}: volume {source} is not declared")
        for port in service.get("ports") or []:
            if not str(port).startswith("127.0.0.1:"):
                found.append(f"{name}: port {port} is open to the network")
        for other, condition in (service.get("depends_on") or {}).items():
            if other not in services:
                found.append(f"{name}: depends on {other}, which is not a service")
            elif condition.get("condition") == "service_healthy" and "healthcheck" not in services[other]:
                found.append(f"{name}: waits for the health of {other}, which has no check")
    return found


@pytest.fixture
def compose(root) -> dict[str, Any]:
    return load(root / "docker-compose.yml")


def test_the_compose_file(compose):
    assert problems(compose) == []


def test_images_are_official_and_pinned(compose, root):
    assert re.fullmatch(r"postgres:\d+", compose["services"]["postgres"]["image"])
    dockerfile = (root / "docker" / "Dockerfile").read_text(encoding="utf-8")
    (airflow,) = re.findall(r"apache/airflow:([0-9.]+)-python", dockerfile)
    assert f"apache-airflow=={airflow}\n" in (root / "requirements" / "runtime.in").read_text(encoding="utf-8")
    assert "--require-hashes" in dockerfile and "runtime.lock" in dockerfile


def test_every_demanded_variable_is_in_the_development_profile(root):
    demanded = set(re.findall(r"\$\{([A-Z_]+):\?", (root / "docker-compose.yml").read_text(encoding="utf-8")))
    text = (root / "docker" / "development.env").read_text(encoding="utf-8")
    given = dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))
    assert len(demanded) >= 8 and demanded <= set(given)
    assert "TRYING OUT" in text.splitlines()[0]


def test_secrets_stay_out_of_the_image(root):
    ignored = (root / ".dockerignore").read_text(encoding="utf-8").split()
    assert {".env", ".tieout", ".venv", ".git"} <= set(ignored)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: s["postgres"]["environment"].update(POSTGRES_PASSWORD="postgres"), "has a value of its own"),
        (lambda s: s["postgres"]["environment"].update(POSTGRES_PASSWORD="${POSTGRES_PASSWORD:-x}"), "has a default"),
        (lambda s: s["scheduler"].pop("healthcheck"), "scheduler: no health check"),
        (lambda s: s["scheduler"].update(volumes=["nowhere:/x"]), "volume nowhere is not declared"),
        (lambda s: s["postgres"].update(ports=["5432:5432"]), "open to the network"),
        (lambda s: s["postgres"].pop("healthcheck"), "waits for the health of postgres"),
        (lambda s: s.pop("triggerer"), "missing services: ['triggerer']"),
    ],
)
def test_what_is_wrong_is_seen(compose, change, says):
    broken = copy.deepcopy(compose)
    change(broken["services"])
    assert any(says in problem for problem in problems(broken)), problems(broken)
