// Subscribes at a sandbox server and verifies what comes with standardwebhooks (npm).
//
//   TEST_NODE_MODULES=… node receive.mjs http://127.0.0.1:8080/fhir
//
// Every check is one sentence; the last line counts them.

import assert from 'node:assert/strict';
import http from 'node:http';
import { createRequire } from 'node:module';

const { Webhook, WebhookVerificationError } = createRequire(`${process.env.TEST_NODE_MODULES}/`)('standardwebhooks');
const base = process.argv[2];
const backport = 'http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition';

let passed = 0;
let failed = 0;
async function check(sentence, body) {
  try {
    await body();
    passed += 1;
  } catch (error) {
    failed += 1;
    console.log(`FAILED standardwebhooks (npm): ${sentence}\n  ${error.stack}`);
  }
}

async function ask(method, path, body) {
  const headers = body ? { 'content-type': 'application/fhir+json' } : {};
  const answer = await fetch(`${base}/${path}`, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

const heard = [];
const refuse = { next: 0 };
const receiver = http.createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    const busy = refuse.next > 0;
    if (busy) refuse.next -= 1;
    heard.push({ headers: request.headers, body: Buffer.concat(parts).toString(), taken: !busy });
    response.writeHead(busy ? 500 : 204).end();
  });
});
await new Promise((resolve) => receiver.listen(0, '127.0.0.1', resolve));

async function until(enough) {
  for (let tries = 0; tries < 600; tries += 1) {
    if (enough()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(`only ${heard.length} came`);
}
const events = () => heard.filter((one) => one.body.includes('"event-notification"'));

async function subscribe(payload) {
  const made = await ask('POST', 'Subscription', {
    resourceType: 'Subscription',
    status: 'requested',
    reason: 'test',
    criteria: 'https://slotwright.org/fhir/SubscriptionTopic/appointment-booked',
    channel: {
      type: 'rest-hook',
      endpoint: `http://127.0.0.1:${receiver.address().port}/hook`,
      payload,
      _payload: { extension: [{ url: `${backport}/backport-payload-content`, valueCode: 'id-only' }] },
    },
  });
  return made.id;
}

async function secret(id) {
  const answer = await ask('POST', `Subscription/${id}/$rotate-secret`, {
    resourceType: 'Parameters',
    parameter: [{ name: 'kind', valueCode: 'hmac' }],
  });
  return answer.parameter.find((one) => one.name === 'key').valueString;
}

let taken = 0;
async function book() {
  const tomorrow = new Date(Date.now() + 86_400_000).toISOString();
  const found = await ask('GET', `Slot?status=free&start=ge${tomorrow}&_sort=start&_count=20&schedule=Schedule/sched-okafor`);
  const slot = found.entry[taken].resource;
  taken += 1;
  return ask('POST', 'Appointment', {
    resourceType: 'Appointment',
    status: 'booked',
    slot: [{ reference: `Slot/${slot.id}` }],
    start: slot.start,
    end: slot.end,
    participant: [
      { actor: { reference: 'Patient/pat-001' }, status: 'accepted' },
      { actor: { reference: 'Practitioner/dr-okafor' }, status: 'accepted' },
    ],
  });
}

let id;
let webhook;
await check('a handshake comes first', async () => {
  id = await subscribe('application/fhir+json');
  await until(() => heard.length > 0);
  assert.ok(heard[0].body.includes('"handshake"'));
  assert.ok(heard[0].headers['webhook-signature'].startsWith('v1a,'));
  webhook = new Webhook(await secret(id));
});

await check('a booking is verified', async () => {
  const booked = await book();
  await until(() => events().length > 0);
  const bundle = webhook.verify(events()[0].body, events()[0].headers);
  assert.equal(bundle.type, 'history');
  assert.ok(JSON.stringify(bundle).includes(`Appointment/${booked.id}`));
});

await check('what was changed is not verified', async () => {
  const [one] = events();
  assert.throws(() => webhook.verify(one.body.replace('history', 'histories'), one.headers), WebhookVerificationError);
  const other = { ...one.headers, 'webhook-id': `${one.headers['webhook-id']}1` };
  assert.throws(() => webhook.verify(one.body, other), WebhookVerificationError);
  assert.throws(() => new Webhook('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw').verify(one.body, one.headers), WebhookVerificationError);
});

await check('both keys are good while one is replaced', async () => {
  const before = events().length;
  const next = new Webhook(await secret(id));
  await book();
  await until(() => events().length > before);
  const one = events().at(-1);
  webhook.verify(one.body, one.headers);
  next.verify(one.body, one.headers);
});

await check('what did not arrive comes again under its id, and is verified anew', async () => {
  const before = events().length;
  refuse.next = 1;
  await book();
  await until(() => events().length >= before + 2);
  const [first, again] = events().slice(before);
  assert.deepEqual([first.taken, again.taken], [false, true]);
  assert.equal(first.headers['webhook-id'], again.headers['webhook-id']);
  assert.equal(first.body, again.body);
  webhook.verify(again.body, again.headers);
});

if (id) await ask('DELETE', `Subscription/${id}`);
receiver.closeAllConnections();
receiver.close();
console.log(`client standardwebhooks-npm: ${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
