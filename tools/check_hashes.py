#!/usr/bin/env python3
"""Checks that no table of the library or the program hashes without a secret key: what a peer chooses must not choose where
it falls (base/keyed_hash.h).

    tools/check_hashes.py SOURCE_FOLDER
    tools/check_hashes.py --self-test

A std::unordered_map or _set names its hash, a class of the same file that holds a HashKey; std::hash and its
specialisations, which everybody can compute, are not used at all. Ordered containers need no key. What a table of our own
making hashes with is beyond this check: base/keyed_hash.h, transport/address_table.h and stream/id_map.h are those that
there are. Exits 1 with one line for each use.
"""
import pathlib
import re
import sys

# Everything that strangers reach. The simulator, the measurements and the reports hash what they have made themselves.
FOLDERS = ("base", "crypto", "wire", "recovery", "congestion", "stream", "transport", "udp", "runtime", "api", "transfer",
           "cli")
CONTAINER = re.compile(r"\bunordered_(multi)?(map|set)\s*<")
UNKEYED = re.compile(r"\bstd::hash\s*<")


def arguments(text, begin):
    """Of the template whose '<' stands before `begin`."""
    depth, parts, start = 0, [], begin
    for at in range(begin, len(text)):
        if text[at] in "<(":
            depth += 1
        elif text[at] in ">)":
            if depth == 0:
                return parts + [text[start:at].strip()]
            depth -= 1
        elif text[at] == "," and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
    return parts


def is_keyed(text, name):
    head = re.search(r"\b(struct|class)\s+" + re.escape(name) + r"\b[^;{]*\{", text)
    if head is None:
        return False
    depth, at = 1, head.end()
    while depth > 0 and at < len(text):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        at += 1
    return "HashKey" in text[head.end():at]


def uses(text):
    """Pairs of a line's number and what is wrong with it."""
    found = []
    text = re.sub(r"//[^\n]*", "", text)
    line_of = lambda at: text.count("\n", 0, at) + 1
    for match in UNKEYED.finditer(text):
        found.append((line_of(match.start()), "std::hash has no key"))
    for match in CONTAINER.finditer(text):
        given = arguments(text, match.end())
        hash_at = 2 if match.group(2) == "map" else 1
        if len(given) <= hash_at:
            found.append((line_of(match.start()), "an unordered container without a keyed hash; use one, or an ordered one"))
        elif not is_keyed(text, given[hash_at]):
            found.append((line_of(match.start()), f"{given[hash_at]} holds no HashKey"))
    return sorted(found)


def check(folder):
    problems, count = [], 0
    for name in FOLDERS:
        files = sorted(path for path in (folder / name).rglob("*") if path.suffix in (".cc", ".h"))
        if not files:
            sys.exit(f"{folder / name}: no source files")
        for path in files:
            if "_test" in path.name:
                continue
            count += 1
            problems += [f"{path}:{line}: {what}" for line, what in uses(path.read_text())]
    return count, problems


def self_test():
    keyed = "struct Hash {\n    HashKey key;\n  };\n"
    for text in ("std::unordered_map<int, int> a;", "std::unordered_set<std::string> a;",
                 "std::unordered_map<\n    std::pair<int, int>, int> a;", "template <>\nstruct std::hash<Key> {",
                 "return std::hash<int>{}(a);", "struct Hash {\n    int a;\n  };\nstd::unordered_map<A, B, Hash> a;",
                 "struct Hash {\n    int a;\n  };\n  HashKey key_;\nstd::unordered_set<A, Hash> a;",
                 "std::unordered_map<A, B, Elsewhere> a;", "std::unordered_multimap<A, B> a;"):
        assert len(uses(text)) == 1, text
    for text in (keyed + "std::unordered_map<A, B, Hash> a;", keyed + "std::unordered_set<A, Hash> a;",
                 "std::map<A, B> a;", "// std::unordered_map<A, B>", "#include <unordered_map>",
                 keyed + "std::unordered_map<std::pair<A, A>, std::function<void(A, B)>, Hash> a;"):
        assert uses(text) == [], text
    print("check_hashes: finds what it is to find")


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    if len(sys.argv) != 2:
        sys.exit("usage: check_hashes.py SOURCE_FOLDER | --self-test")
    count, problems = check(pathlib.Path(sys.argv[1]))
    if problems:
        sys.exit("\n".join(problems))
    print(f"check_hashes: {count} files hash with a key, or not at all")


if __name__ == "__main__":
    main()
