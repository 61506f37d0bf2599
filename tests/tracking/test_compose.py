"""docker/tracking.yaml, which no test can start: its own consistency, and its agreement with MLflow and the docs."""

import os
import re
import subprocess
import sys
from typing import Any

import pytest
from mlflow.cli import server as mlflow_server
from ruamel.yaml import YAML

from s3_server import start_s3
from source_tree import ROOT

PLACE = ROOT / "docker/tracking.yaml"
TEXT = PLACE.read_text(encoding="utf-8")
VARIABLE = re.compile(r"\$\{(\w+)(:[?-])([^}]*)\}")
SECRETS = {"TRACKING_DB_PASSWORD", "TRACKING_S3_KEY", "TRACKING_S3_SECRET"}
ONE_SHOT = {"buckets"}


def resolved(given: dict[str, str]) -> Any:
    """The file with its variables replaced as Docker Compose does; KeyError for one that is required."""

    def replace(found: re.Match[str]) -> str:
        name, kind, default = found.groups()
        return given[name] if kind == ":?" else given.get(name, default)

    return YAML(typ="safe").load(VARIABLE.sub(replace, TEXT))


COMPOSE = resolved(dict.fromkeys(SECRETS, "made-up"))
SERVICES: dict[str, Any] = COMPOSE["services"]


def test_secrets_are_required_and_nothing_else_is() -> None:
    kinds = {name: kind for name, kind, _ in VARIABLE.findall(TEXT)}
    assert {name for name, kind in kinds.items() if kind == ":?"} == SECRETS
    assert len(re.findall(r"\$\{", TEXT)) == len(VARIABLE.findall(TEXT))
    with pytest.raises(KeyError):
        resolved({})
    listed = re.findall(r"^# +(TRACKING_\w+)=\.\.\.$", TEXT, re.MULTILINE)
    assert set(listed) == SECRETS


def test_ports_are_open_on_this_machine_alone() -> None:
    ports = {name: service.get("ports", []) for name, service in SERVICES.items()}
    assert ports == {
        "database": [],
        "storage": ["127.0.0.1:8333:8333"],
        "buckets": [],
        "mlflow": ["127.0.0.1:5000:5000"],
    }


def test_services_wait_for_what_they_need() -> None:
    for name, service in SERVICES.items():
        assert name in ONE_SHOT or service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
        assert service["restart"] == ("no" if name in ONE_SHOT else "unless-stopped")
        for other, wait in service.get("depends_on", {}).items():
            assert wait == {"condition": "service_completed_successfully" if other in ONE_SHOT else "service_healthy"}
            assert other in SERVICES


def test_data_is_in_named_volumes() -> None:
    used = {volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert used == set(COMPOSE["volumes"])


def test_addresses_are_those_of_the_services() -> None:
    environment = SERVICES["mlflow"]["environment"]
    user = SERVICES["database"]["environment"]["POSTGRES_USER"]
    name = SERVICES["database"]["environment"]["POSTGRES_DB"]
    assert environment["MLFLOW_BACKEND_STORE_URI"] == f"postgresql+psycopg2://{user}@database:5432/{name}"
    assert environment["MLFLOW_S3_ENDPOINT_URL"] == "http://storage:8333"
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    assert [environment[key] for key in keys] == [SERVICES["storage"]["environment"][key] for key in keys]


def test_the_command_is_one_of_mlflow_and_its_bucket_is_created() -> None:
    program, subcommand, *words = SERVICES["mlflow"]["command"]
    assert (program, subcommand) == ("mlflow", "server")
    options = mlflow_server.make_context("server", words, resilient_parsing=False).params
    assert (options["host"], str(options["port"]), options["serve_artifacts"]) == ("0.0.0.0", "5000", True)
    bucket = options["artifacts_destination"].removeprefix("s3://").partition("/")[0]
    assert SERVICES["buckets"]["command"] == ["python", "/opt/make_buckets.py", bucket, "dvc"]


def test_buckets_are_created_once() -> None:
    with start_s3() as storage:
        command = [sys.executable, str(ROOT / "docker/make_buckets.py"), "mlflow", "dvc"]
        environment = os.environ | storage.environment | {"MLFLOW_S3_ENDPOINT_URL": storage.address}
        printed = [
            subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
            for _ in range(2)
        ]
        assert printed == ["created the bucket mlflow\ncreated the bucket dvc\n", ""]
        assert {bucket["Name"] for bucket in storage.client.list_buckets()["Buckets"]} == {"mlflow", "dvc"}


def test_the_image_is_built_from_files_that_exist_with_locked_versions() -> None:
    build = SERVICES["mlflow"]["build"]
    recipe = (PLACE.parent / build["context"] / build["dockerfile"]).read_text(encoding="utf-8")
    copied = [word for line in re.findall(r"^COPY (?!--)(.*) \S+$", recipe, re.MULTILINE) for word in line.split()]
    allowed = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert copied == ["docker/tracking-requirements.txt", "requirements.lock", "docker/make_buckets.py"]
    for name in copied:
        assert (ROOT / name).is_file() and f"!{name}" in allowed
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    required = (ROOT / copied[0]).read_text(encoding="utf-8").splitlines()[1:]
    assert required and [name for name in required if not re.search(rf"^{name}==", lock, re.MULTILINE)] == []


def test_the_documentation_has_its_variables_and_commands() -> None:
    docs = (ROOT / "docs/share.md").read_text(encoding="utf-8")
    variables = {name for name, _, _ in VARIABLE.findall(TEXT)}
    assert variables == set(re.findall(r"\bTRACKING_\w+", docs))
    (command,) = re.findall(r"^# +(docker compose .*)$", TEXT, re.MULTILINE)
    assert command in docs and "http://127.0.0.1:5000" in docs and "http://127.0.0.1:8333" in docs
