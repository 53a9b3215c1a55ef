"""`tieout prune` without services: a dry run unless told otherwise; the policy is read strictly."""

from __future__ import annotations

import json
import logging

import pytest

from tests.conftest import clear_settings
from tieout import cli, place, steps
from tieout.errors import ConfigError
from tieout.landing.retention import Gone
from tieout.settings import settings

COMPANY = (
    "version: 1\nconnections:\n"
    "  crm: {system: salesforce, auth: client_credentials, time_zone: UTC, options: {login_url: 'http://x'}}\n"
)


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("TIEOUT_CONFIG", str(tmp_path / "tieout.yml"))
    monkeypatch.setenv("TIEOUT_HOME", str(tmp_path))
    monkeypatch.setattr(place, "find", lambda: place.Place("own", tmp_path, embedded=False))

    def write(policy: str = "") -> None:
        (tmp_path / "tieout.yml").write_text(COMPANY + policy, encoding="utf-8")
        clear_settings()

    write()
    yield write
    monkeypatch.undo()
    clear_settings()
    root = logging.getLogger()
    for handler in [h for h in root.handlers if h.get_name() == "tieout"]:
        root.removeHandler(handler)


@pytest.fixture
def asked(monkeypatch):
    calls = []

    def prune(*, apply):
        calls.append(apply)
        return (Gone("raw", "raw.salesforce__account", 12_000, 34_567, "superseded"),)

    monkeypatch.setattr(steps, "prune", prune)
    return calls


def test_the_default_is_a_dry_run_and_says_so(config, asked, capfd):
    assert cli.main(["prune"]) == 0
    out = capfd.readouterr().out
    assert asked == [False]
    assert "12,000" in out and "34,567" in out and "would go" in out and "--apply does it" in out
    assert "no retention policy" in out


def test_apply_does_it_whatever_the_policy_says_of_the_dag(config, asked, capfd):
    config("retention: {raw_days: 400}\n")
    assert cli.main(["prune", "--apply", "--json"]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert asked == [True] and shown["applied"] is True and shown["policy"]["raw_days"] == 400
    assert shown["gone"][0]["name"] == "raw.salesforce__account"


def test_the_policy_keeps_everything_unless_it_says_otherwise(config):
    policy = settings().company.retention
    assert policy.apply is False and policy.orphan_days == 2
    assert [policy.archive_days, policy.raw_days, policy.publications_days, policy.ledger_days] == [None] * 4


@pytest.mark.parametrize(("policy", "said"), [
    ("retention: {raw_day: 400}\n", "tieout.yml:4: retention"),
    ("retention: {raw_days: 0}\n", "retention.raw_days: Input should be greater than or equal to 2"),
    ("retention: {archive_days: a year}\n", "retention.archive_days"),
])
def test_a_wrong_policy_names_file_line_and_key(config, policy, said):
    config(policy)
    with pytest.raises(ConfigError) as found:
        settings().company  # noqa: B018 - reading is the test
    assert said in str(found.value)
