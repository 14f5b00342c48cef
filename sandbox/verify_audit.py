#!/usr/bin/env python3
"""Checks an export of Slotwright's audit log: verify_audit.py DIRECTORY [--key KEY]... [--checkpoint FILE]

Needs Python 3 alone: SHA-256, Ed25519, JSON and base64, and nothing of the program that made the export. What
is done is described in the export's README.txt, whose sections are named below, so that anyone can write
another. It says which line or checkpoint does not hold; status 0 only when all holds.
"""
import argparse, base64, datetime, functools, hashlib, json, os, re, sys
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
PURGE, DAY = ("https://slotwright.org/fhir/CodeSystem/audit", "purge"), datetime.timedelta(days=1)
faults, purged, purges = [], [], []

def sha(data): return hashlib.sha256(data).digest()
def node(left, right): return sha(b"\1" + left + right)
def half(size): return 1 << (size - 1).bit_length() - 1  # the largest power of two below it
def unb64(text): return base64.b64decode(text, validate=True)
def moment(text): return datetime.datetime.fromisoformat(text[:19])

@functools.lru_cache(maxsize=2)
def read(path): return open(path, "rb").read() if os.path.exists(path) else b""

# Ed25519 (RFC 8032 section 5.1), points as (x, y)
def add(p, q):
    (x1, y1), (x2, y2) = p, q
    t = D * x1 * x2 * y1 * y2
    return (x1 * y2 + x2 * y1) * pow(1 + t, -1, P) % P, (y1 * y2 + x1 * x2) * pow(1 - t, -1, P) % P

def multiply(n, p):
    if n == 0:
        return 0, 1
    even = multiply(n >> 1, add(p, p))
    return add(even, p) if n & 1 else even

def point(data):
    y, odd = int.from_bytes(data, "little") & 2**255 - 1, data[31] >> 7
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P
    if len(data) != 32 or y >= P or x * x % P != square or (x == 0 and odd):
        raise ValueError("not a point of the curve")
    return (x if x & 1 == odd else P - x), y

def is_signed(public, message, signature):
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    k = int.from_bytes(hashlib.sha512(r + public + message).digest(), "little") % L
    base = point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
    return len(signature) == 64 and s < L and multiply(s, base) == add(point(r), multiply(k, point(public)))

# Section 1: keys as (name, id, kind, public key), and checkpoints as (leaves, root)
def read_key(text):
    name, number, packed = text.split("+", 2)
    return name, bytes.fromhex(number), unb64(packed)[0], unb64(packed)[1:]

def read_checkpoint(what, note, keys):
    try:
        text, signatures = note.decode().rsplit("\n\n", 1)
        (origin, size, root), believed = text.split("\n")[:3], False
        for _, name, packed in (line.split(" ") for line in signatures.removesuffix("\n").split("\n")):
            signature, message = unb64(packed), text.encode() + b"\n"
            for _, _, kind, public in [key for key in keys if key[:2] == (name, signature[:4])]:
                if kind == 4:  # a witness, who signs a time too
                    message = b"cosignature/v1\ntime %d\n" % int.from_bytes(signature[4:12], "big") + message
                if not is_signed(public, message, signature[12 if kind == 4 else 4:]):
                    raise ValueError("has a false signature in the name of " + name)
                believed |= kind == 1 and name == origin
        if believed:
            return int(size), unb64(root)
        raise ValueError("has no signature by a known key")
    except ValueError as error:
        faults.append(f"{what}: {error}")

# Sections 2 and 3: the lines of events, each of which makes its leaf
def read_lines(path, is_logged):
    for number, line in enumerate(open(path, "rb") if os.path.exists(path) else [], 1):
        try:
            row = json.loads(line)
            name = f"{path}, line {number}, event {row['seq']}"
            if not row.get("purged"):
                event = line[line.index(b',"event":') + 9:line.rindex(b"}")]
                row["h"] = base64.b64encode(sha(unb64(row["salt"]) + event)).decode()
            leaf = {"h": row["h"], "id": row["id"], "recorded": row["recorded"], "seq": row["seq"], "v": 1}
            leaf = json.dumps(leaf, ensure_ascii=False, separators=(",", ":")).encode()
            if not is_logged(sha(b"\0" + leaf), row):
                faults.append(f"{name}: is not what was logged")
            elif row.get("purged"):
                purged.append((name, row["seq"], moment(row["recorded"])))
            else:
                look(name, row, json.loads(event), moment(row["recorded"]))
            yield name, row
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            faults.append(f"{path}, line {number}: is not an event ({error!r})")

def look(name, row, event, recorded):
    if (event["id"], event["recorded"]) != (row["id"], row["recorded"]):
        faults.append(f"{name}: has the leaf of another event or time")
    if PURGE in [(code.get("system"), code.get("code")) for code in event.get("subtype", [])]:
        if recorded > datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) + DAY:
            return faults.append(f"{name}: is a purge from the future")
        for detail in sum((entity.get("detail", []) for entity in event.get("entity", [])), []):
            if detail.get("type") == "purged":
                purges.append((*map(int, detail["valueString"].split("-")), recorded - 2190 * DAY))

# Section 4: the tree (RFC 9162 section 2.1), from tiles or by proofs, whose last hash is the nearest to the root
def leaf_of_tiles(seq, size):
    number, width = seq // 256, min(256, size - seq // 256 * 256)
    digits = str(number).zfill((len(str(number)) + 2) // 3 * 3)  # 1234 has the path x001/234
    path = "tile/0/" + re.sub("...(?=.)", r"x\g<0>/", digits) + (f".p/{width}" if width < 256 else "")
    return read(path)[seq % 256 * 32:][:32]

@functools.cache
def root_of_tiles(first, count, size):
    if count < 2:
        return leaf_of_tiles(first, size) if count else sha(b"")
    left = half(count)
    return node(root_of_tiles(first, left, size), root_of_tiles(first + left, count - left, size))

def root_by_inclusion(leaf, seq, size, proof):
    if size == 1 and not proof:
        return leaf
    sibling, left = proof.pop(), half(size)
    if seq < left:
        return node(root_by_inclusion(leaf, seq, left, proof), sibling)
    return node(sibling, root_by_inclusion(leaf, seq - left, size - left, proof))

def roots_by_consistency(old_root, old, new, proof):
    if old == new:
        return (old_root or proof.pop(),) * 2
    sibling, left = proof.pop(), half(new)
    if old <= left:
        before, after = roots_by_consistency(old_root, old, left, proof)
        return before, node(after, sibling)
    before, after = roots_by_consistency(None, old - left, new - left, proof)
    return node(sibling, before), node(sibling, after)

def check_events(covers, size, root, events, end):
    def is_logged(leaf, row):
        seq = row["seq"] if 0 <= row["seq"] < size else size
        if covers == "log":
            return leaf == leaf_of_tiles(seq, size)
        return root == root_by_inclusion(leaf, seq, size, [*map(unb64, row["proof"])])

    last, count = None, 0
    for name, row in read_lines("events.ndjson", is_logged):
        gap = last is not None and (row["seq"] <= last or covers != "selection" and row["seq"] > last + 1)
        if gap or covers != "log" and row.get("after") != last:
            faults.append(f"{name}: does not follow on event {last}")
        last, count = row["seq"], count + 1
    if (count, last) != (events, end) or covers == "log" and count != size:
        faults.append(f"events.ndjson: {count} events, the last at {last}, are not all")
    list(read_lines("purges.ndjson", is_logged) if covers != "log" else [])
    for name, seq, recorded in purged:
        if not any(first <= seq <= last and recorded <= before for first, last, before in purges):
            faults.append(f"{name}: is gone, and no purge event says so")

# Section 5: older checkpoints
def proved_by_consistency(newest, keys):
    hashes, _, note = (b"\n" + read("consistency")).partition(b"\n\n")
    older, proof = note and read_checkpoint("consistency", note, keys), [*map(unb64, hashes.decode().split())]
    if not older or older[0] == 0:
        return []
    roots = roots_by_consistency(older[1], older[0], newest[0], proof) if older[0] <= newest[0] else None
    if roots == (older[1], newest[1]) and not proof:
        return [older]
    return faults.append(f"consistency: the log was rewritten since {older[0]} leaves") or []

def check_checkpoints(covers, newest, saved, keys):
    if covers == "log":
        sizes = [size for size, _ in [newest, *saved] if size <= newest[0]]
        proved = {(size, root_of_tiles(0, size, newest[0])) for size in sizes}
        wrong = [one for one in [newest, *saved] if one not in proved]
    else:
        proved = {(0, sha(b"")), newest, *proved_by_consistency(newest, keys)}
        wrong = [one for one in saved if one[0] > newest[0] or one not in proved and one[0] in dict(proved)]
        wrong = wrong or (saved if not proved & set(saved) else [])
    for size, _ in wrong:
        faults.append(f"the checkpoint of {size} leaves: this export does not prove that its log goes on from it")

def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory")
    parser.add_argument("--key", action="append")
    parser.add_argument("--checkpoint")
    asked = parser.parse_args()
    kept = read(asked.checkpoint) if asked.checkpoint else b""
    notes = re.findall(rb"(?:[^\n]+\n)+\n(?:\xe2\x80\x94 [^\n]+\n)+", kept) or [kept] * bool(asked.checkpoint)
    os.chdir(asked.directory)
    keys, manifest = [*map(read_key, asked.key or read("key").decode().split())], json.loads(read("export.json"))
    newest = read_checkpoint("checkpoint", read("checkpoint"), keys)
    saved = [one for one in (read_checkpoint("the saved checkpoint", note, keys) for note in notes) if one]
    if newest:
        check_events(manifest["covers"], *newest, manifest["events"], manifest["last"])
        check_checkpoints(manifest["covers"], newest, saved, keys)
    print("\n".join(faults) or "All holds.")
    return 1 if faults else 0

if __name__ == "__main__":
    try:
        sys.exit(main())
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        sys.exit(f"This is not an export: {error!r}")
