"""The dashboard and the alert rules ask for metrics that exist, in PromQL that parses, with their labels."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml

from tests.operations.test_metrics import PAGE, documented
from tests.running import ROOT

DASHBOARD = ROOT / "deploy" / "grafana" / "caretrail.json"
ALERTS, SCRAPE = (ROOT / "deploy" / "prometheus" / name for name in ("alerts.yml", "scrape.yml"))

FOREIGN = {"up", "process_resident_memory_bytes", "process_cpu_seconds_total"}
"""Metrics of Prometheus and of its client."""

TARGET = {"service", "instance", "job", "le"}
"""Labels that a scrape adds, and a histogram's own."""

GRID_WIDTH = 24
FIELDS = {"id", "uid", "title", "tags", "timezone", "editable", "graphTooltip", "panels", "time",
          "timepicker", "templating", "annotations", "refresh", "schemaVersion", "version",
          "links"}  # fmt: skip
"""Fields of a dashboard, as Grafana documents them (Dashboard JSON model, classic)."""


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return found


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> Iterator[str]:
    """Every expression, with Grafana's variables as Prometheus would get them."""
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"].replace("$__rate_interval", "1m").replace("$service", ".*")
    yield from (rule["expr"] for rule in rules())


def known() -> dict[str, set[str]]:
    """What can be asked for: a histogram by its three series."""
    found: dict[str, set[str]] = {}
    for (name, kind), labels in documented().items():
        series = [f"{name}_{part}" for part in ("bucket", "sum", "count")] if kind == "histogram" else [name]
        found |= dict.fromkeys(series, labels)
    return found


def selectors(expression: str) -> list[promql_parser.VectorSelector]:
    """The series that an expression reads. Raises ValueError where it is no PromQL."""
    found: list[promql_parser.VectorSelector] = []

    def visit(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        return True

    promql_parser.walk(promql_parser.parse(expression), pre_visit=visit)
    return found


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_an_expression_parses_and_reads_what_exists(expression: str) -> None:
    metrics = known()
    read = selectors(expression)
    assert read
    for selector in read:
        assert selector.name in metrics.keys() | FOREIGN
        labels = {matcher.name for matcher in selector.matchers.matchers}
        assert labels <= metrics.get(str(selector.name), set()) | TARGET
    grouped = {
        label.strip() for names in re.findall(r"by \(([^)]*)\)", expression) for label in names.split(",")
    }
    assert grouped <= TARGET.union(*(metrics.get(str(selector.name), set()) for selector in read))


def test_what_is_no_promql_is_found() -> None:
    with pytest.raises(ValueError, match="parenthesis"):
        selectors("sum by (service (rate(caretrail_commands_total[5m]))")


def test_every_metric_with_an_alert_on_the_page_has_a_rule() -> None:
    read = {str(selector.name) for rule in rules() for selector in selectors(rule["expr"])}
    page = PAGE.read_text()
    wanted = {
        name
        for name, alert in re.findall(r"^\| `(caretrail_\w+)` .*\| ([^|]*)\|$", page, re.MULTILINE)
        if alert
    }
    assert wanted - {name.removesuffix("_bucket") for name in read} == set()


def test_every_rule_says_how_urgent_it_is_and_what_is_wrong() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    for rule in rules():
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]


def test_the_scrape_names_every_service_and_the_rules() -> None:
    scrape = yaml.safe_load(SCRAPE.read_text())
    assert scrape["rule_files"] == [ALERTS.name]
    [job] = scrape["scrape_configs"]
    labelled = {static["labels"]["service"] for static in job["static_configs"]}
    assert labelled == {path.parent.name for path in (ROOT / "services").glob("*/app.py")}


def test_the_dashboard_has_the_fields_that_grafana_documents() -> None:
    found = dashboard()
    assert set(found) == FIELDS
    assert found["id"] is None
    assert 8 <= len(found["uid"]) <= 40
    assert found["schemaVersion"] >= 36, "since then a data source is named by type and uid"
    rows = [panel["title"] for panel in found["panels"] if panel["type"] == "row"]
    assert rows == ["Writing", "Relay", "Consumers", "Parking", "Effects", "Processes"]


def test_every_panel_asks_the_data_source_that_one_chooses() -> None:
    [variable] = [each for each in dashboard()["templating"]["list"] if each["type"] == "datasource"]
    source = {"type": variable["query"], "uid": "${" + variable["name"] + "}"}
    for panel in dashboard()["panels"]:
        if panel["type"] != "row":
            assert [panel["datasource"], *(target["datasource"] for target in panel["targets"])] == [
                source
            ] * (len(panel["targets"]) + 1)


def test_panels_have_ids_of_their_own_and_lie_apart_within_the_grid() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    assert all(at["x"] >= 0 and at["x"] + at["w"] <= GRID_WIDTH and at["h"] > 0 for at in places)
    overlapping = [
        (one, other)
        for one, other in itertools.combinations(places, 2)
        if one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    ]
    assert overlapping == []


def test_the_page_links_to_files_that_are_there() -> None:
    links = re.findall(r"\]\(([^)]+)\)", PAGE.read_text())
    assert {(PAGE.parent / link).resolve() for link in links} >= {DASHBOARD, ALERTS, SCRAPE}
    assert [link for link in links if not (PAGE.parent / link).exists()] == []
