#!/usr/bin/env python3
"""The tables of docs/tools.md from the stored results of scripts/compare_tools.sh.

    tools/comparison/render_tools.py [--check] [ROOT]

Between `<!-- NAME:begin -->` and `<!-- NAME:end -->` stands what this program writes, from docs/results/tools.json. With --check it only
says, by its exit code, whether the document is up to date.
"""
import json
import pathlib
import re
import sys

DOCUMENT = "docs/tools.md"
STORE = "docs/results/tools.json"


def between(row, name, form):
    return f"{row[name]:{form}} ({row[name + '_low']:{form}} to {row[name + '_high']:{form}})"


def table(rows, head, form, ratio):
    lines = [f"| tool | encrypted | {head} | {ratio} |", "|---|---|---|---|"]
    for row in rows:
        if row["skipped"]:
            lines.append(f"| {row['tool']} | {row['encrypted']} | not measured: {row['skipped']} | |")
            continue
        beside = "" if "godwit_to_it" not in row or row["tool"].startswith("godwit") else between(row, "godwit_to_it", ".2f")
        lines.append(f"| {row['tool']} | {row['encrypted']} | {between(row, 'value', form)} | {beside} |")
    return "\n".join(lines)


def size(count):
    return f"{count >> 30} GiB" if count >= 1 << 30 else f"{count >> 20} MiB"


def sections(stored):
    versions = "; ".join(text for text in stored["versions"].values() if text != "absent")
    return {
        "setting": f"{stored['date']}, commit {stored['commit']} ({stored['build_type']}), {stored['machine']}, load before it "
                   f"{stored['load_before']}. {versions}.",
        "forward": table(stored["forward"], "Gbit/s", ".2f", "godwit forward, times as fast"),
        "small": f"{stored['files']:,} files of {stored['file_size']:,} bytes:\n\n"
                 + table(stored["small_files"], "seconds", ".2f", "godwit send, times its time"),
        "large": f"One file of {size(stored['large_bytes'])}:\n\n"
                 + table(stored["large_file"], "seconds", ".2f", "godwit send, times its time")}


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--check"]
    root = pathlib.Path(arguments[0] if arguments else ".")
    document = root / DOCUMENT
    before = after = document.read_text()
    for name, text in sections(json.loads((root / STORE).read_text())).items():
        after, count = re.subn(rf"(?<=<!-- {name}:begin -->\n\n).*?(?=\n\n<!-- {name}:end -->)", lambda _, text=text: text, after, flags=re.S)
        if count != 1:
            print(f"{DOCUMENT}: no place for {name}", file=sys.stderr)
            return 1
    if "--check" in sys.argv:
        if before != after:
            print(f"{DOCUMENT}: the tables are not those of {STORE}: run tools/comparison/render_tools.py", file=sys.stderr)
        return int(before != after)
    document.write_text(after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
