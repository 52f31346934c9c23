"""What can be used is documented, and what is documented can be used."""

import ast
import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from fastapi import FastAPI
from prometheus_client import REGISTRY
from tests.support.routes import routes_of
from typer.core import TyperGroup

from dutiful import errors
from dutiful.cli.main import COMMANDS
from dutiful.settings import CLIENT_NAMES, Settings, env_name

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "dutiful"
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "compose.yaml",
    *sorted((ROOT / "docs").rglob("*.md")),
]
GUIDES = {path.name: path.read_text() for path in (ROOT / "docs").glob("*.md")}


# --- commands ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def commands() -> dict[str, Any]:
    """Every command there is, by the words that call it: `db upgrade`."""
    app = typer.Typer()
    app.callback()(lambda: None)
    for module in dict.fromkeys(source for source, _ in COMMANDS.values()):
        importlib.import_module(module).register(app)
    return dict(below(typer.main.get_command(app), ""))


def below(command: Any, words: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(command, TyperGroup):
        yield words, command
        return
    for name, one in command.commands.items():
        yield from below(one, f"{words} {name}".strip())


def rows() -> Iterator[tuple[list[str], set[str]]]:
    """Of the tables in docs/cli.md: the commands of each row, and the options told there or above the table."""
    for section in GUIDES["cli.md"].split("\n## ")[1:]:
        above, _, table = section.partition("\n| command |")
        for row in table.splitlines()[2:]:
            calls = re.findall(r"`dutiful ([^`]+)`", row.split("|")[1])
            yield calls, options_in(above) | options_in(row)


def options_in(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])(--[a-z-]+)", text))


def options_of(command: Any) -> list[set[str]]:
    """For each option its long names: `--check` and `--no-check` are one."""
    names = [{*parameter.opts, *parameter.secondary_opts} for parameter in command.params]
    return [long for each in names if (long := {name for name in each if name.startswith("--")})]


def test_every_command_and_every_option_of_it_is_documented(commands: dict[str, Any]) -> None:
    documented: dict[str, set[str]] = {}
    for calls, options in rows():
        for call in calls:
            words = next(words for words in commands if f"{call} ".startswith(f"{words} "))
            documented[words] = options
    assert commands.keys() - documented.keys() == set()
    missing = {
        f"{words} {' or '.join(sorted(names))}"
        for words, options in documented.items()
        for names in options_of(commands[words])
        if not names & options
    }
    assert missing == set()


def test_every_option_in_the_tables_is_one_of_a_command_there(commands: dict[str, Any]) -> None:
    for calls, options in rows():
        known = {
            name
            for words, command in commands.items()
            if any(f"{call} ".startswith(f"{words} ") for call in calls)
            for names in options_of(command)
            for name in names
        }
        assert options - known == set(), calls


def test_every_command_in_the_documents_is_one(commands: dict[str, Any]) -> None:
    groups = {words.split()[0] for words in commands if " " in words}
    for path in PAGES:
        for line in re.findall(
            r"(?:`|^|\$ |&& |exec dutiful |run --rm |\()(dutiful [a-z][^`\n]*)",
            path.read_text(),
            re.MULTILINE,
        ):
            words = [word for word in re.split(r"[ |)…]", line)[1:] if word][:2]
            if (
                not words
                or not re.fullmatch(r"[a-z-]+", words[0])
                or words[0] not in groups | commands.keys()
            ):
                assert not is_meant_as_command(line), (path.name, line)
                continue
            if words[0] in groups and len(words) > 1 and re.fullmatch(r"[a-z-]+", words[1]):
                assert " ".join(words) in commands, (path.name, line)


def is_meant_as_command(line: str) -> bool:
    """`dutiful --help` and `dutiful dutiful.service` are no commands of ours."""
    word = line.split()[1] if len(line.split()) > 1 else ""
    return re.fullmatch(r"[a-z]+", word) is not None


def test_every_option_in_the_documents_is_one(commands: dict[str, Any]) -> None:
    for path in PAGES:
        for line in re.findall(
            r"`dutiful ([a-z][^`\n]*)`|^(?:\$ )?dutiful ([a-z][^\n#]*)", path.read_text(), re.MULTILINE
        ):
            text = next(filter(None, line))
            command = commands.get(" ".join(text.split()[:2])) or commands.get(text.split()[0])
            if command is None:
                continue
            known = {
                name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)
            }
            for option in re.findall(r"(?<![\w-])(--[a-z-]+)", text):
                assert option in known | {"--help"}, (path.name, text)


# --- settings ---------------------------------------------------------------------------------------------------------


def test_every_setting_is_documented() -> None:
    names = [env_name(field) for field in Settings.model_fields] + list(CLIENT_NAMES)
    text = GUIDES["operations.md"]
    assert [name for name in names if not re.search(rf"^\| `{name}`", text, re.MULTILINE)] == []


def test_every_setting_in_the_documents_is_one() -> None:
    known = {env_name(field) for field in Settings.model_fields} | set(CLIENT_NAMES)
    for path in [*PAGES, ROOT / ".env.example"]:
        for name in re.findall(r"\b(DUTIFUL_[A-Z_]+)(?![A-Z_*])", path.read_text()):
            # `DUTIFUL_DB_*_TIMEOUT` stands for several.
            assert name in known or name.endswith("_"), (path.name, name)


# --- the API ----------------------------------------------------------------------------------------------------------


def documented_routes() -> set[str]:
    """The first column of the tables in docs/api.md."""
    cells = re.findall(r"^\| ((?:`[A-Z]+ /[^`]*`(?:, )?)+) \|", GUIDES["api.md"], re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([A-Z]+ /[^`]*)`", cell)}


def test_every_route_is_documented(app: FastAPI) -> None:
    # PUT does what PATCH does, everywhere: the page says it once.
    routes = {
        one.name
        for one in routes_of(app)
        if one.method not in {"PUT", "HEAD"} and one.route.include_in_schema
    }
    assert len(routes) > 50
    assert sorted(routes - documented_routes()) == []
    assert sorted(documented_routes() - routes) == []


def codes() -> set[str]:
    """Every `code` that the source gives an error."""
    found = {
        error.code for error in vars(errors).values() if isinstance(error, type) and hasattr(error, "code")
    }
    for path in SOURCE.rglob("*.py"):
        if "cli" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "code" and isinstance(node.value, ast.Constant):
                found.add(node.value.value)
    return {code for code in found if isinstance(code, str)} - {"error"}


def test_every_code_of_an_error_is_documented() -> None:
    assert sorted(code for code in codes() if f"`{code}`" not in GUIDES["api.md"]) == []


# --- installing -------------------------------------------------------------------------------------------------------


def test_nobody_is_told_to_install_from_an_index_what_is_not_published_there() -> None:
    told = [*PAGES, ROOT / "pyproject.toml", *(ROOT / "deploy").iterdir(), *SOURCE.rglob("*.py")]
    for path in told:
        found = re.search(r"pip install (?:--?[a-z-]+ )*['\"]?dutiful\b", path.read_text())
        assert found is None, (path, found)


# --- links ------------------------------------------------------------------------------------------------------------


def anchors(text: str) -> set[str]:
    """As the usual hosts make them of headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", [path for path in PAGES if path.suffix == ".md"], ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    text = path.read_text()
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        linked = (path.parent / name) if name else path
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked.read_text()), target


def test_commands_in_the_documents_can_be_read_by_a_shell() -> None:
    for path in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", path.read_text(), re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                shlex.split(line, comments=True)


# --- metrics ----------------------------------------------------------------------------------------------------------


def test_every_metric_is_documented_and_no_other() -> None:
    names = {metric.name for metric in REGISTRY.collect() if metric.name.startswith("dutiful_")}
    documented = set(re.findall(r"^\| `(dutiful_\w+?)(?:_total)?` \|", GUIDES["operations.md"], re.MULTILINE))
    assert documented == names
    for name in re.findall(
        r"\b(dutiful_(?:http|db|process|housekeeping)\w+?)(?:_total)?\b", GUIDES["operations.md"]
    ):
        assert name in names, name
