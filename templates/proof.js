// Checks the proof of an event in the browser: its content against its leaf, the leaf against the checkpoint's root
// (RFC 9162), and the checkpoint's signature (C2SP signed note, Ed25519). The page says what the server found without it.
"use strict";

const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const utf8 = (text) => new TextEncoder().encode(text);
const same = (one, other) => one.length === other.length && one.every((byte, place) => byte === other[place]);

function joined(...parts) {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", joined(...parts)));

/** The root to which a path leads from a leaf's hash, or nothing. Places are beyond 32 bits: no bitwise operators. */
async function rootOf(place, size, leaf, path) {
  if (place >= size) return undefined;
  let last = size - 1;
  let hash = leaf;
  for (const sibling of path) {
    if (last === 0) return undefined;
    if (place % 2 === 1 || place === last) {
      hash = await sha256([1], sibling, hash);
      // A last node without a sibling is its own parent.
      while (place % 2 === 0 && place !== 0) {
        place /= 2;
        last = Math.floor(last / 2);
      }
    } else {
      hash = await sha256([1], hash, sibling);
    }
    place = Math.floor(place / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 ? hash : undefined;
}

/** What a signed note says, and its signatures. */
function read(note) {
  const end = note.lastIndexOf("\n\n");
  const text = note.slice(0, end + 1);
  const [origin, size, root] = text.split("\n");
  const signatures = note.slice(end + 2).split("\n").filter(Boolean).map((line) => {
    const [, name, packed] = line.split(" ");
    const all = bytes(packed);
    return { name, id: all.slice(0, 4), signature: all.slice(4) };
  });
  return { text, origin, size: Number(size), root: bytes(root), signatures };
}

/** Whether a key of the log signed: true, false, or undefined where the browser can't tell. */
async function signed(note, keys) {
  let good;
  for (const key of keys) {
    const [name, id, ...rest] = key.split("+");
    const packed = bytes(rest.join("+"));
    // 1: a log's Ed25519 key; witnesses sign something else.
    if (packed[0] !== 1 || name !== note.origin) continue;
    const own = Uint8Array.from(id.match(/../g), (byte) => Number.parseInt(byte, 16));
    const mine = note.signatures.filter((one) => one.name === name && same(one.id, own));
    for (const { signature } of mine) {
      let imported;
      try {
        imported = await crypto.subtle.importKey("raw", packed.slice(1), "Ed25519", false, ["verify"]);
      } catch {
        return undefined;
      }
      if (!(await crypto.subtle.verify("Ed25519", imported, signature, utf8(note.text)))) return false;
      good = true;
    }
  }
  return keys.length === 0 ? undefined : good ?? false;
}

async function check({ leaf, salt, event, path, note, keys }) {
  const told = JSON.parse(leaf);
  const checkpoint = read(note);
  const content = event === "" ? undefined : same(await sha256(bytes(salt), bytes(event)), bytes(told.h));
  const hashes = path.split(" ").filter(Boolean).map(bytes);
  const root = await rootOf(told.seq, checkpoint.size, await sha256([0], utf8(leaf)), hashes);
  const place = root !== undefined && same(root, checkpoint.root);
  return { content, place, signature: await signed(checkpoint, keys.split(" ").filter(Boolean)) };
}

async function show() {
  const output = document.getElementById("browser-check");
  const say = (text, list, verdict) => {
    output.dataset.verdict = verdict;
    const head = document.createElement("p");
    head.textContent = text;
    head.className = verdict === "valid" ? "done" : "problem";
    output.replaceChildren(head);
    if (list.length === 0) return;
    const items = document.createElement("ul");
    for (const line of list) items.appendChild(document.createElement("li")).textContent = line;
    output.append(items);
  };
  if (!globalThis.crypto?.subtle) {
    say(output.dataset.noCrypto, [], "unknown");
    return;
  }
  let found;
  try {
    found = await check(document.getElementById("proof").dataset);
  } catch {
    // What can't be read proves nothing.
    found = { content: false, place: false, signature: false };
  }
  const how = (name) => ({ true: "Good", false: "Bad", undefined: "None" })[String(found[name])];
  const lines = ["content", "place", "signature"].map((name) => output.dataset[`${name}${how(name)}`]);
  const holds = found.content !== false && found.place && found.signature !== false;
  say(holds ? output.dataset.valid : output.dataset.invalid, lines, holds ? "valid" : "invalid");
}

show();
