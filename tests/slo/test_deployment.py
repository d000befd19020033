"""What is generated is current, and what it is for reads it."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from streamproc.slo.alerts import json_schema
from streamproc.slo.deployment import FILES, files
from streamproc.slo.deployment.panels import ROWS
from tests.support.prometheus import promtool

ROOT = Path(__file__).parents[2]
RENEW = "run python -m streamproc.slo"


@pytest.mark.parametrize("name", FILES)
def test_the_files_in_the_repository_are_current(name: str) -> None:
    assert (ROOT / "deploy" / name).read_text(encoding="utf-8") == files()[name], RENEW


def test_the_schema_of_alerts_is_current() -> None:
    text = (ROOT / "schemas" / "alert.schema.json").read_text(encoding="utf-8")
    assert json.loads(text) == json_schema(), RENEW


def test_prometheus_reads_its_configuration_and_rules(tmp_path: Path) -> None:
    text = files()["prometheus.yml"].replace("/etc/prometheus/rules", str(ROOT / "deploy/rules"))
    text = text.replace("credentials_file: /run/secrets/endpoints_token", "credentials: x")
    (tmp_path / "prometheus.yml").write_text(text, encoding="utf-8")
    assert "SUCCESS" in promtool("check", "config", "prometheus.yml", cwd=tmp_path)


def test_alertmanager_reads_its_configuration() -> None:
    if (amtool := shutil.which("amtool")) is None:
        pytest.skip("there is no amtool here: apt-get install prometheus-alertmanager")
    path = ROOT / "deploy" / "alertmanager.yml"
    done = subprocess.run([amtool, "check-config", str(path)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_query_of_the_dashboard_is_promql(tmp_path: Path) -> None:
    exprs = [expr for _, panels in ROWS for panel in panels for expr, _ in panel.queries]
    plain = [
        e.replace("$__rate_interval", "1m").replace("$job", "x").replace("$pipeline", "p")
        for e in exprs
    ]
    rules = [{"record": f"panel:{n}", "expr": expr} for n, expr in enumerate(plain)]
    page = {"groups": [{"name": "panels", "rules": rules}]}
    (tmp_path / "panels.yml").write_text(yaml.safe_dump(page), encoding="utf-8")
    promtool("check", "rules", "panels.yml", cwd=tmp_path)


def test_what_compose_mounts_is_there() -> None:
    services = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))[
        "services"
    ]
    mounts = [
        m.split(":")[0]
        for s in services.values()
        for m in s.get("volumes", [])
        if m.startswith("./")
    ]
    assert len(mounts) >= 5
    assert all((ROOT / "deploy" / mount).exists() for mount in mounts)
