#!/usr/bin/env python3
"""The figures of README.md and the chart beside them, from stored results.

    tools/render_readme.py [--check] [ROOT]

Writes what stands between `<!-- readme:begin figures -->` and `<!-- readme:end -->`, and docs/images/breakdown.svg, from
docs/results. With --check it only says, by its exit code, whether both are what the results give.
"""
import json
import pathlib
import re
import sys

CHART = "docs/images/breakdown.svg"
# Of the chart, in the order of the screen of the analysis.
GROUPS = [("kernel", "kernel calls"), ("cipher", "cipher"), ("digest", "digest"), ("transport", "transport"),
          ("application", "application")]
PANELS = [("stream, batched", "as shipped, 108 datagrams a system call"),
          ("stream, one datagram a call", "one datagram a system call")]
WIDTH, LABEL, BAR, GAP, RIGHT = 720, 84, 26, 10, 78


def load(root: pathlib.Path, name: str) -> dict:
    return json.loads((root / "docs/results" / f"{name}.json").read_text(encoding="utf-8"))


def row_of(results: dict, name: str) -> dict:
    return next(each for each in results["benchmarks"] if each["name"] == name)


def median(results: dict, name: str) -> float:
    return row_of(results, name)["summary"]["median"]["estimate"]


def machine(results: dict) -> str:
    found = results["fingerprint"]
    processor = found["machine"]
    return (f"{processor['processor']}, {processor['processors']} processors, {processor['virtualization']}, "
            f"Linux {found['system']['kernel']}")


def stamp(results: dict) -> str:
    return f"{results['started_at'][:10]}, commit {results['fingerprint']['build']['commit']}"


def figures(root: pathlib.Path) -> str:
    analysis, transport, peers = load(root, "analysis"), load(root, "transport"), load(root, "peers_loopback")
    goodput = median(analysis, "level2/analyze/auto")
    single = median(analysis, "level2/analyze/sendto")
    sums = {each["side"]: each["sum_nanoseconds"] for each in analysis["breakdowns"] if each["name"] == "stream, batched"}
    ratios = [(each["name"], each["reference_over_this"]["estimate"]) for each in peers["rows"] if "reference_over_this" in each]
    named = {name: f"{ratio:.2f}" for name, ratio in ratios}
    others = ", ".join(f"{named[name]} times that of {label}" for name, label in
                       (("quinn", "quinn"), ("s2n-quic", "s2n-quic"), ("s2n_quic", "s2n-quic"), ("tls", "TLS 1.3 over TCP"),
                        ("tcp", "plaintext TCP")) if name in named)
    lossy = "level3/loss/bbr/1%-25ms"
    # One machine is named once.
    machines = {machine(each) for each in (analysis, transport, peers)}
    named_once = len(machines) == 1
    lines = [f"| figure | measured | {'when' if named_once else 'machine'} |", "|---|---|---|"]

    def line(what: str, value: str, results: dict) -> None:
        where = stamp(results) if named_once else f"{machine(results)}; {stamp(results)}"
        lines.append(f"| {what} | {value} | {where} |")

    line("one encrypted stream over loopback", f"**{goodput / 1e9:.1f} Gbit/s**; {single / 1e9:.1f} with one datagram a system call",
         analysis)
    line("processor time of a full packet", f"**{sums['sender']:.0f} ns** sending, {sums['receiver']:.0f} ns receiving", analysis)
    line("a stream with 1 % loss and 50 ms round trip", f"**{median(transport, lossy) / 1e9:.2f} Gbit/s** with BBRv3, "
         f"{median(transport, lossy.replace('bbr', 'cubic')) / 1e9:.3f} with CUBIC", transport)
    line("round trip of 64 bytes over loopback", f"**{median(transport, 'level2/latency/spin') / 1e3:.1f} µs** spinning, "
         f"{median(transport, 'level2/latency/block') / 1e3:.1f} sleeping (bare UDP: "
         f"{median(transport, 'level2/latency/bare-udp-blocking') / 1e3:.1f})", transport)
    line("memory of an idle connection, one end", f"**{median(transport, 'level3/connections/idle/10000') / 1024:.1f} KiB**, of 10,000",
         transport)
    if named_once:
        lines += ["", f"Measured on {machines.pop()}."]
    lines += ["", f"Beside other stacks, one stream over loopback, Godwit's goodput is {others} ([docs/peers.md](docs/peers.md)).",
              "The intervals of these figures, and all others, stand in",
              "[docs/architecture/transport_perf_analysis.md](docs/architecture/transport_perf_analysis.md) and `docs/results`."]
    return "\n".join(lines)


def chart(root: pathlib.Path) -> str:
    analysis = load(root, "analysis")
    height = 58 + len(PANELS) * (30 + 2 * (BAR + GAP) + 12) + 26
    text = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
            'aria-label="Nanoseconds of a full packet by component">', "<style>",
            "text { font: 14px system-ui, sans-serif; fill: #1f2328 } .small { font-size: 12px; fill: #59636e }",
            ".kernel { fill: #c4572b } .cipher { fill: #2f6fb5 } .digest { fill: #6b52a8 } .transport { fill: #2c8a57 }"
            " .application { fill: #8a8f98 }",
            "@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .small { fill: #9198a1 } }", "</style>"]
    x = 0
    for group, label in GROUPS:
        text.append(f'<rect class="{group}" x="{x}" y="6" width="14" height="14" rx="2"/>'
                    f'<text x="{x + 20}" y="18">{label}</text>')
        x += 34 + 8 * len(label)
    text.append(f'<text class="small" x="0" y="42">nanoseconds of processor time for a packet of 1200 bytes; each part has its own scale</text>')
    y = 58
    for name, title in PANELS:
        sides = {each["side"]: each for each in analysis["breakdowns"] if each["name"] == name}
        longest = max(each["sum_nanoseconds"] for each in sides.values())
        text.append(f'<text x="0" y="{y + 18}" font-weight="600">{title}</text>')
        y += 30
        for side in ("sender", "receiver"):
            steps = sides[side]["steps"]
            text.append(f'<text x="0" y="{y + BAR - 8}">{side}</text>')
            x = float(LABEL)
            for group, label in GROUPS:
                nanoseconds = sum(step["nanoseconds"] for step in steps if step["group"] == group)
                width = nanoseconds / longest * (WIDTH - LABEL - RIGHT)
                text.append(f'<rect class="{group}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR}">'
                            f"<title>{label}: {nanoseconds:.1f} ns</title></rect>")
                x += width
            text.append(f'<text x="{x + 8:.1f}" y="{y + BAR - 8}">{sides[side]["sum_nanoseconds"]:.0f} ns</text>')
            y += BAR + GAP
        y += 12
    text.append(f'<text class="small" x="0" y="{y + 8}">{machine(analysis)}; {stamp(analysis)}</text>')
    return "\n".join([*text, "</svg>"]) + "\n"


def main() -> int:
    arguments = [each for each in sys.argv[1:] if each != "--check"]
    root = pathlib.Path(arguments[0] if arguments else ".").resolve()
    readme = root / "README.md"
    before = readme.read_text(encoding="utf-8")
    block = f"<!-- readme:begin figures -->\n\n{figures(root)}\n\n<!-- readme:end -->"
    after, count = re.subn(r"<!-- readme:begin figures -->\n.*?<!-- readme:end -->", lambda _: block, before, flags=re.S)
    drawn = chart(root)
    image = root / CHART
    stale = [path.name for path, old, new in
             ((readme, before, after), (image, image.read_text(encoding="utf-8") if image.exists() else "", drawn)) if old != new]
    if count != 1:
        stale.append("README.md has no place for the figures")
    if "--check" in sys.argv[1:]:
        if stale:
            print(f"render_readme: not what docs/results gives: {', '.join(stale)}; run tools/render_readme.py")
        return 1 if stale else 0
    readme.write_text(after, encoding="utf-8")
    image.parent.mkdir(exist_ok=True)
    image.write_text(drawn, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
