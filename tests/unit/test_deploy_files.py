"""The files of deploy/ against the schemas and linters of what reads them."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from zero.application.drain.options import DrainOptions
from zero.application.ingest import IngestOptions
from zero.application.patterns.catalogue import CatalogueOptions
from zero.infrastructure.redis.options import RedisOptions
from zero.infrastructure.telemetry.exposition import FOLDER_VARIABLE, SLOT_VARIABLE
from zero.interfaces.ingest_grpc.options import IngestGrpcOptions
from zero.interfaces.ingest_http.options import IngestHttpOptions

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
OLDEST_KUBERNETES, NEWEST_KUBERNETES = "1.30", "1.34"
EXPOSURE_MAX = "20"
"""Tenths of what systemd-analyze calls the exposure level; below 2.0 it says OK."""
IDLE_BYTES = 140 << 20
"""What a role takes before there is work."""
TOOLS = Path(sys.executable).parent


def run(*command: str, **more: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **more)


def resources() -> list[dict[str, Any]]:
    found = [each for path in KUBERNETES for each in yaml.safe_load_all(path.read_text(encoding="utf-8"))]
    return [each for each in found if each["kind"] != "Kustomization"]


def pods() -> list[tuple[str, dict[str, Any]]]:
    return [
        (each["metadata"]["name"], each["spec"]["template"]["spec"])
        for each in resources()
        if "template" in each.get("spec", {})
    ]


def test_yamllint_finds_nothing():
    found = run(str(TOOLS / "yamllint"), "-c", str(ROOT / ".yamllint.yaml"), str(DEPLOY))
    assert found.returncode == 0, found.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="its linter is installed on Linux alone")
def test_hadolint_finds_nothing_in_the_dockerfile():
    found = run(str(TOOLS / "hadolint"), str(DEPLOY / "Dockerfile"))
    assert found.returncode == 0, found.stdout


def test_the_image_is_small_pinned_and_not_root():
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    stages = text.split("\nFROM ")
    assert len(stages) == 3
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == [re.findall(r"^FROM (\S+)", text, re.MULTILINE)[0]] * 2
    assert re.search(r"^FROM python:3\.\d+\.\d+-slim-\w+ AS build", text, re.MULTILINE), (
        "pinned by a tag that does not move far"
    )
    assert "\nUSER 10001" in stages[2] and "HEALTHCHECK" in stages[2] and 'ENTRYPOINT ["zero"]' in stages[2]
    assert "g++" not in stages[2] and "pip" not in stages[2], "no compiler and no installer at work in what runs"


def test_the_context_of_the_image_holds_what_it_is_built_from():
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")]
    assert all((ROOT / name).exists() for name in kept)
    for name in re.findall(
        r"deploy/[\w.-]+", " ".join(re.findall(r"^COPY (.*) \S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE))
    ):
        assert name in kept


def test_what_the_image_installs_is_what_the_tests_run_with():
    def pins(path: Path) -> set[str]:
        return set(re.findall(r"^([\w.\-\[\]]+==[^\s;\\]+)", path.read_text(encoding="utf-8"), re.MULTILINE))

    tested = pins(ROOT / "constraints.txt")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for name in ("requirements.txt", "build-requirements.txt"):
        text = (DEPLOY / name).read_text(encoding="utf-8")
        assert pins(DEPLOY / name) <= tested, f"make lock writes {name}"
        assert "://" not in text
        assert text.count("==") <= text.count("--hash=sha256:")
    installed = {pin.split("==")[0].split("[")[0] for pin in pins(DEPLOY / "requirements.txt")}
    wanted = {re.split(r"[>=<\[;]", requirement)[0].strip() for requirement in project["dependencies"]}
    assert {name.lower().replace("_", "-").replace(".", "-") for name in wanted} <= {
        name.lower().replace("_", "-").replace(".", "-") for name in installed
    }


@pytest.mark.skipif(sys.platform != "linux", reason="the schema is installed on Linux alone")
def test_the_compose_file_fits_the_schema_of_compose():
    from compose_spec import PyCompose

    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    parsed = PyCompose.from_yaml(yaml.safe_dump(yaml.safe_load(text)))  # the library knows no YAML aliases
    parsed.validate()
    assert set(parsed.service_names()) >= {"valkey", "clickhouse", "ingest", "drain", "api", "prometheus", "grafana"}


def test_every_service_of_compose_is_pinned_healthy_and_bounded():
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]
    for name, service in services.items():
        assert re.search(r":(latest|v?\d+\.\d+)", service["image"]), name
        assert service["logging"]["options"]["max-size"], name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
        if service["restart"] == "no":
            continue
        assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL"), name
        if service["image"].startswith("zero"):
            assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["user"] == "10001", name
    for service in services.values():
        for needed, how in service.get("depends_on", {}).items():
            once = services[needed]["restart"] == "no"
            assert how["condition"] == ("service_completed_successfully" if once else "service_healthy")


def test_what_compose_mounts_is_there():
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]
    mounted = [volume.split(":")[0] for service in services.values() for volume in service.get("volumes", ())]
    assert all((DEPLOY / path).exists() for path in mounted if path.startswith("./"))
    dashboards = yaml.safe_load((DEPLOY / "grafana" / "provisioning" / "dashboards" / "zero.yaml").read_text(encoding="utf-8"))
    folder = dashboards["providers"][0]["options"]["path"]
    assert f"./grafana/zero.json:{folder}/zero.json:ro" in services["grafana"]["volumes"]


def test_prometheus_scrapes_every_container_of_the_services_of_compose_at_its_port():
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]
    jobs = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text(encoding="utf-8"))["scrape_configs"]
    ports = {"ingest": "ZERO_INGEST_HTTP", "drain": "ZERO_DRAIN_HTTP", "api": "ZERO_API"}
    found = {job["job_name"]: job.get("dns_sd_configs") for job in jobs}
    for name, setting in ports.items():
        port = int(services[name]["environment"][setting].rpartition(":")[2])
        assert found[f"zero-{name}"] == [{"names": [name], "type": "A", "port": port}]


def relabelled(target: dict[str, str], rules: list[dict[str, Any]]) -> dict[str, str] | None:
    """Return the labels of a target as Prometheus would make them, None when it drops it."""
    for rule in rules:
        found = re.fullmatch(rule.get("regex", "(.*)"), ";".join(target.get(name, "") for name in rule["source_labels"]))
        if rule.get("action") == "keep":
            if found is None:
                return None
        elif found:
            target = target | {rule["target_label"]: found.expand(rule.get("replacement", "$1").replace("$", "\\"))}
    return target


def test_prometheus_finds_every_pod_once_under_the_job_names_of_compose():
    (job,) = yaml.safe_load((DEPLOY / "prometheus" / "kubernetes.yaml").read_text(encoding="utf-8"))["scrape_configs"]
    others = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text(encoding="utf-8"))["scrape_configs"]
    (discovery,) = job["kubernetes_sd_configs"]
    key, _, value = discovery["selectors"][0]["label"].partition("=")
    (namespace,) = (each["metadata"]["name"] for each in resources() if each["kind"] == "Namespace")
    assert discovery["namespaces"] == {"names": [namespace]}
    jobs = []
    for template in (each["spec"]["template"] for each in resources() if "template" in each.get("spec", {})):
        labels, spec = template["metadata"]["labels"], template["spec"]
        assert labels[key] == value and "annotations" not in template["metadata"]
        named = {"__meta_kubernetes_pod_label_app_kubernetes_io_name": labels["app.kubernetes.io/name"]}
        ports = [
            port["name"]
            for each in (*spec["containers"], *spec.get("initContainers", ()))
            for port in each.get("ports", [{"name": ""}])
        ]
        targets = [named | {"__meta_kubernetes_pod_container_port_name": port} for port in ports]
        jobs += [found["job"] for target in targets if (found := relabelled(target, job["relabel_configs"]))]
    assert sorted(jobs) == sorted(each["job_name"] for each in others if each["job_name"].startswith("zero-"))


def test_what_the_docs_scale_publishes_no_port():
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]
    scaled = re.findall(r"--scale (\w+)=", (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8"))
    assert scaled and not any("ports" in services[name] for name in scaled)


@pytest.mark.parametrize("version", [OLDEST_KUBERNETES, NEWEST_KUBERNETES])
def test_the_manifests_fit_the_schemas_of_kubernetes(version):
    from kubernetes_validate import validate

    for each in resources():
        validate(each, version, strict=True)


def test_kustomize_finds_every_manifest():
    (kustomization,) = (yaml.safe_load(path.read_text()) for path in KUBERNETES if path.name == "kustomization.yaml")
    others = {path.name for path in KUBERNETES} - {"kustomization.yaml", "secret.example.yaml"}
    assert set(kustomization["resources"]) == others


def test_every_pod_is_restricted_bounded_and_probed():
    assert {name for name, _ in pods()} == {"ingest", "drain", "api"}
    for name, pod in pods():
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
        assert pod["enableServiceLinks"] is False, "ZERO_* variables of a service would be taken for settings"
        for container in (*pod["containers"], *pod.get("initContainers", ())):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            given = container["resources"]
            assert {"cpu", "memory"} <= given["requests"].keys() and "memory" in given["limits"]
        (container,) = pod["containers"]
        assert container["args"] == [name]
        assert container["readinessProbe"]["httpGet"]["path"] == "/ready"
        assert container["livenessProbe"]["httpGet"]["path"] == "/health"


def test_a_pod_may_take_all_the_memory_that_the_program_lets_itself_take():
    shards = next(int(each["data"]["ZERO_SHARDS"]) for each in resources() if each["kind"] == "ConfigMap")
    grpc, http, ingest = IngestGrpcOptions(), IngestHttpOptions(), IngestOptions()
    bounds = {
        "ingest": (grpc.slow_reads_max + grpc.streams_max) * grpc.message_bytes_max
        + http.bodies_bytes_max
        + http.replies_bytes_max
        + http.connections_max * (http.head_bytes_max + http.write_bytes_max)
        + 2 * ingest.funnel.bytes_max
        + ingest.decode_bytes_max
        + shards * RedisOptions("redis://buffer").unanswered_bytes_max,
        "drain": shards * 10 * DrainOptions().block_bytes_max,
        "api": CatalogueOptions().memory_bytes_max,
    }
    for name, pod in pods():
        number, unit = re.fullmatch(r"(\d+)([MG])i", pod["containers"][0]["resources"]["limits"]["memory"]).groups()
        assert bounds[name] + IDLE_BYTES < int(number) << {"M": 20, "G": 30}[unit], name


def test_what_needs_the_tables_brings_them_up_to_date_before_it_starts():
    before = {name: [each["args"] for each in pod.get("initContainers", ())] for name, pod in pods()}
    assert before == {"ingest": [], "drain": [["migrate"]], "api": [["migrate"]]}, "ingest takes logs in without the store"
    for name, pod in pods():
        for each in pod.get("initContainers", ()):
            assert each["envFrom"] == pod["containers"][0]["envFrom"], name
    assert "Job" not in {each["kind"] for each in resources()}, "it would be applied together with the roles"


def test_every_deployment_has_its_service_budget_and_network_policy():
    by_kind: dict[str, set[str]] = {}
    for each in resources():
        by_kind.setdefault(each["kind"], set()).add(each["metadata"]["name"])
    roles = {"ingest", "drain", "api"}
    assert by_kind["Deployment"] == by_kind["Service"] == by_kind["PodDisruptionBudget"] == roles
    assert by_kind["NetworkPolicy"] == {"nothing-else"} | roles
    assert by_kind["HorizontalPodAutoscaler"] == {"ingest"}


def test_the_network_policies_select_every_pod_of_ours_and_no_other_of_the_namespace():
    ours = [each["spec"]["template"]["metadata"]["labels"] for each in resources() if "template" in each.get("spec", {})]
    policies = [each["spec"]["podSelector"] for each in resources() if each["kind"] == "NetworkPolicy"]
    assert all(selector.keys() == {"matchLabels"} for selector in policies)
    wanted = [selector["matchLabels"].items() for selector in policies]
    for labels in ours:
        assert sum(each <= labels.items() for each in wanted) == 2, "the one that closes, and the one that opens"
    for name in ("valkey", "clickhouse"):
        assert not any(each <= {"app.kubernetes.io/name": name}.items() for each in wanted), f"{name} would be cut off"


def test_the_network_policies_open_the_ports_that_the_example_names():
    secret = next(each for each in resources() if each["kind"] == "Secret")
    named = {urlsplit(url).port for url in secret["stringData"].values()}
    for each in resources():
        if each["kind"] == "NetworkPolicy" and each["metadata"]["name"] != "nothing-else":
            assert named <= {port["port"] for rule in each["spec"]["egress"] for port in rule["ports"]}


def test_the_instances_of_ingest_share_their_metrics_which_outlive_each_of_them():
    text = (DEPLOY / "systemd" / "zero-ingest@.service").read_text(encoding="utf-8")
    lines = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    told = dict(word.split("=", 1) for word in lines["Environment"].split())
    assert told == {FOLDER_VARIABLE: f"%t/{lines['RuntimeDirectory']}", SLOT_VARIABLE: "%i"}
    assert lines["RuntimeDirectoryPreserve"] == "yes", "else the first instance that stops takes the folder with it"


@pytest.mark.parametrize("unit", sorted(path.name for path in (DEPLOY / "systemd").glob("*.service")))
def test_systemd_takes_the_units_and_finds_them_hardened(unit, tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (Debian: it is in the package systemd)")
    text = (DEPLOY / "systemd" / unit).read_text(encoding="utf-8")
    assert "ExecStart=/opt/zero/bin/zero " in text
    there = tmp_path / unit.replace("@", "@1")
    there.write_text(text.replace("/opt/zero/bin/zero", str(TOOLS / "zero")), encoding="utf-8")
    verified = run("systemd-analyze", "verify", "--man=no", str(there))
    if "Failed to connect to bus" in verified.stderr or "Operation not permitted" in verified.stderr:
        pytest.skip(verified.stderr.strip())
    assert (verified.returncode, verified.stderr) == (0, "")
    found = run("systemd-analyze", "security", "--no-pager", "--offline=true", f"--threshold={EXPOSURE_MAX}", str(there))
    assert found.returncode == 0, found.stdout[-400:]
