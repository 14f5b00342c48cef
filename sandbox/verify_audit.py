#!/usr/bin/env python3
"""Checks an export of Slotwright's audit log: verify_audit.py DIRECTORY [--key KEY]... [--checkpoint FILE]

Needs Python 3 and nothing else, and shares nothing with the program that made the export. What is done, and
why, is described in the export's README.txt. Ends with status 0 only when all holds.
"""
import argparse, base64, calendar, hashlib, json, os, re, sys, time

findings, purged, gone = [], [], []
SIX_YEARS = 6 * 365 * 86400


def found(text):
    findings.append(text)


# Hashes: RFC 9162 section 2.1
def sha(data): return hashlib.sha256(data).digest()
def node(left, right): return sha(b"\1" + left + right)
def b64(data): return base64.b64encode(data).decode()


def unb64(text, length=None):
    data = base64.b64decode(text, validate=True)
    if b64(data) != text or (length and len(data) != length):
        raise ValueError("base64")
    return data


def grow(edge, leaf):
    """edge is a list of (leaves below, hash), the complete subtrees from the left."""
    edge.append((1, leaf))
    while len(edge) > 1 and edge[-1][0] == edge[-2][0]:
        (n, right), (_, left) = edge.pop(), edge.pop()
        edge.append((2 * n, node(left, right)))


def root(edge):
    if not edge:
        return sha(b"")
    result = edge[-1][1]
    for _, left in reversed(edge[:-1]):
        result = node(left, result)
    return result


def climb(place, last, old, new, proof):
    """Up the tree along a proof; both hashes are the same unless an older tree is compared with a newer."""
    for sibling in proof:
        if last == 0:
            return None
        if place & 1 or place == last:
            old, new = node(sibling, old), node(sibling, new)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            new = node(new, sibling)
        place, last = place >> 1, last >> 1
    return (old, new) if last == 0 else None


def included(seq, size, leaf, proof):
    result = climb(seq, size - 1, leaf, leaf, proof) if seq < size else None
    return result and result[1]


def proof(row, leaf, size):
    return included(row["seq"], size, sha(b"\0" + leaf), [unb64(h, 32) for h in row.get("proof", [])])


def consistent(old, old_root, new, new_root, proof):
    if old == 0 or old == new:
        return not proof and old_root == (sha(b"") if old == 0 else new_root)
    level = (old & -old).bit_length() - 1
    proof = ([old_root] if old & (old - 1) == 0 else []) + proof
    if old > new or not proof:
        return False
    return climb((old - 1) >> level, (new - 1) >> level, proof[0], proof[0], proof[1:]) == (old_root, new_root)


# Ed25519: RFC 8032 section 5.1, with points as (X, Y, Z, T)
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def multiply(n, p):
    result = (0, 1, 1, 0)
    while n:
        if n & 1:
            result = add(result, p)
        p, n = add(p, p), n >> 1
    return result


def point(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - square) % P or (x == 0 and sign):
        raise ValueError("not a point")
    x = P - x if x & 1 != sign else x
    return (x, y, 1, x * y % P)


BASE = point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def signed(public, message, signature):
    s = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    left, right = multiply(s, BASE), add(point(signature[:32]), multiply(k, point(public)))
    return all((left[i] * right[2] - right[i] * left[2]) % P == 0 for i in (0, 1))


# Checkpoints: C2SP signed-note and tlog-checkpoint
def key(text):
    name, number, packed = text.split("+", 2)
    packed = unb64(packed, 33)
    if packed[:1] not in (b"\1", b"\4") or sha(name.encode() + b"\n" + packed)[:4].hex() != number:
        raise ValueError("not a key: " + text)
    return name, bytes.fromhex(number), packed


def checkpoint(note, keys):
    text, signatures = note.decode().rsplit("\n\n", 1)
    origin, size, hashed = (text + "\n").split("\n")[:3]
    if not signatures.endswith("\n") or str(int(size)) != size or int(size) < 0:
        raise ValueError("is not a signed note")
    believed = False
    for line in signatures[:-1].split("\n"):
        dash, name, packed = line.split(" ")
        packed, message = unb64(packed), (text + "\n").encode()
        for known, number, public in keys if dash == "\u2014" else []:
            if (known, number) == (name, packed[:4]):
                signature = packed[4:]
                if public[0] == 4:  # a witness, who signs a time too
                    time, signature = int.from_bytes(signature[:8], "big"), signature[8:]
                    message = b"cosignature/v1\ntime %d\n" % time + message
                if not signed(public[1:], message, signature):
                    raise ValueError("has a false signature in the name of " + name)
                believed |= public[0] == 1 and name == origin
    if not believed:
        raise ValueError("has no signature by a known key")
    return int(size), unb64(hashed, 32)


def believe(name, note, keys):
    try:
        return checkpoint(note, keys)
    except (ValueError, UnicodeError) as error:
        found(f"{name}: {error}")


def kept(path):
    """The notes of a file to which they were appended, without what a crash cut short."""
    text = read(path) if path else b""
    notes = re.findall(rb"(?:[^\n]+\n)+\n(?:\xe2\x80\x94 [^\n]+\n)+", text)
    return notes or [text] * bool(path)


# Events
def event(line):
    """The line's members, its event as it was hashed, the content hash, and the leaf."""
    row = json.loads(line)
    raw = None
    if row.get("purged"):
        content = unb64(row["h"], 32)
    else:
        raw = line[line.index(b',"event":') + 9:line.rindex(b"}")]
        content = sha(unb64(row["salt"], 32) + raw)
    members = {"h": b64(content), "id": row["id"], "recorded": row["recorded"], "seq": row["seq"], "v": 1}
    return row, raw, content, json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()


def same(row, raw):
    body, name = json.loads(raw), f"event {row['seq']} ({row['id']})"
    if body["id"] != row["id"]:
        found(f"{name}: calls itself {body['id']} (exchanged)")
    if body["recorded"] != row["recorded"]:
        found(f"{name}: says that it was recorded {body['recorded']}, its leaf {row['recorded']}")
    system = "https://slotwright.org/fhir/CodeSystem/audit"
    if any(c.get("system") == system and c.get("code") == "purge" for c in body.get("subtype", [])):
        if moment(row) > time.time() + 86400:
            return found("a purge event says that it is from the future: it permits nothing")
        for detail in (d for e in body.get("entity", []) for d in e.get("detail", [])):
            if detail.get("type") == "purged":
                purged.append((*map(int, detail["valueString"].split("-")), moment(row) - SIX_YEARS))


def moment(row):
    try:
        return calendar.timegm(time.strptime(row["recorded"][:19], "%Y-%m-%dT%H:%M:%S"))
    except (ValueError, KeyError, TypeError):
        return float("inf")


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def lines(directory, name="events.ndjson"):
    path = os.path.join(directory, name)
    with open(path if os.path.exists(path) or name == "events.ndjson" else os.devnull, "rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield event(line)
            except (ValueError, KeyError, TypeError) as error:
                found(f"{name}, line {number}: is not an event ({error})")


def place(number, width):
    path, number = f"{number % 1000:03}", number // 1000
    while number:
        path, number = f"x{number % 1000:03}/{path}", number // 1000
    return path if width == 256 else f"{path}.p/{width}"


def tile(directory, kind, number, size):
    width = min(256, size - number * 256)
    return read(os.path.join(directory, "tile", kind, *place(number, width).split("/")))


def leaves_and_hashes(directory, size):
    for number in range((size + 255) // 256):
        bundle, hashes = tile(directory, "entries", number, size), tile(directory, "0", number, size)
        for at in range(min(256, size - number * 256)):
            length = int.from_bytes(bundle[:2], "big")
            yield bundle[2:2 + length], hashes[32 * at:32 * at + 32]
            bundle = bundle[2 + length:]


def whole(directory, newest, saved, events):
    size = newest[0] if newest else events
    rows, edge, ahead, wrong, good = lines(directory), [], None, {}, 0
    checks = [("checkpoint", newest)] * bool(newest) + [("the saved checkpoint", one) for one in saved]
    compared = set()

    def compare(count):
        nonlocal good
        for name, (covers, hashed) in checks:
            if covers == count:
                compared.add(covers)
                if root(edge) == hashed:
                    good = max(good, count)
                else:
                    found(f"{name}: was signed over other leaves than the first {count} of this log; they "
                          f"were changed from leaf {good} on (rewritten)")

    compare(0)
    for seq, (leaf, hashed) in enumerate(leaves_and_hashes(directory, size)):
        while ahead is None or ahead[0]["seq"] < seq:
            if ahead:
                found(f"event {ahead[0]['seq']} ({ahead[0]['id']}): the log has no such place for it (inserted)")
            ahead = next(rows, None)
            if ahead is None:
                break
        row, raw, content, expected = ahead if ahead and ahead[0]["seq"] == seq else (None,) * 4
        ahead = None if row else ahead
        try:
            members = json.loads(leaf)
            stated, name = unb64(members["h"], 32), f"({members['id']})"
        except (ValueError, KeyError, TypeError):
            found(f"leaf {seq} is missing: nothing vouches for this place (deleted)")
            grow(edge, hashed)
            compare(seq + 1)
            continue
        if members["seq"] != seq:
            found(f"leaf {seq} {name}: says that its place is {members['seq']} (moved)")
        if sha(b"\0" + leaf) != hashed:
            found(f"leaf {seq} {name}: is not what was hashed (edited)")
        if row is None or raw is None:
            gone.append((seq, moment(members)))
        if row and content != stated:
            wrong[seq] = (stated, content, name)
        elif row and expected != leaf:
            found(f"event {seq} {name}: its line names another event or time (edited)")
        elif raw:
            same(row, raw)
        grow(edge, hashed if len(hashed) == 32 else sha(b"\0" + leaf))
        compare(seq + 1)
    for row, *_ in ([ahead] if ahead else []) + list(rows):
        found(f"event {row['seq']} ({row['id']}): the log has no such place for it (inserted)")
    logged = {stated: seq for seq, (stated, _, _) in wrong.items()}
    for seq, (_, content, name) in wrong.items():
        if content in logged:
            found(f"event {seq} {name}: is that of leaf {logged[content]} (exchanged)")
        else:
            found(f"event {seq} {name}: its content is not what was logged (edited)")
    for name, (covers, _) in checks:
        if covers not in compared:
            found(f"{name}: was signed over {covers} leaves, but the log has {size}; leaves {size} to "
                  f"{covers - 1} are missing (truncated)")
    level, below = 1, size >> 8
    previous = [h for _, h in leaves_and_hashes(directory, size)]
    while below:  # every hash of a tile is the root over a full tile of the level below
        above, previous = previous, []
        for number in range(below):
            edge = []
            for hashed in above[number * 256:number * 256 + 256]:
                grow(edge, hashed)
            at = tile(directory, str(level), number // 256, below)[number % 256 * 32:][:32]
            if at != root(edge):
                first, count = number * 256**level, 256**level
                found(f"node {8 * level}/{number}, over leaves {first} to {first + count - 1}: is not that of "
                      "the leaves below it")
            previous.append(root(edge))
        level, below = level + 1, below >> 8


def part(directory, newest, saved, covers, events, end, keys):
    proved, text, last, count = [newest], read(os.path.join(directory, "consistency")), None, 0
    if text and newest:
        hashes, note = (b"", text[1:]) if text[:1] == b"\n" else text.split(b"\n\n", 1)
        older = believe("consistency", note, keys)
        if older and not consistent(*older, *newest, [unb64(h.decode(), 32) for h in hashes.split()]):
            found(f"consistency: the log was rewritten since {older[0]} leaves (rewritten)")
        elif older:
            proved.append(older)
    unknown = None
    for kept in saved if newest else []:
        if kept[0] > newest[0]:
            found(f"the saved checkpoint: was signed over {kept[0]} leaves, but the log has {newest[0]}; "
                  f"leaves {newest[0]} to {kept[0] - 1} are missing (truncated)")
        elif kept not in proved and any(kept[0] == one[0] for one in proved):
            found("the saved checkpoint: was signed over other leaves than the first "
                  f"{kept[0]} of this log (rewritten)")
        elif kept not in proved:
            unknown = kept[0]
    if unknown is not None and not any(kept[0] == one[0] for kept in saved for one in proved):
        found("the saved checkpoint: this export does not prove that it goes on from "
              f"{unknown} leaves; ask for one with a consistency proof from that size")
    for row, raw, _, leaf in lines(directory):
        count, seq, after, name = count + 1, row["seq"], row.get("after"), f"event {row['seq']} ({row['id']})"
        if last is not None and last >= seq:
            found(f"{name}: is not in its place (inserted)")
        elif after != last and after is not None and (last is None or after > last):
            found(f"event {after} is missing before event {seq} (deleted)")
        elif after != last:
            found(f"{name}: does not follow the line before it (inserted)")
        elif covers == "range" and last is not None and last + 1 != seq:
            found(f"events between {last} and {seq} are missing (deleted)")
        last = seq if last is None else max(last, seq)
        if raw is None:
            gone.append((seq, moment(row)))
        if newest and proof(row, leaf, newest[0]) != newest[1]:
            found(f"{name}: is not what was logged (edited)")
        elif newest and raw:
            same(row, raw)
    for row, raw, _, leaf in lines(directory, "purges.ndjson"):
        if newest and proof(row, leaf, newest[0]) != newest[1]:
            found(f"purges.ndjson: event {row['seq']} ({row['id']}) is not what was logged (edited)")
        elif newest and raw:
            same(row, raw)
    if (count, last) != (events, end):
        found(f"events.ndjson has {count} events, but the export was made with {events}, the last at "
              f"{'none' if end is None else end} (truncated)")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory")
    parser.add_argument("--key", action="append", default=[])
    parser.add_argument("--checkpoint")
    asked = parser.parse_args()
    own = read(os.path.join(asked.directory, "key")).decode().split()
    keys = [key(text) for text in asked.key or own]
    manifest = json.loads(read(os.path.join(asked.directory, "export.json")))
    newest = believe("checkpoint", read(os.path.join(asked.directory, "checkpoint")), keys)
    saved = [believe("the saved checkpoint", note, keys) for note in kept(asked.checkpoint)]
    saved = [one for one in saved if one]
    if manifest["covers"] == "log":
        whole(asked.directory, newest, saved, manifest["events"])
    else:
        part(asked.directory, newest, saved, manifest["covers"], manifest["events"], manifest["last"], keys)
    lawful = 0
    for seq, recorded in gone:
        if any(first <= seq <= last and recorded <= before for first, last, before in purged):
            lawful += 1
        else:
            found(f"event {seq} is gone, and no purge event says so (deleted)")
    for text in findings:
        print(text)
    if lawful:
        print(f"{lawful} events: content lawfully purged.")
    if not asked.key:
        print('The keys are those of the export itself: compare the file "key" with what you were given.')
    print(f"{len(findings)} findings." if findings else "All holds.")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
