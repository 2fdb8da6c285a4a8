#!/usr/bin/env python3
"""The USDT probes in the notes of the program are those that docs/observability.md names, each step of the data path among
them.

    tests/probes_test.py GODWIT SOURCE_TREE

Exits with 77 where the build had no <sys/sdt.h>.
"""
import pathlib
import re
import shutil
import subprocess
import sys


def main() -> int:
    program, tree = sys.argv[1], pathlib.Path(sys.argv[2])
    if shutil.which("readelf") is None:
        print("skipped: readelf is not installed")
        return 77
    notes = subprocess.run(["readelf", "--notes", "--wide", program], capture_output=True, text=True, check=True).stdout
    probes = re.findall(r"Provider: (\w+)\s+Name: (\w+)\s.*?Arguments: ([^\n]*)", notes, re.S)
    if not probes:
        print("skipped: no probes: the build found no <sys/sdt.h> (Debian: systemtap-sdt-dev), or GODWIT_PROBES is off")
        return 77
    header = (tree / "src/trace/cost.h").read_text(encoding="utf-8")
    steps = re.findall(r"^  (k\w+),", re.search(r"enum class CostStep[^{]*\{(.*?)\}", header, re.S).group(1), re.M)
    page = (tree / "docs/observability.md").read_text(encoding="utf-8")
    listed = {int(number): words for line in page.splitlines() if line.startswith("| ")
              for number, words in re.findall(r"\| (\d+) \| ([a-z ]+)", line)}
    named = set(re.findall(r"usdt:[^: ]+:(\w+):(\w+)", page))
    there = {(provider, name) for provider, name, _ in probes}
    problems = [f"docs/observability.md: there is no probe {':'.join(each)}" for each in named - there]
    problems += [f"docs/observability.md does not name the probe {':'.join(each)}" for each in there - named]
    numbers = set()
    for _, _, argument in probes:
        match = re.fullmatch(r"-4@\$(\d+)\s*", argument)
        if match:
            numbers.add(int(match.group(1)))
        else:
            problems.append(f"a probe's argument is no constant: {argument}")
    # kReassemble: "reassemble"; kSendCall: "send call".
    words = {i: re.sub(r"(?<!^)([A-Z])", r" \1", name[1:]).lower() for i, name in enumerate(steps) if name != "kCount"}
    problems += [f"docs/observability.md: step {i} is {name}, not {listed.get(i)}" for i, name in words.items()
                 if (listed.get(i) or "").strip() != name]
    problems += [f"docs/observability.md: there is no step {i}" for i in listed if i not in words]
    problems += [f"no probe for step {i}, {words[i]}" for i in words if i not in numbers]
    print("\n".join(problems) if problems else f"{len(probes)} probes for {len(numbers)} steps")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
