"""Checks a package of footage. Needs nothing but Python 3.8 or newer; no network, no Gatewatch.

    python3 verify.py [FOLDER or FILE.zip] --key FINGERPRINT

The fingerprint (64 hex digits, sha256 of the signing key) must come from the school by another way than the package:
by telephone, on paper, from its notice board. Without it only the package's agreement with itself can be checked, and
the result says so. Exit code 0: everything holds; 1: something does not; 2: this is not a package.

Ed25519 is implemented here after RFC 8032, section 5.1 (verification only; slow and short on purpose).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import zipfile
from pathlib import Path
from typing import IO, Any, List, Optional, Tuple, Union

# -- Ed25519, RFC 8032, 5.1 ----------------------------------------------------------------------------------------

Point = Tuple[int, int, int, int]
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def recover_x(y: int, sign: int) -> Optional[int]:
    """x of the point with this y, None when there is none (5.1.3)."""
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if x2 == 0:
        return None if sign else 0
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * ROOT % P
    if (x * x - x2) % P:
        return None
    return P - x if (x & 1) != sign else x


def point_add(a: Point, b: Point) -> Point:
    """Extended homogeneous coordinates (5.1.4)."""
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g = 2 * a[3] * b[3] * D % P
    h = 2 * a[2] * b[2] % P
    s, t, u, v = f - e, h - g, h + g, f + e
    return (s * t % P, u * v % P, t * u % P, s * v % P)


def point_multiply(scalar: int, point: Point) -> Point:
    result: Point = (0, 1, 1, 0)
    while scalar > 0:
        if scalar & 1:
            result = point_add(result, point)
        point = point_add(point, point)
        scalar >>= 1
    return result


def point_equal(a: Point, b: Point) -> bool:
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def decompress(data: bytes) -> Optional[Point]:
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    x = recover_x(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE_X = recover_x(BASE_Y, 0) or 0
BASE = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P)


def ed25519_verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """RFC 8032, 5.1.7."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    a, r = decompress(public_key), decompress(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public_key + message).digest(), "little") % L
    return point_equal(point_multiply(s, BASE), point_add(r, point_multiply(h, a)))


# -- the package ---------------------------------------------------------------------------------------------------


class Folder:
    """A package in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> List[str]:
        return sorted(p.relative_to(self.root).as_posix() for p in self.root.rglob("*") if p.is_file())

    def open(self, name: str) -> IO[bytes]:
        return (self.root / name).open("rb")


class Zip:
    """A package in a zip file; its one top folder is left out of the names."""

    def __init__(self, path: Path) -> None:
        self.file = zipfile.ZipFile(path)
        files = [info.filename for info in self.file.infolist() if not info.is_dir()]
        tops = {name.split("/", 1)[0] for name in files}
        self.top = tops.pop() + "/" if len(tops) == 1 and all("/" in name for name in files) else ""
        self.files = [name[len(self.top) :] for name in files]

    def names(self) -> List[str]:
        return sorted(self.files)

    def open(self, name: str) -> IO[bytes]:
        return self.file.open(self.top + name)


Package = Union[Folder, Zip]


def say(text: str) -> None:
    sys.stdout.write(text + "\n")


def digest(package: Package, name: str) -> Tuple[str, int]:
    total, length = hashlib.sha256(), 0
    with package.open(name) as file:
        while True:
            chunk = file.read(1 << 20)
            if not chunk:
                return total.hexdigest(), length
            total.update(chunk)
            length += len(chunk)


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def check_signature(package: Package, expected_key: Optional[str], faults: List[str]) -> Any:
    """The manifest, when its signature holds."""
    with package.open("manifest.json") as file:
        raw = file.read()
    with package.open("manifest.sig") as file:
        text = file.read().decode("ascii", "replace")
    manifest = json.loads(raw)
    key = bytes.fromhex(manifest["public_key"])
    if manifest["algorithm"] != "ed25519":
        faults.append(f"signed with {manifest['algorithm']}, which this program does not know")
        return manifest
    found = hashlib.sha256(key).hexdigest()
    if expected_key and found != expected_key.lower().replace(":", "").replace(" ", ""):
        faults.append("signed with another key: its fingerprint is " + found)
    exact = len(text) == 129 and text[128] == "\n" and all(c in "0123456789abcdef" for c in text[:128])
    if not exact or not ed25519_verify(key, raw, bytes.fromhex(text[:128])):
        faults.append("manifest.json is not what was signed")
    return manifest


def check_files(package: Package, manifest: Any, faults: List[str]) -> Any:
    listed = {entry["path"]: entry for entry in manifest["files"]}
    names = package.names()
    for name in sorted({name for name in names if names.count(name) > 1}):
        faults.append(name + ": is in the package more than once")
    there = set(names) - {"manifest.json", "manifest.sig"}
    for name in sorted(there - set(listed)):
        faults.append(name + ": was not in the package when it was signed")
    for name in sorted(set(listed) - there):
        faults.append(name + ": is missing")
    for name in sorted(there & set(listed)):
        found, length = digest(package, name)
        if (found, length) != (listed[name]["sha256"], listed[name]["size_bytes"]):
            faults.append(name + ": was changed")
    return listed


def link(previous: str, camera: str, entry: Any) -> str:
    claims = [previous, camera] + [entry[k] for k in ("day", "seq", "start_ms", "end_ms", "size_bytes", "sha256")]
    return hashlib.sha256("\n".join(str(claim) for claim in claims).encode()).hexdigest()


def check_chain(package: Package, manifest: Any, listed: Any, faults: List[str]) -> None:
    """Each whole segment is a link of its camera's chain, which runs on to the signed interim head."""
    linked = set()
    for proof in manifest.get("chain", []):
        with package.open(proof["path"]) as file:
            entries = [json.loads(line) for line in file.read().splitlines()]
        name = f"{manifest['camera']} {proof['day']}"
        previous, number = proof["previous"], proof["first_seq"]
        for entry in entries:
            if entry["seq"] != number or link(previous, manifest["camera"], entry) != entry["link"]:
                faults.append(f"chain {name}: link {entry['seq']} does not follow the one before it")
                break
            previous, number = entry["link"], number + 1
            linked.add(entry["sha256"])
        head = proof["head"]
        if not ed25519_verify(
            bytes.fromhex(manifest["public_key"]), canonical(head["head"]), bytes.fromhex(head["signature"])
        ):
            faults.append(f"chain {name}: its head's signature is wrong")
        if (head["head"]["link"], head["head"]["last_seq"]) != (previous, number - 1):
            faults.append(f"chain {name}: does not end where its signed head says")
    for name, entry in sorted(listed.items()):
        if name.startswith("segments/") and entry["sha256"] not in linked:
            faults.append(name + ": is no link of the chain")


def main(argv: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(description="Checks a package of footage.")
    parser.add_argument("package", nargs="?", default=str(Path(__file__).resolve().parent))
    parser.add_argument("--key", help="fingerprint of the signing key, as the school told it")
    args = parser.parse_args(argv)
    faults: List[str] = []
    try:
        place = Path(args.package)
        package: Package = Folder(place) if place.is_dir() else Zip(place)
        manifest = check_signature(package, args.key, faults)
        listed = check_files(package, manifest, faults)
        check_chain(package, manifest, listed, faults)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        say(f"NOT VERIFIED: this is not a whole package ({type(error).__name__}: {error})")
        return (
            1 if faults or (Path(args.package) / "manifest.json").exists() or Path(args.package).suffix == ".zip" else 2
        )
    for fault in faults:
        say("FAULT: " + fault)
    if faults:
        say(f"NOT VERIFIED: {len(faults)} fault(s)")
        return 1
    say(f"camera {manifest['camera']}, {manifest['from']} to {manifest['to']}")
    say(f"{len(listed)} files as signed {manifest['made']} by {manifest['made_by']}")
    for hole in manifest["holes"]:
        say(f"hole: {hole['from']} to {hole['to']} ({hole['cause']})")
    if not manifest["clock"]["evidence_grade"]:
        say("clock: NOT evidence grade: " + manifest["clock"]["why"])
    if manifest["kind"] == "blurred":
        say("blurred copy: it names its source, and proves no byte of it")
    if not args.key:
        fingerprint = hashlib.sha256(bytes.fromhex(manifest["public_key"])).hexdigest()
        say("CONSISTENT, but by whom is not known: compare this fingerprint with the school's: " + fingerprint)
        return 0
    say("VERIFIED")
    return 0


if __name__ == "__main__":
    sys.exit(main())
