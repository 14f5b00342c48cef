// What the drivers of SMART clients share: counting checks, a person at a browser, a web server for the application.

import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

// Node 18 has these, but not by these names.
globalThis.crypto ??= webcrypto;
globalThis.CryptoKey ??= webcrypto.CryptoKey;

const modules = process.env.TEST_NODE_MODULES;
const require = createRequire(path.join(modules, 'package.json'));

/** What register.mjs prepared. */
export const config = JSON.parse(readFileSync(process.argv[2], 'utf8'));

/** A package of TEST_NODE_MODULES that has CommonJS. */
export const load = (name) => require(name);
/** One that has only ES modules, by its file. */
export const loadModule = (...file) => import(pathToFileURL(path.join(modules, ...file)));

/** Counts checks of the client `name`; each is one sentence. */
export function checks(name) {
  let passed = 0;
  let failed = 0;
  return {
    async check(sentence, body) {
      try {
        await body();
        passed += 1;
      } catch (error) {
        failed += 1;
        console.log(`FAILED ${name}: ${sentence}\n  ${error.stack}`);
        if (error.cause) console.log('  cause:', error.cause);
      }
    },
    /** Prints the count and ends the process. */
    finish() {
      console.log(`client ${name}: ${passed} passed, ${failed} failed`);
      process.exit(failed === 0 ? 0 : 1);
    },
  };
}

/** Chromium, as Debian installs it. */
export async function browser() {
  const { chromium } = load('playwright-core');
  return chromium.launch({
    executablePath: process.env.TEST_CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });
}

/** Somebody with an account at a browser of their own. */
export class Person {
  constructor(page, account) {
    this.page = page;
    this.account = account;
    page.setDefaultTimeout(20_000);
  }

  static async at(chromium, account) {
    const context = await chromium.newContext();
    return new Person(await context.newPage(), account);
  }

  /** Signs in, on the page that asks for it. */
  async signIn() {
    await this.page.fill('#username', this.account.username);
    await this.page.fill('#password', this.account.password);
    await this.page.click('form[action="/sign-in"] button');
  }

  /** Chooses a patient, on the page that asks for it. */
  async pick({ id, family }) {
    await this.page.fill('#name', family);
    await this.page.click('form[role=search] button');
    await this.page.click(`a[href*="patient=${id}"]`);
  }

  /**
   * Goes through our pages to the consent and answers it: yes, without what is in `untick`, or with `deny` no.
   * Ends at the application; gives its URL as the browser was sent there.
   */
  async answer({ patient, untick = [], deny = false } = {}) {
    const { page } = this;
    await page.waitForURL((url) => url.origin === config.origin);
    if (new URL(page.url()).pathname === '/sign-in') {
      await this.signIn();
      await page.waitForURL((url) => url.pathname !== '/sign-in');
    }
    if (new URL(page.url()).pathname.startsWith('/pick-patient/')) {
      assert.ok(patient, 'a patient must be picked');
      await this.pick(patient);
    }
    await page.waitForURL((url) => url.pathname.startsWith('/consent/'));
    for (const scope of untick) await page.uncheck(`input[name=scope][value="${scope}"]`);
    // The application may change its URL as soon as it loads: what the browser was sent to is kept.
    const arrived = page.waitForRequest((request) => {
      return request.isNavigationRequest() && request.url().startsWith(`${config.app}/`);
    });
    await page.click(`button[name=decision][value=${deny ? 'deny' : 'approve'}]`);
    const url = new URL((await arrived).url());
    await page.waitForURL((now) => now.origin === config.app);
    return url;
  }

  /** Opens a URL, answers what is asked and gives the URL that the application was sent. */
  async authorize(url, answers) {
    await this.page.goto(String(url));
    return this.answer(answers);
  }
}

/** The web server of an application; `answer(request, response)` does it all. */
export async function serve(answer) {
  const server = createServer((request, response) => {
    Promise.resolve(answer(request, response)).catch((error) => {
      response.writeHead(500).end(String(error.stack));
    });
  });
  const { port, hostname } = new URL(config.app);
  await new Promise((resolve, reject) => server.once('error', reject).listen(Number(port), hostname, resolve));
  return server;
}

/** The web server of an application that takes codes and does nothing else in the browser. */
export const serveCallback = () => serve((request, response) => page(response, '<h1>Back</h1>'));

/** A page with this text. */
export function page(response, html) {
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
  response.end(`<!doctype html><html lang="en"><meta charset="utf-8"><title>App</title>${html}`);
}

// --- FHIR ---------------------------------------------------------------------------------------------------

/** What a free slot of a schedule is searched by, from a day ahead. */
export function freeSlots(schedule, days = 1) {
  const start = new Date(Date.now() + days * 86_400_000).toISOString();
  const query = { schedule: `Schedule/${schedule}`, status: 'free', start: `ge${start}`, _sort: 'start', _count: '1' };
  return `Slot?${new URLSearchParams(query)}`;
}

/** The booking of a slot. */
export function booking(slot, patient, practitioner) {
  return {
    resourceType: 'Appointment',
    status: 'booked',
    slot: [{ reference: `Slot/${slot.id}` }],
    start: slot.start,
    end: slot.end,
    participant: [
      { actor: { reference: `Patient/${patient}` }, status: 'accepted' },
      { actor: { reference: `Practitioner/${practitioner}` }, status: 'accepted' },
    ],
  };
}

/** A request of a FHIR resource with an access token: status and body. */
export async function fhir(token, target, { method = 'GET', body } = {}) {
  const response = await fetch(`${config.base}/${target}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/fhir+json' },
    body: body && JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, body: await response.json().catch(() => undefined) };
}

/** Books the next free slot with an access token, insists that it was free before and is busy after. */
export async function book(token, patient, practitioner) {
  const found = await fhir(token, freeSlots(practitioner.replace('dr-', 'sched-')));
  assert.equal(found.status, 200, JSON.stringify(found.body));
  const slot = found.body.entry?.[0]?.resource;
  assert.equal(slot?.status, 'free');
  const made = await fhir(token, 'Appointment', { method: 'POST', body: booking(slot, patient, practitioner) });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  assert.equal(made.body.status, 'booked');
  const after = await fhir(token, `Slot/${slot.id}`);
  assert.equal(after.body.status, 'busy');
  const twice = await fhir(token, 'Appointment', { method: 'POST', body: booking(slot, patient, practitioner) });
  assert.equal(twice.status, 409);
  return made.body;
}

/** Insists that an access token opens nothing any more. */
export async function isDead(token) {
  const { status, headers } = await fhir(token, 'Slot?_count=1');
  assert.equal(status, 401);
  assert.match(headers.get('www-authenticate') ?? '', /invalid_token/);
}

/** Insists that an access token opens something. */
export async function isAlive(token) {
  assert.equal((await fhir(token, 'Slot?_count=1')).status, 200);
}

/** Insists that `given` has every scope of `wanted`, and none of another kind. */
export function sameScopes(given, wanted) {
  assert.deepEqual(String(given).split(' ').sort(), String(wanted).split(' ').sort());
}
