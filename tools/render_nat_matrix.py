#!/usr/bin/env python3
"""The table of docs/connectivity.md from the stored results of scripts/run_nat_matrix.sh.

    tools/render_nat_matrix.py [--check] [ROOT]

Between `<!-- nat_matrix:begin -->` and `<!-- nat_matrix:end -->` stands what this program writes, from
docs/results/nat_matrix.json. With --check it only says, by its exit code, whether the document is up to date.
"""
import sys

import generated_sections

DOCUMENT = "docs/connectivity.md"
STORE = "docs/results/nat_matrix.json"


def table(cells):
    lines = ["| listener | asker | unasked datagrams | connected | direct | first answer, s | first direct answer, s | packets |",
             "|---|---|---|---|---|---|---|---|"]
    shown = lambda seconds: "–" if seconds is None else f"{seconds:.2f}"
    for cell in cells:
        connected = f"{cell['direct'] + cell['relayed']} of {cell['runs']}"
        searched = ", by search" if cell.get("searched") and cell["direct"] else ""
        direct = f"{cell['direct']}{searched}" if cell.get("searched") or cell.get("at_once", cell["direct"]) == cell["direct"] else f"{cell['direct']}, {cell['at_once']} of them at once"
        lines.append(f"| {cell['listener']} | {cell['asker']} | {'answered' if cell['answers'] else 'dropped'} | {connected} | "
                     f"{direct} | {shown(cell['seconds'])} | {shown(cell.get('direct_seconds'))} | {cell['packets']} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(generated_sections.main(DOCUMENT, STORE, "tools/render_nat_matrix.py", lambda stored: {"nat_matrix": table(stored["cells"])}))
