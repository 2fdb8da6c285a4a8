#!/usr/bin/env python3
"""The tables of docs/tools.md from the stored results of scripts/compare_tools.sh.

    tools/comparison/render_tools.py [--check] [ROOT]

Between `<!-- NAME:begin -->` and `<!-- NAME:end -->` stands what this program writes, from docs/results/tools.json. With --check it only
says, by its exit code, whether the document is up to date.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import generated_sections

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


if __name__ == "__main__":
    sys.exit(generated_sections.main(DOCUMENT, STORE, "tools/comparison/render_tools.py", sections))
