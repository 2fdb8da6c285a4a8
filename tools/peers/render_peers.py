#!/usr/bin/env python3
"""Tables of docs/peers.md from the stored runs beside other transports.

    tools/peers/render_peers.py [--check] [ROOT]

Between `<!-- peers:begin NAME -->` and `<!-- peers:end -->` stands what this program writes, from
docs/results/peers_NAME.json. With --check it only says, by its exit code, whether the document is up to date.
"""
import json
import pathlib
import re
import sys

DOCUMENT = "docs/peers.md"
LABELS = {"tcp": "kernel TCP, plaintext", "tls": "TLS 1.3 over TCP"}


def interval(value: dict, digits: int, factor: float = 1) -> str:
    return (f"{value['estimate'] * factor:.{digits}f} "
            f"[{value['low'] * factor:.{digits}f}, {value['high'] * factor:.{digits}f}]")


def machine(result: dict) -> str:
    found = result["fingerprint"]
    processor = found["machine"]
    return (f"{processor['processor']} ({processor['processor_id']}), {processor['processors']} processors, "
            f"{processor['virtualization']}, Linux {found['system']['kernel']}; commit {found['build']['commit']}")


def section(result: dict) -> str:
    lines = [f"{result['rounds']} rounds of {result['seconds']:g} s. {machine(result)}.", "",
             "| stack | Gbit/s | ns for 1130 bytes | processor, s/GB, both sides | Godwit is … times it |",
             "|---|---:|---:|---:|---:|"]
    for row in result["rows"]:
        ratio = interval(row["reference_over_this"], 3) if "reference_over_this" in row else "–"
        lines.append(f"| {LABELS.get(row['name'], row['name'])} | {interval(row['goodput_bits_per_second'], 2, 1e-9)} "
                     f"| {row['nanoseconds_per_1130_bytes']:.0f} | {row['cpu_seconds_per_gigabyte']:.2f} | {ratio} |")
    if result["failures"]:
        lines += ["", f"{len(result['failures'])} runs failed; their rounds are left out."]
    return "\n".join(lines)


def render(text: str, root: pathlib.Path) -> str:
    def replace(match: re.Match) -> str:
        name = match.group(1).strip()
        result = json.loads((root / f"docs/results/peers_{name}.json").read_text(encoding="utf-8"))
        return f"<!-- peers:begin {name} -->\n\n{section(result)}\n\n<!-- peers:end -->"

    return re.sub(r"<!-- peers:begin ([^>]*) -->\n.*?<!-- peers:end -->", replace, text, flags=re.DOTALL)


def main() -> int:
    arguments = [a for a in sys.argv[1:] if a != "--check"]
    check = "--check" in sys.argv[1:]
    root = pathlib.Path(arguments[0] if arguments else ".")
    path = root / DOCUMENT
    before = path.read_text(encoding="utf-8")
    after = render(before, root)
    if before == after:
        return 0
    if check:
        print(f"{DOCUMENT}: its tables are not what docs/results says; run tools/peers/render_peers.py")
        return 1
    path.write_text(after, encoding="utf-8")
    print(f"{DOCUMENT}: updated")
    return 0


if __name__ == "__main__":
    sys.exit(main())
