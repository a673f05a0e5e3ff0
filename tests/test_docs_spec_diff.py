"""docs/spec-diff.md: its example is run, its table is the one in the code."""

from __future__ import annotations

import json
import pathlib
import re
from typing import TYPE_CHECKING

from evertoken.specdiff.__main__ import main
from evertoken.specdiff.rules import RULES

if TYPE_CHECKING:
    import pytest

PAGE = (pathlib.Path(__file__).parents[1] / "docs" / "spec-diff.md").read_text("utf-8")
DOCUMENTS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def in_folder(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Write the page's documents into a folder, go there, and return their names."""
    monkeypatch.chdir(folder)
    names = ["old.yaml", "new.yaml"]
    for name, content in zip(names, DOCUMENTS, strict=True):
        (folder / name).write_text(content, "utf-8")
    return names


def test_the_example_prints_what_the_page_shows(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """To the letter."""
    (shown,) = re.findall(r"^```console\n\$ .*?\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert main(in_folder(tmp_path, monkeypatch)) == 1
    assert capsys.readouterr().out == shown


def test_the_changelog_is_the_part_of_the_text(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ready to be pasted."""
    assert main([*in_folder(tmp_path, monkeypatch), "--changelog"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["### Added", "", "- `things.list` (`GET /things`), early access."]
    assert "- **Breaking:** `things.create`: field now required: `request.name`." in lines
    assert all(f"  {line}".rstrip() in PAGE for line in lines)


def test_the_table_of_rules_is_that_of_the_code() -> None:
    """Word for word, in its order."""
    rows = re.findall(r"^\| `([a-z-]+)` \| (.*?) \| ([a-z-]+) \| ([a-z-]+) \|$", PAGE, re.MULTILINE)
    assert rows == [
        (name, rule.text, *(verdict.word if verdict else "-" for verdict in (rule.request, rule.response)))
        for name, rule in RULES.items()
    ]


def test_the_json_has_the_keys_that_the_page_names(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of them, and no other."""
    assert main([*in_folder(tmp_path, monkeypatch), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    tables = PAGE[PAGE.index("## JSON") :].split("| key of a change |")
    named = [re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for table in tables]
    whole, change = ({*re.findall("`([a-z]+)`", " ".join(names))} for names in named)
    assert found.keys() == whole | {"format"}
    assert all(entry.keys() == change for entry in found["changes"])
    assert found["changes"][0]["operations"] == [
        {"key": "things.create", "method": "POST", "path": "/things"}
    ]
    counts = re.search(r"^\| `counts` \| .*?: (.*) \|$", PAGE, re.MULTILINE)
    assert counts is not None
    assert list(found["counts"]) == re.findall("`([a-z_]+)`", counts[1])
    assert found["counts"]["request_fields"]["newly_required"] == 1
    assert found["format"] == 1
