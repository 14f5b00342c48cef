// Passkeys: asks this server for a challenge and the browser for an answer, and sends the answer as a form.
// A page works without this file; its forms for passkeys stay hidden then.
"use strict";

const toBytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));

const toText = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=+$/, "");

/** The options of the server, with bytes where the browser wants them. */
function read(key) {
  key.challenge = toBytes(key.challenge);
  if (key.user) key.user.id = toBytes(key.user.id);
  for (const list of [key.excludeCredentials, key.allowCredentials]) {
    for (const credential of list ?? []) credential.id = toBytes(credential.id);
  }
  return { publicKey: key };
}

/** What the authenticator gave, as JSON. */
function written(credential) {
  const { response } = credential;
  const parts = { clientDataJSON: toText(response.clientDataJSON) };
  if (response.attestationObject) {
    parts.attestationObject = toText(response.attestationObject);
  } else {
    parts.authenticatorData = toText(response.authenticatorData);
    parts.signature = toText(response.signature);
    parts.userHandle = response.userHandle ? toText(response.userHandle) : null;
  }
  return JSON.stringify({
    id: credential.id,
    rawId: toText(credential.rawId),
    type: credential.type,
    response: parts,
    clientExtensionResults: {},
  });
}

async function answer(form) {
  const asked = await fetch(form.dataset.options, {
    method: "POST",
    body: new URLSearchParams({ token: form.elements.namedItem("token").value }),
  });
  if (!asked.ok) throw new Error(`the challenge was answered ${asked.status}`);
  const { publicKey } = await asked.json();
  // Without a challenge the page that follows says what has to come first.
  if (publicKey) {
    const options = read(publicKey);
    const registers = form.dataset.passkey === "register";
    const credential = await (registers ? navigator.credentials.create(options) : navigator.credentials.get(options));
    form.elements.namedItem("credential").value = written(credential);
  }
  form.submit();
}

if (window.PublicKeyCredential) {
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    const problem = form.querySelector("[role=alert]");
    form.hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      problem.textContent = "";
      answer(form).catch(() => {
        problem.textContent = form.dataset.problem;
      });
    });
  }
}
