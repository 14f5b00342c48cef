// Drives a sandbox with fhirclient (npm) on a web server, where an application can keep a secret.
//
//   TEST_NODE_MODULES=… node fhirclient_node.mjs smart.json

import assert from 'node:assert/strict';
import * as support from './support.mjs';

const { config } = support;
const { check, finish } = support.checks('fhirclient-node');
const smart = support.load('fhirclient');
const { clients, accounts, base } = config;
const scope =
  'openid fhirUser offline_access launch/patient patient/Patient.rs patient/Slot.rs patient/Appointment.crus';
const options = {
  clientId: clients.secret.id,
  clientSecret: clients.secret.secret,
  iss: base,
  redirectUri: './',
  scope,
};

// The application: its sessions are one object, since one person uses it.
const session = {};
let ready;
const server = await support.serve(async (request, response) => {
  const url = new URL(request.url, config.app);
  request.session = session;
  if (url.pathname === '/secret/launch') return smart(request, response).authorize(options);
  if (url.pathname === '/secret/wrong') {
    return smart(request, response).authorize({ ...options, clientSecret: `${options.clientSecret}x` });
  }
  if (url.pathname !== '/secret/') return response.writeHead(404).end();
  ready(smart(request, response).ready().catch((error) => ({ error })));
  return support.page(response, '<h1>secret</h1>');
});
const chromium = await support.browser();
const patient = await support.Person.at(chromium, accounts.patient);

/** Launches the application: its client, or `{ error }`. */
async function launch(step) {
  const client = new Promise((resolve) => {
    ready = resolve;
  });
  await patient.authorize(`${config.app}/secret/${step}`);
  return client;
}
const basic = `Basic ${Buffer.from(`${clients.secret.id}:${clients.secret.secret}`).toString('base64')}`;
async function post(endpoint, form, headers = { authorization: basic }) {
  const body = new URLSearchParams(form);
  const answer = await fetch(`${config.origin}/oauth/${endpoint}`, { method: 'POST', headers, body });
  return { status: answer.status, body: await answer.json() };
}
const status = (call) => call.then(() => undefined, (error) => error.status);

let client;
let first;
await check('a client with a secret is launched by itself', async () => {
  client = await launch('launch');
  assert.equal(client.error, undefined);
  first = { ...client.getState('tokenResponse') };
  support.sameScopes(first.scope, scope);
  assert.equal(`Patient/${first.patient}`, accounts.patient.fhirUser);
  assert.equal((await client.patient.read()).id, first.patient);
  assert.equal(client.getFhirUser(), accounts.patient.fhirUser);
});
await check('a client with a secret books, and the slot is busy', async () => {
  const bundle = await client.request(support.freeSlots('sched-okafor'));
  const slot = bundle.entry[0].resource;
  const appointment = await client.create(support.booking(slot, first.patient, 'dr-okafor'));
  assert.equal(appointment.status, 'booked');
  assert.equal((await client.request(`Slot/${slot.id}`)).status, 'busy');
  const again = client.create(support.booking(slot, first.patient, 'dr-okafor'));
  assert.equal(await status(again), 409);
});
await check('a client with a secret refreshes, and the refresh token changes', async () => {
  await client.refresh();
  const refreshed = client.getState('tokenResponse');
  assert.notEqual(refreshed.access_token, first.access_token);
  assert.notEqual(refreshed.refresh_token, first.refresh_token);
  support.sameScopes(refreshed.scope, scope);
  assert.equal((await client.patient.read()).id, first.patient);
});
await check('a client with a secret must prove itself to refresh', async () => {
  const form = { grant_type: 'refresh_token', refresh_token: client.getState('tokenResponse.refresh_token') };
  for (const [fields, headers] of [
    [{ ...form, client_id: clients.secret.id }, {}],
    [form, {}],
    [{ ...form, client_id: clients.secret.id, client_secret: 'guessed' }, {}],
  ]) {
    const refused = await post('token', fields, headers);
    assert.equal(refused.status, 401, JSON.stringify(refused.body));
    assert.equal(refused.body.error, 'invalid_client');
  }
  await support.isAlive(client.getState('tokenResponse.access_token'));
});
await check('a refresh token that is used again ends its family', async () => {
  const { access_token: access, refresh_token: refresh } = client.getState('tokenResponse');
  const again = await post('token', { grant_type: 'refresh_token', refresh_token: first.refresh_token });
  assert.equal(again.status, 400);
  assert.equal(again.body.error, 'invalid_grant');
  const current = await post('token', { grant_type: 'refresh_token', refresh_token: refresh });
  assert.equal(current.body.error, 'invalid_grant');
  await support.isDead(access);
});
await check('a client with a secret gives its tokens back', async () => {
  client = await launch('launch');
  assert.equal(client.error, undefined);
  const { access_token: access, refresh_token: refresh } = client.getState('tokenResponse');
  await support.isAlive(access);
  assert.equal((await post('introspect', { token: access })).body.active, true);
  assert.equal((await post('revoke', { token: access, token_type_hint: 'access_token' })).status, 200);
  await support.isDead(access);
  assert.deepEqual((await post('introspect', { token: access })).body, { active: false });
  assert.equal((await post('revoke', { token: refresh })).status, 200);
  const refused = await post('token', { grant_type: 'refresh_token', refresh_token: refresh });
  assert.equal(refused.body.error, 'invalid_grant');
  assert.equal(await status(client.request('Slot?_count=1')), 401);
});
await check('a wrong secret gets no token', async () => {
  const { error } = await launch('wrong');
  assert.equal(error?.status, 401);
  assert.match(String(error), /invalid_client/);
});

await chromium.close();
server.close();
finish();
