// Drives a sandbox with fhirclient (npm) in Chromium: the application is a page of another origin.
//
//   TEST_NODE_MODULES=… node fhirclient_browser.mjs smart.json

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { assertion, systemToken } from './backend.mjs';
import * as support from './support.mjs';

const { config } = support;
const { check, finish } = support.checks('fhirclient-browser');
const library = readFileSync(path.join(process.env.TEST_NODE_MODULES, 'fhirclient', 'build', 'fhir-client.js'));
const { clients, accounts, base } = config;
const common = 'openid fhirUser offline_access launch/patient';
const reading = 'patient/Patient.rs patient/Slot.rs patient/Schedule.rs patient/Practitioner.rs';

// What each application gives to FHIR.oauth2.authorize: /NAME/launch starts it, /NAME/ is where it comes back.
const apps = {
  public: {
    clientId: clients.public.id,
    iss: base,
    scope: `${common} ${reading} patient/Appointment.crus`,
  },
  v1: {
    clientId: clients.public.id,
    redirectUri: clients.public.redirectUri,
    iss: base,
    scope: 'openid fhirUser launch/patient patient/Patient.read patient/Slot.read',
  },
  key: {
    clientId: clients.key.id,
    iss: base,
    scope: `${common} ${reading} patient/Appointment.crus`,
    clientPrivateJwk: { ...clients.key.privateJwk, key_ops: ['sign'] },
  },
  // iss and launch come from the EHR, in the URL.
  ehr: {
    clientId: clients.ehr.id,
    scope: 'openid fhirUser offline_access launch user/Patient.rs user/Slot.rs user/Appointment.crus',
  },
};

const server = await support.serve((request, response) => {
  const [, name, step] = new URL(request.url, config.app).pathname.split('/');
  if (name === 'fhir-client.js') {
    response.writeHead(200, { 'content-type': 'text/javascript' });
    return response.end(library);
  }
  if (!apps[name]) return response.writeHead(404).end();
  const options = JSON.stringify({ redirectUri: './', ...apps[name] });
  const script =
    step === 'launch'
      ? `FHIR.oauth2.authorize(${options}).catch((error) => { window.failure = String(error); });`
      : `FHIR.oauth2.ready().then((client) => { window.client = client; },
           (error) => { window.failure = String(error); });`;
  support.page(response, `<script src="/fhir-client.js"></script><h1>${name}</h1><script>${script}</script>`);
});
const chromium = await support.browser();

/** Launches an application and waits until it has its client, or its failure. */
async function launch(person, url, answers) {
  await person.page.goto(url);
  const arrived = await person.answer(answers);
  await person.page.waitForFunction(() => window.client || window.failure);
  const failure = await person.page.evaluate(() => window.failure);
  return { arrived, failure, token: failure ? {} : await state(person, 'tokenResponse') };
}
const state = (person, part) => person.page.evaluate((name) => window.client.getState(name), part);

/** Books by the library, in the page: the appointment, and the slot before and after. */
const bookInPage = async (person, patient, practitioner) => {
  const template = support.booking({ id: '', start: '', end: '' }, patient, practitioner);
  const query = support.freeSlots(practitioner.replace('dr-', 'sched-'));
  return person.page.evaluate(
    async ([search, wanted]) => {
      const { client } = window;
      const found = await client.request(search);
      const before = found.entry[0].resource;
      wanted.slot[0].reference = `Slot/${before.id}`;
      wanted.start = before.start;
      wanted.end = before.end;
      const appointment = await client.create(wanted);
      return { before, appointment, after: await client.request(`Slot/${before.id}`) };
    },
    [query, template],
  );
};
/** The HTTP status that a call in the page failed with; none when it did not. */
const statusInPage = (person, target) =>
  person.page.evaluate((url) => window.client.request(url).then(() => undefined, (error) => error.status), target);
/** A form posted from the page, to an endpoint of the authorization server. */
const postFromPage = (person, endpoint, form) =>
  person.page.evaluate(
    async ([url, fields]) => {
      const answer = await fetch(url, { method: 'POST', body: new URLSearchParams(fields) });
      return { status: answer.status, body: await answer.json() };
    },
    [`${config.origin}/oauth/${endpoint}`, form],
  );

const patient = await support.Person.at(chromium, accounts.patient);
const own = accounts.patient.fhirUser;

// --- a public client ----------------------------------------------------------------------------------------

let first;
await check('a public client is launched by itself', async () => {
  first = await launch(patient, `${config.app}/public/launch`);
  assert.equal(first.failure, undefined);
  support.sameScopes(first.token.scope, apps.public.scope);
  assert.equal(first.token.patient, own.replace('Patient/', ''));
  assert.equal(first.token.token_type.toLowerCase(), 'bearer');
  assert.ok(first.token.expires_in > 0 && first.token.expires_in <= 3600);
  assert.equal(first.token.need_patient_banner, true);
});
await check('the answer at the redirect URI has no iss, which the library would take for an EHR launch', async () => {
  assert.deepEqual([...first.arrived.searchParams.keys()].sort(), ['code', 'state']);
});
await check('the person and the patient of the launch can be read', async () => {
  const read = await patient.page.evaluate(async () => {
    const { client } = window;
    return { user: client.getFhirUser(), me: await client.user.read(), patient: await client.patient.read() };
  });
  assert.equal(read.user, own);
  assert.equal(`Patient/${read.me.id}`, own);
  assert.equal(`Patient/${read.patient.id}`, own);
});
await check('a public client books, and the slot is busy', async () => {
  const { before, appointment, after } = await bookInPage(patient, first.token.patient, 'dr-okafor');
  assert.equal(before.status, 'free');
  assert.equal(appointment.status, 'booked');
  assert.equal(after.status, 'busy');
});
await check('what was not granted is refused', async () => {
  assert.equal(await statusInPage(patient, 'Encounter?_count=1'), 403);
  assert.equal(await statusInPage(patient, 'Patient/pat-008'), 404);
});
await check('a public client refreshes, and the refresh token changes', async () => {
  const refreshed = await patient.page.evaluate(async () => {
    FHIR.oauth2.settings.refreshTokenWithClientId = true;
    await window.client.refresh();
    return window.client.getState('tokenResponse');
  });
  assert.notEqual(refreshed.access_token, first.token.access_token);
  assert.notEqual(refreshed.refresh_token, first.token.refresh_token);
  support.sameScopes(refreshed.scope, apps.public.scope);
  await support.isAlive(refreshed.access_token);
});
await check('a public client refreshes as the library does it by default, without its client_id', async () => {
  const old = await state(patient, 'tokenResponse');
  const refreshed = await patient.page.evaluate(async () => {
    FHIR.oauth2.settings.refreshTokenWithClientId = false;
    await window.client.refresh();
    return window.client.getState('tokenResponse');
  });
  assert.notEqual(refreshed.access_token, old.access_token);
  await support.isAlive(refreshed.access_token);
});
await check('a refresh token that is used again ends its family', async () => {
  const { access_token: access, refresh_token: refresh } = await state(patient, 'tokenResponse');
  const form = { grant_type: 'refresh_token', client_id: clients.public.id };
  const again = await postFromPage(patient, 'token', { ...form, refresh_token: first.token.refresh_token });
  assert.equal(again.status, 400);
  assert.equal(again.body.error, 'invalid_grant');
  const current = await postFromPage(patient, 'token', { ...form, refresh_token: refresh });
  assert.equal(current.status, 400);
  assert.equal(current.body.error, 'invalid_grant');
  await support.isDead(access);
  assert.equal(await statusInPage(patient, 'Slot?_count=1'), 401);
});
await check('a public client gives its tokens back', async () => {
  const { failure, token } = await launch(patient, `${config.app}/public/launch`);
  assert.equal(failure, undefined);
  await support.isAlive(token.access_token);
  const form = { client_id: clients.public.id, token: token.refresh_token, token_type_hint: 'refresh_token' };
  assert.equal((await postFromPage(patient, 'revoke', form)).status, 200);
  await support.isDead(token.access_token);
  assert.equal(await statusInPage(patient, 'Slot?_count=1'), 401);
});
await check('what the person unticks is not granted', async () => {
  const untick = ['patient/Appointment.crus'];
  const { failure, token } = await launch(patient, `${config.app}/public/launch`, { untick });
  assert.equal(failure, undefined);
  support.sameScopes(token.scope, apps.public.scope.replace(' patient/Appointment.crus', ''));
  assert.equal(await statusInPage(patient, 'Appointment?_count=1'), 403);
});
await check('a person who says no is told to the application', async () => {
  const { arrived, failure } = await launch(patient, `${config.app}/public/launch`, { deny: true });
  assert.equal(arrived.searchParams.get('error'), 'access_denied');
  assert.match(failure, /access_denied/);
});
await check('scopes of SMART 1 are granted as they were written', async () => {
  const { failure, token } = await launch(patient, `${config.app}/v1/launch`);
  // It comes back to the page of the public application, whose library finds the state of this one.
  assert.equal(failure, undefined);
  support.sameScopes(token.scope, apps.v1.scope);
  assert.equal(token.refresh_token, undefined);
  await support.isAlive(token.access_token);
});

// --- a client with a key ------------------------------------------------------------------------------------

let keyed;
await check('a client with a key is launched by itself', async () => {
  keyed = await launch(patient, `${config.app}/key/launch`);
  assert.equal(keyed.failure, undefined);
  support.sameScopes(keyed.token.scope, apps.key.scope);
});
await check('a client with a key books, and the slot is busy', async () => {
  const { appointment, after } = await bookInPage(patient, keyed.token.patient, 'dr-okafor');
  assert.equal(appointment.status, 'booked');
  assert.equal(after.status, 'busy');
});
/** What the application adds to prove itself where the library does not. */
const proof = (endpoint) => ({
  client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  client_assertion: assertion(clients.key, { audience: `${config.origin}/oauth/${endpoint}` }),
});
await check('a client with a key must prove itself to refresh', async () => {
  // The library refreshes without an assertion; from a client that has a key, that is not enough.
  const form = { grant_type: 'refresh_token', refresh_token: keyed.token.refresh_token };
  const bare = await postFromPage(patient, 'token', { ...form, client_id: clients.key.id });
  assert.equal(bare.status, 401);
  assert.equal(bare.body.error, 'invalid_client');
  const nameless = await postFromPage(patient, 'token', form);
  assert.equal(nameless.status, 401);
  assert.equal(nameless.body.error, 'invalid_client');
  const proved = await postFromPage(patient, 'token', { ...form, ...proof('token') });
  assert.equal(proved.status, 200, JSON.stringify(proved.body));
  await support.isAlive(proved.body.access_token);
  keyed.token = { ...keyed.token, ...proved.body };
});
await check('a client with a key gives its tokens back', async () => {
  const form = { token: keyed.token.refresh_token };
  const bare = await postFromPage(patient, 'revoke', { ...form, client_id: clients.key.id });
  assert.equal(bare.status, 401);
  await support.isAlive(keyed.token.access_token);
  const proved = await postFromPage(patient, 'revoke', { ...form, ...proof('revoke') });
  assert.equal(proved.status, 200);
  await support.isDead(keyed.token.access_token);
});

// --- a launch from an EHR -----------------------------------------------------------------------------------

/** What an EHR does before it opens the application: proves itself, makes the context, gets the URL. */
async function launchUrl(context) {
  const token = await systemToken('system/Patient.rs');
  const response = await fetch(`${config.origin}/oauth/launch`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token.access_token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ client_id: clients.ehr.id, ...context }),
  });
  const body = await response.json();
  assert.equal(response.status, 201, JSON.stringify(body));
  return body.launch_url;
}

const staff = await support.Person.at(chromium, accounts.staff);
let opened;
let ehr;
await check('an EHR launches an application with a patient in context', async () => {
  const fhirContext = [{ reference: 'Practitioner/dr-okafor' }];
  opened = await launchUrl({
    username: accounts.staff.username,
    patient: 'pat-010',
    intent: 'book',
    need_patient_banner: false,
    fhirContext,
  });
  assert.equal(new URL(opened).searchParams.get('iss'), base);
  ehr = await launch(staff, opened);
  assert.equal(ehr.failure, undefined);
  support.sameScopes(ehr.token.scope, apps.ehr.scope);
  assert.equal(ehr.token.patient, 'pat-010');
  assert.equal(ehr.token.intent, 'book');
  assert.equal(ehr.token.need_patient_banner, false);
  assert.deepEqual(ehr.token.fhirContext, fhirContext);
  assert.match(ehr.token.smart_style_url, /^http/);
});
await check('the user of an EHR launch is who signed in', async () => {
  const user = await staff.page.evaluate(() => window.client.getFhirUser());
  assert.equal(user, accounts.staff.fhirUser);
});
await check('an application that an EHR launched books for the patient in context', async () => {
  const { before, appointment, after } = await bookInPage(staff, ehr.token.patient, 'dr-okafor');
  assert.equal(before.status, 'free');
  assert.equal(appointment.status, 'booked');
  assert.equal(after.status, 'busy');
  const cancelled = await staff.page.evaluate(
    async (booked) => {
      const done = await window.client.update({ ...booked, status: 'cancelled' });
      return { done, slot: await window.client.request(booked.slot[0].reference) };
    },
    appointment,
  );
  assert.equal(cancelled.done.status, 'cancelled');
  assert.equal(cancelled.slot.status, 'free');
});
await check('an application that an EHR launched refreshes and keeps its context', async () => {
  const refreshed = await staff.page.evaluate(async () => {
    FHIR.oauth2.settings.refreshTokenWithClientId = true;
    await window.client.refresh();
    return window.client.getState('tokenResponse');
  });
  assert.notEqual(refreshed.access_token, ehr.token.access_token);
  assert.equal(refreshed.patient, 'pat-010');
  await support.isAlive(refreshed.access_token);
  const form = { client_id: clients.ehr.id, token: refreshed.refresh_token };
  assert.equal((await postFromPage(staff, 'revoke', form)).status, 200);
  await support.isDead(refreshed.access_token);
});
await check('a launch is good once', async () => {
  const { page } = staff;
  const arrived = page.waitForRequest((request) => request.url().startsWith(`${config.app}/ehr/?`));
  await page.goto(opened);
  assert.equal(new URL((await arrived).url()).searchParams.get('error'), 'invalid_request');
});
await check('a launch that was made for one person is of no use to another', async () => {
  const url = await launchUrl({ username: accounts.staff.username, patient: 'pat-010' });
  await patient.page.goto(url);
  await patient.page.waitForURL((now) => now.origin === config.origin && now.pathname.startsWith('/consent/'));
  assert.equal(await patient.page.locator('button[value=approve]').count(), 0);
});
await check('only clients with that permission make launches', async () => {
  const { token } = await launch(patient, `${config.app}/public/launch`);
  const response = await fetch(`${config.origin}/oauth/launch`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token.access_token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ client_id: clients.ehr.id, patient: 'pat-010' }),
  });
  assert.equal(response.status, 403);
  assert.equal((await response.json()).error, 'insufficient_scope');
});

await chromium.close();
server.close();
finish();
