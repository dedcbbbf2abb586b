"""Build the site: gather the pages, write the reference from the code, call Sphinx strictly.

    python docs/_site/build.py build/site

Pages keep their places and links: a link to a page of the repository leads to it on the site, one
to code or tests becomes the name alone. Nothing that is written here is committed.
"""

from __future__ import annotations

import posixpath
import re
import shutil
import sys
import tempfile
from pathlib import Path

import reference
from sphinx.cmd.build import main as sphinx

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
ROOT_PAGES = {"ARCHITECTURE.md": "architecture.md", "SECURITY.md": "security.md"}
ROOT_PAGES |= {"CONTRIBUTING.md": "contributing.md", "README.md": "readme.md"}
"""Pages at the root of the repository, with their names on the site."""

_LINK = re.compile(r"(!?)\[((?:[^\[\]`]|`[^`]*`)*)\]\(([^()\s]+)\)")
_FENCE = re.compile(r"^(```+).*?^\1$", re.MULTILINE | re.DOTALL)
_MERMAID = re.compile(r"^```mermaid\n.*?^```$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"^<!--.*?-->\n", re.MULTILINE)


def pages() -> dict[str, str]:
    """Return every page that is written by hand: its path in the repository, and on the site."""
    found = dict(ROOT_PAGES)
    for path in sorted((REPOSITORY / "docs").rglob("*.md")):
        if HERE not in path.parents:
            name = path.relative_to(REPOSITORY).as_posix()
            found[name] = name.removeprefix("docs/")
    return found


def gather(source: Path) -> None:
    """Fill a folder with all that Sphinx reads."""
    shutil.copy(HERE / "conf.py", source)
    shutil.copy(REPOSITORY / "pyproject.toml", source)
    shutil.copytree(HERE / "templates", source / "templates")
    shutil.copytree(HERE / "static", source / "static")
    shutil.copy(REPOSITORY / "src/qwicket/pages/templates/icon.svg", source / "static")
    known = pages()
    for picture in (REPOSITORY / "docs").rglob("*.svg"):
        if HERE not in picture.parents:
            name = picture.relative_to(REPOSITORY).as_posix()
            known[name] = name.removeprefix("docs/")
    for path, name in known.items():
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        text = (REPOSITORY / path).read_text("utf-8")
        target.write_text(moved(text, path, known) if name.endswith(".md") else text, "utf-8")
    for name, text in reference.pages().items():
        target = source / "reference" / f"{name}.md"
        target.parent.mkdir(exist_ok=True)
        target.write_text(text, "utf-8")


def moved(text: str, path: str, known: dict[str, str]) -> str:
    """Return a page with its links as they lead from its place on the site."""

    def relink(match: re.Match[str]) -> str:
        mark, label, target = match.groups()
        if target.startswith("#") or "://" in target:
            return match[0]
        place, hash_mark, anchor = target.partition("#")
        aim = posixpath.normpath(posixpath.join(posixpath.dirname(path), place))
        aim = f"{aim}/README.md" if f"{aim}/README.md" in known else aim
        if aim in known:
            way = posixpath.relpath(known[aim], posixpath.dirname(known[path]) or ".")
            return f"{mark}[{label}]({way}{hash_mark}{anchor})"
        if not (REPOSITORY / aim).exists():
            raise SystemExit(f"{path}: {target} leads nowhere")
        return label

    text = _MERMAID.sub(lambda _: reference.states(), _COMMENT.sub("", text))
    pieces, end = [], 0
    for fence in _FENCE.finditer(text):
        pieces += [_LINK.sub(relink, text[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*pieces, _LINK.sub(relink, text[end:])])


def main() -> int:
    """Build into the folder that is named; return the exit status."""
    (target,) = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        source.mkdir()
        gather(source)
        doctrees = str(Path(folder) / "doctrees")
        return sphinx(
            ["-W", "--keep-going", "-n", "-q", "-b", "html", "-d", doctrees, str(source), target]
        )


if __name__ == "__main__":
    sys.exit(main())
