"""Sections of a document that are made from stored results: what stands between `<!-- NAME:begin -->` and `<!-- NAME:end -->`. Used by the
programs that make them."""
import json
import pathlib
import re
import sys


def main(document_name, store, program, sections):
    """`program` [--check] [ROOT]. `sections(stored)`: the text of each section by its name. With --check nothing is written: exits with 1
    where the document differs."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--check"]
    root = pathlib.Path(arguments[0] if arguments else ".")
    document = root / document_name
    before = after = document.read_text()
    for name, text in sections(json.loads((root / store).read_text())).items():
        after, count = re.subn(rf"(?<=<!-- {name}:begin -->\n\n).*?(?=\n\n<!-- {name}:end -->)", lambda _, text=text: text, after, flags=re.S)
        if count != 1:
            print(f"{document_name}: no place for {name}", file=sys.stderr)
            return 1
    if "--check" in sys.argv:
        if before != after:
            print(f"{document_name}: the tables are not those of {store}: run {program}", file=sys.stderr)
        return int(before != after)
    document.write_text(after)
    return 0
