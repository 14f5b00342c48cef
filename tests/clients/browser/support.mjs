// What the browser tests share: Chromium, axe, an app to come back to, and counting.

import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { basename } from "node:path";

const modules = createRequire(`${process.env.TEST_NODE_MODULES}/`);
const { chromium } = modules("playwright-core");
const AxeBuilder = modules("@axe-core/playwright").default;

export const PASSWORD = "quiet harbor lantern";

const client = basename(process.argv[1], ".mjs") === "main" ? "browser" : `browser-${basename(process.argv[1], ".mjs")}`;
let passed = 0;
let failed = 0;

/** Runs one check and counts it. */
export async function check(name, work) {
  try {
    await work();
    passed += 1;
  } catch (error) {
    failed += 1;
    console.log(`FAILED ${client}, ${name}: ${error.stack ?? error}`);
  }
}

/** Prints the count; the process's exit code. */
export function summary() {
  console.log(`client ${client}: ${passed} passed, ${failed} failed`);
  return failed > 0 || passed === 0 ? 1 : 0;
}

export function insist(holds, message) {
  if (!holds) throw new Error(message);
}

/** Debian's Chromium; root can't use its sandbox. */
export function launch() {
  const args = process.getuid() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({ executablePath: process.env.TEST_CHROMIUM ?? "/usr/bin/chromium", args });
}

/** An app: where the browser is sent back to, and what it was sent with. */
export async function startApp() {
  const came = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url, "http://app");
    if (url.pathname === "/back") came.push(url.searchParams);
    response.setHeader("content-type", "text/html");
    response.end("<!doctype html><html lang=en><title>The app</title><main><h1>The app</h1></main></html>");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { uri: `http://127.0.0.1:${server.address().port}/back`, came, stop: () => server.close() };
}

/** Registers the app with the command line, as an operator does. */
export function register(binary, database, uri, scope) {
  const args = ["client", "add", "--name", "Calendar Plus", "--id", "browser-test", "--redirect-uri", uri, "--scope", scope];
  const env = { ...process.env, SLOTWRIGHT_DATABASE__URL: database, SLOTWRIGHT_LOG__LEVEL: "warn" };
  execFileSync(binary, args, { env, stdio: ["ignore", "ignore", "inherit"] });
}

/** The URL by which the app asks for access. */
export function authorizeUrl(origin, uri, scope) {
  const challenge = createHash("sha256").update(randomBytes(32).toString("base64url")).digest("base64url");
  const url = new URL(`${origin}/oauth/authorize`);
  const parameters = {
    response_type: "code",
    client_id: "browser-test",
    redirect_uri: uri,
    scope,
    state: "a state",
    aud: `${origin}/fhir`,
    code_challenge: challenge,
    code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}

/** Insists that axe finds nothing on this page. */
export async function accessible(page, name) {
  const { violations, passes } = await new AxeBuilder({ page }).analyze();
  const told = violations.map((v) => `${v.id}: ${v.help}\n  ${v.nodes.map((node) => node.html).join("\n  ")}`);
  insist(violations.length === 0, `${name}: ${told.join("\n")}`);
  insist(passes.length > 10, `${name}: axe looked at nothing`);
}

/** Presses Tab until the focus is on what `selector` names; fails when the keyboard can't get there. */
export async function tabTo(page, selector) {
  for (let step = 0; step < 80; step += 1) {
    if (await page.locator(`${selector}:focus`).count()) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`the keyboard does not reach ${selector} on ${page.url()}`);
}
