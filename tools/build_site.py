#!/usr/bin/env python3
"""Makes a site of the documentation, without a network: plain HTML of docs/ and the pages beside it, and llms.txt.

    tools/build_site.py [--check] [--root ROOT] OUTPUT

Needs Python-Markdown (Debian: python3-markdown; scripts/setup.sh installs it). With --check the site is made and judged:
every link inside it leads to a page and a heading that exist, no page refers to another host for anything that it shows,
and every page is reached from the first one. Exits with 77 and the reason where Python-Markdown is missing.
"""
import argparse
import html
import html.parser
import os
import pathlib
import re
import shutil
import sys

try:
    import markdown
except ImportError:
    # Debian's package belongs to Debian's Python.
    DEBIAN = "/usr/bin/python3"
    if os.path.exists(DEBIAN) and not os.environ.get("GODWIT_SITE_AGAIN"):
        os.execve(DEBIAN, [DEBIAN, "-B", *sys.argv], {**os.environ, "GODWIT_SITE_AGAIN": "1"})
    print("build_site: SKIPPED: Python-Markdown is not installed (python3-markdown)")
    sys.exit(77)

# The order of the menu. Whatever is not listed follows under the last title.
MENU = [
    ("Begin", ["README.md", "docs/quick_start.md", "docs/guide.md", "docs/packages.md"]),
    ("Use", ["docs/command_line.md", "docs/options.md", "docs/file_transfer.md", "docs/api.md", "docs/json.md"]),
    ("Operate", ["docs/observability.md", "docs/tuning.md", "docs/errors.md", "docs/security.md", "SECURITY.md", "docs/trace.md"]),
    ("Wire formats", ["docs/wire_spec.md", "docs/extended_sessions.md", "docs/wire_format.md"]),
    ("Design", ["ARCHITECTURE.md", "docs/decisions.md", "docs/simulation.md", "docs/peers.md",
                "docs/architecture/transport_perf_analysis.md", "docs/architecture/transport_benchmark_methodology.md"]),
    ("More", ["CONTRIBUTING.md", "CHANGELOG.md", "docs/README.md"]),
]
STYLE = """
:root { color-scheme: light dark; --line: #d0d7de; --soft: #f6f8fa; --link: #0b5cad; --ink: #1f2328; --paper: #ffffff }
@media (prefers-color-scheme: dark) { :root { --line: #3d444d; --soft: #161b22; --link: #6cb2ff; --ink: #e6edf3; --paper: #0d1117 } }
* { box-sizing: border-box }
body { margin: 0; font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper); display: grid;
  grid-template-columns: 15rem minmax(0, 1fr) }
nav { padding: 1.2rem; border-right: 1px solid var(--line); font-size: .92rem; min-height: 100vh }
nav b { display: block; margin-top: 1rem } nav a { display: block; padding: .1rem 0 } nav a[aria-current] { font-weight: 600 }
main { padding: 1.2rem 2rem 4rem; max-width: 60rem; min-width: 0 }
a { color: var(--link); text-decoration: none } a:hover, a:focus { text-decoration: underline }
pre, .wide { overflow-x: auto } pre { background: var(--soft); padding: .8rem; border-radius: 6px }
code { font: .9em ui-monospace, monospace } p > code, li > code, td > code { background: var(--soft); padding: 0 .25em; border-radius: 4px;
  overflow-wrap: anywhere }
table { border-collapse: collapse; font-size: .92rem } th, td { border: 1px solid var(--line); padding: .3rem .6rem; text-align: left;
  vertical-align: top } img { max-width: 100% }
h1, h2, h3 { line-height: 1.25; overflow-wrap: anywhere }
summary { cursor: pointer; padding: .8rem 1.2rem; border-bottom: 1px solid var(--line) }
@media (max-width: 52rem) { body { display: block } nav { min-height: 0; border-right: 0 } main { padding: 1rem } }
@media (min-width: 52.01rem) { details.menu > summary { display: none } }
"""


def slug(text: str, _: str = "-") -> str:
    """The name of a heading as the links of this repository write it."""
    plain = re.sub(r"[`*]|<[^>]*>", "", text).strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


class Site:
    def __init__(self, root: pathlib.Path, output: pathlib.Path):
        self.root, self.output = root, output
        listed = [name for _, names in MENU for name in names]
        found = sorted(path.relative_to(root).as_posix() for pattern in ("*.md", "docs/**/*.md") for path in root.glob(pattern))
        missing = [name for name in listed if name not in found]
        if missing:
            raise SystemExit(f"build_site: the menu names pages that do not exist: {', '.join(missing)}")
        self.menu = [(title, list(names)) for title, names in MENU]
        self.menu[-1][1].extend(name for name in found if name not in listed)
        self.texts = {name: (root / name).read_text(encoding="utf-8") for _, names in self.menu for name in names}
        self.titles = {name: self.title_of(name) for name in self.texts}

    def title_of(self, name: str) -> str:
        match = re.search(r"^# (.+)$", self.texts[name], re.M)
        return re.sub(r"[`*]", "", match.group(1)) if match else name

    @staticmethod
    def place_of(name: str) -> str:
        return "index.html" if name == "README.md" else name.removesuffix(".md") + ".html"

    def link(self, page: str, target: str) -> str:
        """A link of `page` as the site has it: to a page of the site, to a copied file, or out of the repository."""
        if re.match(r"[a-z]+:", target) or target.startswith("#"):
            return target
        path, _, anchor = target.partition("#")
        there = os.path.normpath(os.path.join(os.path.dirname(page), path))
        if os.path.isdir(self.root / there) and f"{there}/README.md" in self.texts:
            there = f"{there}/README.md"
        here = os.path.dirname(self.place_of(page))
        if there in self.texts:
            return os.path.relpath(self.place_of(there), here or ".") + (f"#{anchor}" if anchor else "")
        source = self.root / there
        if source.is_file():
            copy = self.output / "files" / there
            # Shown by the browser as they are, whatever their type is called.
            copy = copy if copy.suffix in {".svg", ".json", ".txt"} else copy.with_name(copy.name + ".txt")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
            return os.path.relpath(copy, self.output / here)
        return ""  # a folder: named, and not part of the site

    def navigation(self, page: str) -> str:
        here = os.path.dirname(self.place_of(page)) or "."
        lines = []
        for title, names in self.menu:
            lines.append(f"<b>{html.escape(title)}</b>")
            for name in names:
                current = ' aria-current="page"' if name == page else ""
                lines.append(f'<a href="{os.path.relpath(self.place_of(name), here)}"{current}>{html.escape(self.titles[name])}</a>')
        return "\n".join(lines)

    def write_page(self, page: str) -> None:
        body = markdown.markdown(self.texts[page], extensions=["tables", "fenced_code", "toc", "sane_lists", "attr_list"],
                                 extension_configs={"toc": {"slugify": slug}})
        body = re.sub(r'(<a href|<img [^>]*?src)="([^"]*)"',
                      lambda m: f'{m[1]}="{html.escape(self.link(page, html.unescape(m[2])))}"', body)
        body = re.sub(r'<a href="">(.*?)</a>', r"\1", body, flags=re.S)
        body = body.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")
        up = os.path.relpath(".", os.path.dirname(self.place_of(page)) or ".")
        text = (f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, '
                f'initial-scale=1"><title>{html.escape(self.titles[page])} · Godwit</title>'
                f'<link rel="stylesheet" href="{up}/style.css"></head>\n<body>\n<nav><details class="menu" open><summary>Pages</summary>\n'
                f"{self.navigation(page)}\n</details></nav>\n<main>\n{body}\n</main>\n</body></html>\n")
        path = self.output / self.place_of(page)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def write_llms(self) -> None:
        """https://llmstxt.org: what there is, each with a line; and all of the pages that a user reads in one text."""
        first = re.search(r"^# .*\n\n((?:.+\n)+)", self.texts["README.md"], re.M).group(1).replace("\n", " ").strip()
        lines = ["# Godwit", "", f"> {first}", ""]
        for title, names in self.menu:
            lines.append(f"## {title}\n")
            lines += [f"- [{self.titles[name]}]({self.place_of(name)})" for name in names] + [""]
        (self.output / "llms.txt").write_text("\n".join(lines), encoding="utf-8")
        read = [name for title, names in self.menu[:3] for name in names if name != "docs/options.md"]
        full = "\n\n".join(f"<!-- {name} -->\n\n{self.texts[name].strip()}" for name in read)
        (self.output / "llms-full.txt").write_text(full + "\n", encoding="utf-8")

    def write(self) -> None:
        if self.output.exists():
            shutil.rmtree(self.output)
        self.output.mkdir(parents=True)
        (self.output / "style.css").write_text(STYLE, encoding="utf-8")
        for page in self.texts:
            self.write_page(page)
        self.write_llms()


class Links(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.links: list[str] = []
        self.shown: list[str] = []
        self.names: set[str] = set()

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.names.update(filter(None, (found.get("id"), found.get("name") if tag == "a" else None)))
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        self.shown += [found[each] for each in ("src", "srcset") if each in found]
        if tag == "link":
            self.shown.append(found["href"])


def judge(output: pathlib.Path) -> list[str]:
    pages = {}
    for path in sorted(output.rglob("*.html")):
        pages[path] = Links()
        pages[path].feed(path.read_text(encoding="utf-8"))
    findings, reached, waiting = [], set(), [output / "index.html"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        for target in pages[page].links:
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            there = (page.parent / path).resolve() if path else page
            name = page.relative_to(output)
            if not there.is_file():
                findings.append(f"{name}: {target} leads nowhere")
            elif anchor and there in pages and anchor not in pages[there].names:
                findings.append(f"{name}: {target} names no heading")
            elif there in pages:
                waiting.append(there)
    for page, links in pages.items():
        findings += [f"{page.relative_to(output)}: shows {each} of another host" for each in links.shown if re.match(r"[a-z]+:|//", each)]
        findings += [f"{page.relative_to(output)}: {each} is not there" for each in links.shown
                     if not re.match(r"[a-z]+:|//", each) and not (page.parent / each).is_file()]
    return findings + [f"{page.relative_to(output)} is reached from nowhere" for page in pages if page not in reached]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--root", default=str(pathlib.Path(__file__).resolve().parent.parent))
    parser.add_argument("output")
    arguments = parser.parse_args()
    output = pathlib.Path(arguments.output).resolve()
    if output.exists() and not (output / "style.css").exists() and any(output.iterdir()):
        raise SystemExit(f"build_site: {output} holds something else")
    site = Site(pathlib.Path(arguments.root).resolve(), output)
    site.write()
    findings = judge(output) if arguments.check else []
    print("\n".join([*findings, f"build_site: {len(site.texts)} pages, {len(findings)} findings"]))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
