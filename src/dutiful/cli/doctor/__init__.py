"""`dutiful doctor`: what is wrong, and what to do. It changes nothing."""

import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import typer

from dutiful.cli.doctor.configuration import check_settings
from dutiful.cli.doctor.database import check_database
from dutiful.cli.doctor.findings import Finding, Level
from dutiful.cli.doctor.folder import check_backups, check_folder
from dutiful.cli.doctor.installation import check_installation
from dutiful.cli.doctor.running import check_server
from dutiful.cli.options import JsonOption
from dutiful.cli.output import print_json, print_lines

_INDENT = " " * 11


def register(app: typer.Typer) -> None:
    app.command("doctor")(doctor)


def doctor(*, as_json: JsonOption = False) -> None:
    """Check the installation, settings, database, server and backups.

    Says what to do where something is wrong. Ends with 1 when there is a problem; warnings are none. Changes nothing,
    but a private PostgreSQL that is not running is started for a moment.
    """
    findings = list(_examine())
    problems = sum(finding.level is Level.PROBLEM for finding in findings)
    if as_json:
        print_json({"ok": problems == 0, "findings": [asdict(finding) for finding in findings]})
    else:
        print_lines(list(_lines(findings)))
    if problems:
        raise typer.Exit(1)


def _examine() -> Iterator[Finding]:
    found, settings = check_settings()
    yield from check_installation(is_embedded=settings is None or settings.uses_embedded_database).all
    yield from found.all
    if settings is None:
        return
    for check in (check_folder, check_database, check_server, check_backups):
        yield from check(settings).all


def _lines(findings: Sequence[Finding]) -> Iterator[str]:
    width = min(shutil.get_terminal_size().columns, 100) if sys.stdout.isatty() else 100
    area = ""
    for finding in findings:
        if finding.area != area:
            yield from ("", finding.area) if area else (finding.area,)
            area = finding.area
        yield from _wrapped(f"  {finding.level:<7}  {finding.text}", width)
        if finding.advice:
            yield from _wrapped(f"{_INDENT}> {finding.advice}", width, _INDENT + "  ")
    yield ""
    yield _summary(findings)


def _wrapped(line: str, width: int, indent: str = _INDENT) -> list[str]:
    return textwrap.wrap(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _summary(findings: Sequence[Finding]) -> str:
    count = {level: sum(finding.level is level for finding in findings) for level in Level}
    if not count[Level.PROBLEM] and not count[Level.WARNING]:
        return "All is well."
    told = [
        f"{count[level]} {level}{'' if count[level] == 1 else 's'}"
        for level in (Level.PROBLEM, Level.WARNING)
        if count[level]
    ]
    return f"{' and '.join(told)}."
