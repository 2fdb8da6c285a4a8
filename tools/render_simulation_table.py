#!/usr/bin/env python3
"""Tables inside documents from the stored table of simulations (docs/simulation.md).

    tools/render_simulation_table.py [--check] [ROOT]

Between `<!-- simulation:begin NAME -->` and `<!-- simulation:end -->` stands what this program writes, from
docs/results/simulation_table.json. With --check it only says, by its exit code, whether the documents are up to date.
"""
import json
import pathlib
import re
import statistics
import sys

DOCUMENTS = ["docs/simulation.md", "docs/adr/0004-default-congestion-controller.md"]
STORE = "docs/results/simulation_table.json"
# How the documents call them; any other controller goes by its own name.
NAMES = {"cubic": "CUBIC", "newreno": "NewReno", "bbr": "BBR", "ledbat": "LEDBAT++"}


class Cell:
    def __init__(self, data: dict):
        self.data = data
        controller, trip, loss, queue, rate = data["cell"].split()
        self.controller = controller
        self.trip = float(trip.removesuffix("ms"))
        self.loss = float(loss.removesuffix("%"))
        self.queue = float(queue.removesuffix("bdp"))
        self.rate = float(rate.removesuffix("M"))

    def __getitem__(self, key: str):
        return self.data.get(key)


def controllers(cells: list[Cell]) -> list[str]:
    """Those of the stored table, in its order."""
    return list(dict.fromkeys(cell.controller for cell in cells))


def heads_of(cells: list[Cell]) -> list[str]:
    return [NAMES.get(controller, controller) for controller in controllers(cells)]


def number(values: list[float], digits: int = 2) -> str:
    return f"{statistics.fmean(values):.{digits}f}" if values else "–"


def present(cells: list[Cell], key: str) -> list[float]:
    return [cell[key] for cell in cells if cell[key] is not None]


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def crossed(cells: list[Cell], key: str, outer: tuple[str, str], inner: tuple[str, str]) -> str:
    """Means over everything else, a row for each pair of values. Of a pair: the attribute, and its unit."""
    rows = []
    for first in sorted({getattr(cell, outer[0]) for cell in cells}):
        for second in sorted({getattr(cell, inner[0]) for cell in cells}):
            row = [f"{first:g} {outer[1]}", f"{second:g} {inner[1]}"]
            for controller in controllers(cells):
                chosen = [c for c in cells if c.controller == controller
                          and (getattr(c, outer[0]), getattr(c, inner[0])) == (first, second)]
                row.append(number(present(chosen, key)))
            rows.append(row)
    heads = [{"trip": "round trip"}.get(name, name) for name, _ in (outer, inner)]
    return table(heads + heads_of(cells), rows)


def by_loss_and_trip(cells: list[Cell], key: str) -> str:
    return crossed(cells, key, ("loss", "%"), ("trip", "ms"))


def by_rate(cells: list[Cell], key: str) -> str:
    return crossed(cells, key, ("rate", "Mbit/s"), ("loss", "%"))


def queue_delay(cell: Cell) -> float:
    """The 95th percentile of the time in the queue, as a share of the round trip."""
    return cell["queue_p95_ms"] / cell.trip


def summary(cells: list[Cell]) -> str:
    rows = []

    def add(label: str, value) -> None:
        rows.append([label] + [value([c for c in cells if c.controller == k]) for k in controllers(cells)])

    for loss in (0, 0.1, 1, 5):
        add(f"share of the limit, {loss:g} % loss",
            lambda chosen, loss=loss: number(present([c for c in chosen if c.loss == loss], "share_of_limit")))
    add("time in the queue, p95, in round trips (50 ms and more, no loss)",
        lambda chosen: number([queue_delay(c) for c in chosen if c.loss == 0 and c.trip >= 50]))
    add("sent again, share of packets, no loss",
        lambda chosen: number(present([c for c in chosen if c.loss == 0], "retransmitted"), 4))
    add("time to fill the path, s (no loss, mean where it is filled)",
        lambda chosen: number(present([c for c in chosen if c.loss == 0], "fill_s")))
    add("recovery after 2 s of black-out, s (no loss)",
        lambda chosen: number(present([c for c in chosen if c.loss == 0], "blackout_s")))
    for queue in (0.5, 1, 4):
        add(f"share beside one TCP flow with CUBIC, queue of {queue:g} products, no loss",
            lambda chosen, queue=queue: number(
                present([c for c in chosen if c.loss == 0 and c.queue == queue and c.trip >= 50], "against_cubic")))
    for index, flows in enumerate((2, 8, 32)):
        add(f"Jain's index, {flows} flows (no loss, 10 Mbit/s and more)",
            lambda chosen, index=index: number(
                [c["jain"][index] for c in chosen if c.loss == 0 and c.rate >= 10 and c["jain"]]))
    return table(["mean over cells"] + heads_of(cells), rows)


def count(cells: list[Cell]) -> str:
    inside = sum(1 for c in cells if c["share_of_limit"] >= c["bound"])
    rates = ", ".join(f"{rate:g}" for rate in sorted({c.rate for c in cells}))
    return (f"{len(cells)} cells are stored ({rates} Mbit/s); {inside} of them reach the bound that their controller's "
            f"law and their path give.")


SECTIONS = {
    "summary": summary,
    "share": lambda cells: by_loss_and_trip(cells, "share_of_limit"),
    "share by rate": lambda cells: by_rate(cells, "share_of_limit"),
    "count": count,
}


def render(text: str, cells: list[Cell]) -> str:
    def section(match: re.Match) -> str:
        name = match.group(1).strip()
        return f"<!-- simulation:begin {name} -->\n{SECTIONS[name](cells)}\n<!-- simulation:end -->"

    return re.sub(r"<!-- simulation:begin ([^>]*) -->\n.*?<!-- simulation:end -->", section, text, flags=re.DOTALL)


def main() -> int:
    arguments = [a for a in sys.argv[1:] if a != "--check"]
    check = "--check" in sys.argv[1:]
    root = pathlib.Path(arguments[0] if arguments else ".")
    cells = [Cell(data) for data in json.loads((root / STORE).read_text(encoding="utf-8"))]
    good = True
    for name in DOCUMENTS:
        path = root / name
        before = path.read_text(encoding="utf-8")
        after = render(before, cells)
        if check and after != before:
            print(f"{name}: its tables are not what {STORE} says; run tools/render_simulation_table.py")
            good = False
        elif not check and after != before:
            path.write_text(after, encoding="utf-8")
            print(f"{name}: updated")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
