"""Which etcd a configuration names: a secret file is read as one, and nothing of it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from foresight.checkup import _etcd
from foresight.cluster import configured_cluster, require_usable, told_variables
from foresight.config import Config, Engine, Venue
from foresight.errors import ConfigError
from foresight.finding import Verdict
from handoff.shared_record import cluster_in
from state.errors import HomeUnsuitable
from state.etcd.address import Credentials
from tests.homes import open_store
from tests.records import started

if TYPE_CHECKING:
    from pathlib import Path


def config(**engine: str) -> Config:
    return replace(Config(), engine=Engine(**engine))  # type: ignore[arg-type]


def written(folder: Path, text: str, mode: int = 0o600) -> str:
    file = folder / "cluster.toml"
    file.write_text(text)
    file.chmod(mode)
    return str(file)


def test_a_configuration_without_an_etcd_names_none_and_tells_none(tmp_path: Path) -> None:
    assert configured_cluster(config(), {}, tmp_path) is None
    assert told_variables(config(), {}, tmp_path) == ()
    require_usable(config(), {}, tmp_path, tmp_path)
    with pytest.raises(ConfigError, match="without"):
        configured_cluster(config(cluster_credentials="x"), {}, tmp_path)


def test_workers_are_told_where_the_etcd_is_and_never_a_secret(tmp_path: Path) -> None:
    named = written(tmp_path, 'user = "u"\npassword = "hunter2"')
    told = dict(
        told_variables(
            config(state="etcd://127.0.0.1/app", cluster_credentials=named), {}, tmp_path
        )
    )
    assert cluster_in(told).credentials == Credentials(user="u", password="hunter2")  # noqa: S106 - of nobody
    assert "hunter2" not in str(told)


def test_a_home_with_a_record_of_its_own_is_not_put_beside_an_etcd(tmp_path: Path) -> None:
    """What it decided so far nobody in the etcd knows."""
    started(open_store(tmp_path))
    with pytest.raises(HomeUnsuitable, match="no etcd knows"):
        require_usable(config(state="etcd://127.0.0.1/app"), {}, tmp_path, tmp_path)


def test_hosts_that_share_a_state_are_refused_an_exchange_each(tmp_path: Path) -> None:
    """Who takes over would look for what was bought at an exchange that never heard of it."""
    alone = config(state="etcd://127.0.0.1/app")
    with pytest.raises(ConfigError, match="an exchange of its own") as refused:
        require_usable(alone, {}, tmp_path, tmp_path)
    assert "[venue] url" in refused.value.hint
    for venue in (Venue(url="http://127.0.0.1:8080"), Venue(kind="paper")):
        require_usable(replace(alone, venue=venue), {}, tmp_path, tmp_path)


def test_doctor_says_beforehand_that_each_host_would_have_an_exchange_of_its_own(
    tmp_path: Path,
) -> None:
    alone = config(state="etcd://127.0.0.1:1/app")
    shared = replace(alone, venue=Venue(url="http://127.0.0.1:8080"))
    for which, verdicts in ((alone, [Verdict.BAD]), (shared, []), (Config(), [])):
        found = [each for each in _etcd(which, tmp_path) if each.check == "exchange"]
        assert [each.verdict for each in found] == verdicts
        assert all("[venue] url" in each.remedy for each in found)


def test_credentials_are_read_and_their_paths_begin_at_their_file(tmp_path: Path) -> None:
    text = 'ca = "ca.pem"\ncertificate = "/etc/me.pem"\nkey = "me.key"\nuser = "u"\npassword = "p"'
    named = written(tmp_path, text)
    cluster = configured_cluster(
        config(state="etcd://h1,h2/app", cluster_credentials=named), {}, tmp_path
    )
    assert cluster is not None
    assert cluster.credentials == Credentials(
        ca=str(tmp_path / "ca.pem"),
        certificate="/etc/me.pem",
        key=str(tmp_path / "me.key"),
        user="u",
        password="p",  # noqa: S106
    )


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        ('user = "u"', 0o600, "belong together"),
        ('password = "hunter2', 0o600, "is no TOML"),
        ('user = "u"\npassword = "hunter2"', 0o644, "cluster_credentials"),
    ],
)
def test_credentials_that_cannot_be_used_are_refused_and_not_told(
    tmp_path: Path, text: str, mode: int, words: str
) -> None:
    tmp_path.chmod(0o700)
    named = written(tmp_path, text, mode)
    with pytest.raises(ConfigError, match=words) as refused:
        configured_cluster(
            config(state="etcd://127.0.0.1/app", cluster_credentials=named), {}, tmp_path
        )
    assert "hunter2" not in f"{refused.value} {refused.value.hint}"


def test_a_file_that_is_not_there_and_an_address_that_is_none_are_said(tmp_path: Path) -> None:
    absent = config(state="etcd://127.0.0.1/app", cluster_credentials="absent.toml")
    with pytest.raises(ConfigError, match=r"absent\.toml"):
        configured_cluster(absent, {}, tmp_path)
    with pytest.raises(ConfigError, match="names no application"):
        configured_cluster(config(state="etcd://127.0.0.1"), {}, tmp_path)
