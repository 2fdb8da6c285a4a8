#!/usr/bin/env python3
"""Compares docs/errors.md with the sources: every name and every text that a user can meet stands in it, and no other.

    tools/check_errors.py [--self-test] [ROOT]

Prints one line per finding and exits with 1 if there is any.
"""
import pathlib
import re
import sys


def section(page: str, title: str) -> str:
    match = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", page, re.M | re.S)
    return match.group(1) if match else ""


def first_cells(text: str) -> list[str]:
    return [row.split("|")[1].strip() for row in text.splitlines() if row.startswith("|") and not row.startswith("|---")][1:]


def enumerators(text: str, name: str) -> list[str]:
    body = re.search(rf"enum class {name}\b[^{{]*\{{(.*?)\}};", text, re.S)
    return [] if body is None else [each for each in re.findall(r"^\s*(k\w+)", body.group(1), re.M) if each != "kCount"]


def compare(what: str, documented: list[str], present: list[str]) -> list[str]:
    findings = [f"errors.md: {what}: {name} is missing" for name in present if name not in documented]
    return findings + [f"errors.md: {what}: nothing says {name}" for name in documented if name not in present]


def check(page: str, sources: dict[str, str]) -> list[str]:
    ended = section(page, "Why a connection ended")
    findings = compare("reasons", re.findall(r"`(k\w+)`", "\n".join(first_cells(ended))), enumerators(sources["types"], "CloseReason"))
    texts = [text for text in re.findall(r'return "([^"]+)"', sources["event"]) if text != "unknown"]
    findings += compare("words of reasons", [row.split("|")[2].strip() for row in ended.splitlines() if row.startswith("| `k")], texts)
    not_made = ", ".join(first_cells(section(page, "Why a connection was not made")))
    findings += [f"errors.md: not made: {text} is missing" for text in re.findall(r'return "([^"]+)"', sources["path"])
                 if text not in not_made]
    fallbacks = [text for text in re.findall(r'case FallbackReason::\w+: return "([^"]+)"', sources["form"])]
    findings += compare("fallbacks", first_cells(section(page, "Why a session has the deployed form")), fallbacks)
    calls = section(page, "Errors of calls")
    findings += compare("errors", [name for cell in first_cells(calls) for name in re.findall(r"`(k\w+)`", cell)],
                        enumerators(sources["types"], "ErrorCode"))
    statuses = re.search(r"typedef enum godwit_status \{(.*?)\}", sources["c"], re.S).group(1)
    findings += compare("status", re.findall(r"`(GODWIT_\w+)`", calls),
                        [name for name in re.findall(r"^\s*(GODWIT_\w+)", statuses, re.M) if name != "GODWIT_OK"])
    names = re.search(r"kNames = \{([^}]*)\}", sources["drops"]).group(1)
    drops = first_cells(section(page, "Why datagrams were not used"))
    return findings + compare("drops", re.findall(r"`(\w+)`", " ".join(drops)), re.findall(r'"(\w+)"', names))


def self_test(page: str, sources: dict[str, str]) -> None:
    assert check(page.replace("| `kMemory` |", "| `kNemory` |"), sources)
    assert check(page.replace("`no_room`", "`room`"), sources)
    assert check(page, {**sources, "path": sources["path"] + ' return "made of cheese"'})
    assert check(page, {**sources, "form": sources["form"] + 'case FallbackReason::kX: return "why not"'})
    assert check(page.replace("`GODWIT_TIMEOUT`", ""), sources)
    print("check_errors: every rule can fail")


def main() -> int:
    arguments = [each for each in sys.argv[1:] if each != "--self-test"]
    root = pathlib.Path(arguments[0] if arguments else ".").resolve()
    places = {"types": "include/godwit/types.h", "c": "include/godwit/godwit_c.h", "event": "src/transport/event.cc",
              "path": "src/base/path_problem.cc", "form": "src/handshake/session_form.h", "drops": "src/trace/events.cc"}
    sources = {name: (root / path).read_text(encoding="utf-8") for name, path in places.items()}
    page = (root / "docs/errors.md").read_text(encoding="utf-8")
    if "--self-test" in sys.argv[1:]:
        self_test(page, sources)
        return 0
    findings = check(page, sources)
    print("\n".join(findings) if findings else "check_errors: docs/errors.md has them all")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
