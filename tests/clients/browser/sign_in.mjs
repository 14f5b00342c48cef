// Drives passkeys and the sign-in at an upstream provider in Chromium.
//
//   node sign_in.mjs ORIGIN BINARY DATABASE-URL
//
// Passkeys belong to a name, so the sandbox at ORIGIN is called localhost here. For the other part it is the provider
// of a second sandbox.

import { execFileSync, spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PASSWORD, accessible, check, insist, launch, summary } from "./support.mjs";

const [origin, binary, database] = process.argv.slice(2);
const local = origin.replace("127.0.0.1", "localhost");

async function signIn(page, username) {
  await page.locator("#username").fill(username);
  await page.locator("#password").fill(PASSWORD);
  await page.locator('form[action="/sign-in"] button').click();
}

async function signOut(page) {
  await page.locator("header form button").click();
  await page.waitForURL("**/sign-out");
}

/** The six digits that an authenticator app shows (RFC 6238). */
function code(secret) {
  const bits = [...secret.replace(/\s/g, "")]
    .map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0"))
    .join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const mac = createHmac("sha1", key).update(step).digest();
  return String((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

/** A phone that unlocks by itself. */
async function addAuthenticator(page) {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("WebAuthn.enable");
  const options = {
    protocol: "ctap2",
    transport: "internal",
    hasResidentKey: true,
    hasUserVerification: true,
    isUserVerified: true,
    automaticPresenceSimulation: true,
  };
  const { authenticatorId } = await devtools.send("WebAuthn.addVirtualAuthenticator", { options });
  return { devtools, authenticatorId };
}

/** Registering, signing in alone and as second factor, removing. */
async function passkeys(context, see) {
  const page = await context.newPage();
  const { devtools, authenticatorId } = await addAuthenticator(page);
  const use = () => page.locator('form[data-passkey="ask"] button').click();
  await page.goto(`${local}/sign-in`);
  await see(page, "sign-in with a passkey");
  await signIn(page, "compliance");
  await page.waitForURL("**/account");
  await page.locator("#passkey-name").fill("My phone");
  await see(page, "account without passkeys");
  await page.locator("form[data-passkey=register] button").click();
  await page.waitForURL("**/account?done=passkey");
  await see(page, "account with a passkey");
  const { credentials } = await devtools.send("WebAuthn.getCredentials", { authenticatorId });
  insist(credentials.length === 1 && credentials[0].isResidentCredential, "the phone keeps one passkey");
  await signOut(page);

  await page.goto(`${local}/sign-in`);
  await use();
  await page.waitForURL("**/account");
  await page.goto(`${local}/account/authenticator`);
  await page.locator("#code").fill(code(await page.locator("#secret").textContent()));
  await page.locator("main form button").click();
  await page.locator("#codes").waitFor();
  await signOut(page);

  await page.goto(`${local}/sign-in`);
  await signIn(page, "compliance");
  await page.waitForURL("**/sign-in/code?**");
  await see(page, "second factor with a passkey");
  await use();
  await page.waitForURL("**/account");
  await page.locator('form[action="/account/authenticator/remove"] button').click();
  await page.waitForURL("**/account?done=authenticator");
  await page.locator('form[action="/account/passkeys/remove"] button').click();
  await page.waitForURL("**/account?done=passkey-removed");
  insist((await page.locator('form[action="/account/passkeys/remove"]').count()) === 0, "it is gone");
  await signOut(page);

  // The phone still has it; this site does not.
  await page.goto(`${local}/sign-in`);
  await use();
  await page.locator(".problems").waitFor();
  await see(page, "a passkey that is not known");
  // Nobody unlocks the phone: the page says so and stays.
  await devtools.send("WebAuthn.removeVirtualAuthenticator", { authenticatorId });
  await page.goto(`${local}/sign-in`);
  await page.evaluate(() => {
    navigator.credentials.get = () => Promise.reject(new DOMException("no", "NotAllowedError"));
  });
  await use();
  await page.locator('form[data-passkey="ask"] [role=alert]:not(:empty)').waitFor();
  insist(page.url().endsWith("/sign-in"), "the page stays");
  await page.close();
}

/** Without scripts the form for a passkey stays away, and a password opens the door. */
async function withoutScripts(context) {
  const page = await context.newPage();
  await page.goto(`${local}/sign-in`);
  insist(!(await page.locator("form[data-passkey]").isVisible()), "the form for passkeys is hidden");
  await signIn(page, "compliance");
  await page.waitForURL("**/account");
  insist(!(await page.locator("form[data-passkey]").isVisible()), "the form for passkeys is hidden");
  await page.close();
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A second sandbox, whose people sign in at the first. */
async function startClinic() {
  const directory = mkdtempSync(join(tmpdir(), "slotwright-clinic-"));
  const port = await freePort();
  const at = `http://localhost:${port}`;
  const scope = "openid fhirUser";
  const add = ["client", "add", "--name", "The clinic", "--id", `clinic-${port}`, "--auth", "secret"];
  add.push("--scope", scope, "--redirect-uri", `${at}/sign-in/callback/hospital`);
  const env = { ...process.env, SLOTWRIGHT_DATABASE__URL: database, SLOTWRIGHT_LOG__LEVEL: "warn" };
  const told = execFileSync(binary, add, { env, encoding: "utf8" });
  const secret = /client_secret\W+(\S+)/.exec(told)?.[1];
  insist(secret, `no secret in: ${told}`);
  const file = join(directory, "client.secret");
  writeFileSync(file, secret);
  chmodSync(file, 0o600);
  const doctor = `${origin}/fhir/Practitioner/dr-okafor`;
  const settings = `[[auth.providers]]
id = "hospital"
name = "The hospital"
issuer = "${origin}"
internal = true
client_id = "clinic-${port}"
client_secret_file = "${file}"
scopes = "${scope}"
parameters = { aud = "${origin}/fhir" }
roles_claim = "fhirUser"
roles = [{ name = "${doctor}", role = "clinician" }]
`;
  const config = join(directory, "slotwright.toml");
  writeFileSync(config, settings);
  const data = join(directory, "data");
  const server = spawn(binary, ["sandbox", "--listen", `127.0.0.1:${port}`, "--data", data, "--config", config], {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, SLOTWRIGHT_LOG__LEVEL: "warn" },
  });
  for (let tries = 0; tries < 1200; tries += 1) {
    const ready = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
    if (ready?.ok) break;
    insist(server.exitCode === null, "the second sandbox ended");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const stop = async () => {
    server.kill();
    await new Promise((resolve) => server.once("exit", resolve));
    rmSync(directory, { recursive: true, force: true });
  };
  return { at, stop };
}

/** There, through the provider's pages, and back. */
async function upstream(context, clinic, see) {
  const page = await context.newPage();
  const button = page.locator('form[action="/sign-in/with/hospital"] button');
  await page.goto(`${clinic.at}/apps`);
  await page.waitForURL("**/sign-in?**");
  await see(page, "sign-in with a provider");
  await button.click();
  await page.waitForURL(`${origin}/sign-in?**`);
  await signIn(page, "clinician");
  await page.waitForURL(`${origin}/consent/**`);
  await page.locator("button[value=approve]").click();
  await page.waitForURL(`${clinic.at}/apps`);
  await page.goto(`${clinic.at}/account`);
  await see(page, "account of a provider");
  insist((await page.locator("#old-password").count()) === 0, "there is no password to change");
  // A sensitive act takes a new proof, there.
  await signOut(page);
  await page.goto(`${clinic.at}/sign-in`);
  await button.click();
  await page.waitForURL(`${origin}/consent/**`);
  await page.locator("button[value=deny]").click();
  await page.waitForURL(`${clinic.at}/sign-in/callback/**`);
  await see(page, "a provider says no");
  insist((await page.locator("main a").getAttribute("href")).startsWith("/sign-in?return="), "there is a way on");
  await page.close();
}

const browser = await launch();
const clinic = await startClinic();
try {
  for (const [locale, lang] of [["en-US", "en"], ["es-MX", "es"]]) {
    for (const colorScheme of ["light", "dark"]) {
      let pages = 0;
      const see = async (page, name) => {
        pages += 1;
        await check(`axe ${name} ${lang} ${colorScheme}`, () => accessible(page, name));
      };
      for (const [name, work, count] of [
        ["passkeys", (context) => passkeys(context, see), 5],
        ["upstream", (context) => upstream(context, clinic, see), 3],
      ]) {
        const context = await browser.newContext({ locale, colorScheme });
        context.setDefaultTimeout(15_000);
        pages = 0;
        await check(`${name} ${lang} ${colorScheme}`, async () => {
          await work(context);
          insist(pages === count, `${pages} pages were looked at`);
        });
        await context.close();
      }
    }
  }
  for (const [name, work] of [
    ["passkeys", withoutScripts],
    ["upstream", (context) => upstream(context, clinic, async () => {})],
  ]) {
    const context = await browser.newContext({ locale: "en-US", javaScriptEnabled: false });
    context.setDefaultTimeout(15_000);
    await check(`${name} without scripts`, () => work(context));
    await context.close();
  }
} finally {
  await browser.close();
  await clinic.stop();
}
process.exitCode = summary();
