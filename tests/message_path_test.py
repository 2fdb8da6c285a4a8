"""The functions that ARCHITECTURE.md lists along the path of a message are called in that order.

    message_path_test.py PROGRAM ARCHITECTURE.md

Runs PROGRAM (message_path.cc) under gdb with a breakpoint on each listed function and compares the order of their first
calls with the lists: from Endpoint::send to the system call, and from the system call to the application's event. Skipped,
with code 77, where there is no gdb, or none that may debug.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
# What each list starts with; its calls are looked at from that function's call to the last one's.
OUT, IN = "Endpoint::send", "SocketBackend::receive"


def lists_of(document):
    """The two lists of the section: functions in backquotes at the start of numbered lines."""
    section = re.search(r"^## The path of a message\n(.*?)(?=^## |\Z)", document, re.S | re.M)
    if not section:
        sys.exit("ARCHITECTURE.md has no section \"The path of a message\"")
    lists, current = [], None
    for line in section.group(1).splitlines():
        match = re.match(r"^(\d+)\. `([\w:]+)`", line)
        if match and match.group(1) == "1":
            current = []
            lists.append(current)
        if match:
            current.append(match.group(2))
    if len(lists) != 2 or lists[0][0] != OUT or lists[1][0] != IN:
        sys.exit(f"two lists are wanted, from {OUT} and from {IN}: {lists}")
    return lists


def calls_of(program, functions):
    lines = ["set pagination off", "set confirm off", "set debuginfod enabled off", "set print thread-events off",
             "set width 0", "break main", "run"]
    for function in functions:
        lines += [f"break godwit::{function}", "commands", "silent", f'printf "@ {function}\\n"', "continue", "end"]
    # Setting breakpoints takes a while, in which pings would become due: they are there before the message is sent.
    lines += ["disable", "break begin_message", "continue", "enable", "break end_message", "continue", "kill", "quit"]
    with tempfile.NamedTemporaryFile("w", suffix=".gdb") as script:
        script.write("\n".join(lines) + "\n")
        script.flush()
        result = subprocess.run(["gdb", "-q", "-nx", "-batch", "-x", script.name, program], capture_output=True, text=True,
                                timeout=800)
    if "ptrace: Operation not permitted" in result.stderr:
        print("skipped: this system does not allow debugging")
        sys.exit(SKIPPED)
    missing = re.findall(r'Function "godwit::([^"]+)" not defined', result.stderr)
    if missing:
        sys.exit(f"ARCHITECTURE.md names functions that do not exist: {', '.join(missing)}")
    return re.findall(r"^@ (\S+)$", result.stdout, re.M)


def first_calls(calls, wanted):
    """The wanted functions in the order of their first calls, in each stretch that begins with the first of them."""
    stretches = []
    for call in calls:
        if call == wanted[0]:
            stretches.append([])
        if stretches and call in wanted and call not in stretches[-1]:
            stretches[-1].append(call)
    return stretches


def check(name, calls, wanted):
    stretches = first_calls(calls, wanted)
    if wanted in stretches:
        return True
    nearest = max(stretches, key=len, default=[])
    print(f"{name}: the functions of ARCHITECTURE.md are not called in its order\n  listed: {' '.join(wanted)}\n"
          f"  called: {' '.join(nearest)}")
    return False


def self_test():
    assert first_calls(["x", "a", "b", "a", "b", "c", "b"], ["a", "b", "c"]) == [["a", "b"], ["a", "b", "c"]]
    assert check("in order", ["a", "b", "c"], ["a", "b", "c"])
    assert not check("out of order", ["a", "c", "b"], ["a", "b", "c"])
    assert not check("left out", ["a", "c"], ["a", "b", "c"])
    print("message_path_test: finds what it is to find")


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    if shutil.which("gdb") is None:
        print("skipped: gdb is not installed (scripts/setup.sh installs it)")
        return SKIPPED
    out, into = lists_of(pathlib.Path(sys.argv[2]).read_text(encoding="utf-8"))
    # A ping that happens to travel with the message is sealed before it: then the next run tells.
    for _ in range(3):
        calls = calls_of(sys.argv[1], list(dict.fromkeys(out + into)))
        if not calls:
            print("skipped: gdb saw no call")
            return SKIPPED
        if check("out", calls, out) and check("in", calls, into):
            return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
