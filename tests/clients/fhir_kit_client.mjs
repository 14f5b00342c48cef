// Drives a sandbox server with fhir-kit-client (npm).
//
//   TEST_NODE_MODULES=… node fhir_kit_client.mjs http://127.0.0.1:8080/fhir
//
// Every check is one sentence; the last line counts them.

import assert from 'node:assert/strict';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const modules = process.env.TEST_NODE_MODULES;
const entry = pathToFileURL(path.join(modules, 'fhir-kit-client', 'dist', 'index.js'));
const { Client, CapabilityTool, RESPONSE_KEY } = await import(entry);

const baseUrl = process.argv[2];
const fhir = new Client({ baseUrl });
const run = `kit-${Date.now()}`;
const identifier = { system: 'https://slotwright.org/tests/clients', value: run };

let passed = 0;
let failed = 0;
async function check(sentence, body) {
  try {
    await body();
    passed += 1;
  } catch (error) {
    failed += 1;
    console.log(`FAILED fhir-kit-client: ${sentence}\n  ${error.stack}`);
    if (error.response) console.log(`  ${error.response.status} ${JSON.stringify(error.response.data)}`);
  }
}

/** Headers of the answer that a resource came in. */
const response = (resource) => resource[RESPONSE_KEY];
/** Asserts that a request is refused with `status`, and gives the OperationOutcome. */
async function refused(status, promise) {
  let error;
  try {
    await promise;
  } catch (caught) {
    error = caught;
  }
  assert.ok(error, 'the request was not refused');
  assert.equal(error.response?.status, status, JSON.stringify(error.response?.data ?? String(error)));
  assert.equal(error.response.data.resourceType, 'OperationOutcome');
  return error.response.data;
}
const resources = (bundle) => (bundle.entry ?? []).map((e) => e.resource);
const diagnostics = (outcome) => outcome.issue.map((i) => i.diagnostics).join('\n');

/** A free slot of a schedule, from tomorrow on. */
async function freeSlot(schedule, skip = 0) {
  const tomorrow = new Date(Date.now() + 86_400_000).toISOString();
  const bundle = await fhir.search({
    resourceType: 'Slot',
    searchParams: {
      schedule: `Schedule/${schedule}`,
      status: 'free',
      start: `ge${tomorrow}`,
      _sort: 'start',
      _count: skip + 1,
    },
  });
  return resources(bundle)[skip];
}
const booking = (slot, patient, practitioner) => ({
  resourceType: 'Appointment',
  status: 'booked',
  slot: [{ reference: `Slot/${slot.id}` }],
  start: slot.start,
  end: slot.end,
  participant: [
    { actor: { reference: `Patient/${patient}` }, status: 'accepted' },
    { actor: { reference: `Practitioner/${practitioner}` }, status: 'accepted' },
  ],
});

let patient;

await check('the capability statement names what the client needs', async () => {
  const statement = await fhir.capabilityStatement();
  assert.equal(statement.fhirVersion, '4.0.1');
  const tool = new CapabilityTool(statement);
  for (const interaction of ['transaction', 'batch', 'history-system', 'search-system']) {
    assert.ok(tool.serverCan(interaction), interaction);
  }
  for (const interaction of ['read', 'vread', 'create', 'update', 'patch', 'delete', 'search-type', 'history-instance']) {
    assert.ok(tool.resourceCan('Appointment', interaction), interaction);
  }
  assert.ok(tool.resourceSearch('Slot', 'start'));
});

await check('a resource is created and the answer says where', async () => {
  patient = await fhir.create({
    resourceType: 'Patient',
    body: { resourceType: 'Patient', identifier: [identifier], name: [{ family: 'Kit', given: ['Ada'] }] },
  });
  assert.equal(response(patient).status, 201);
  assert.match(response(patient).headers.get('location'), new RegExp(`Patient/${patient.id}/_history/1$`));
  assert.equal(patient.meta.versionId, '1');
});

await check('it is read back', async () => {
  const read = await fhir.read({ resourceType: 'Patient', id: patient.id });
  assert.deepEqual(read, patient);
  assert.equal(response(read).headers.get('etag'), 'W/"1"');
});

await check('an update makes a new version', async () => {
  const body = { ...patient, birthDate: '1990-02-28' };
  const updated = await fhir.update({ resourceType: 'Patient', id: patient.id, body });
  assert.equal(updated.meta.versionId, '2');
  assert.equal(updated.birthDate, '1990-02-28');
});

await check('an update of an old version is refused', async () => {
  const options = { headers: { 'If-Match': 'W/"1"' } };
  await refused(412, fhir.update({ resourceType: 'Patient', id: patient.id, body: patient, options }));
});

await check('both versions can be read', async () => {
  const first = await fhir.vread({ resourceType: 'Patient', id: patient.id, version: '1' });
  assert.equal(first.birthDate, undefined);
  const second = await fhir.vread({ resourceType: 'Patient', id: patient.id, version: '2' });
  assert.equal(second.birthDate, '1990-02-28');
});

await check('a JSON Patch changes one element', async () => {
  const jsonPatch = [{ op: 'add', path: '/gender', value: 'female' }];
  const patched = await fhir.patch({ resourceType: 'Patient', id: patient.id, jsonPatch });
  assert.equal(patched.gender, 'female');
  assert.equal(patched.meta.versionId, '3');
});

await check('a patch whose test fails changes nothing', async () => {
  const jsonPatch = [
    { op: 'test', path: '/gender', value: 'male' },
    { op: 'remove', path: '/gender' },
  ];
  await assert.rejects(fhir.patch({ resourceType: 'Patient', id: patient.id, jsonPatch }));
  assert.equal((await fhir.read({ resourceType: 'Patient', id: patient.id })).gender, 'female');
});

await check('the history lists the versions, newest first', async () => {
  const history = await fhir.history({ resourceType: 'Patient', id: patient.id });
  assert.equal(history.type, 'history');
  assert.deepEqual(resources(history).map((r) => r.meta.versionId), ['3', '2', '1']);
});

await check('type and system have a history', async () => {
  assert.ok(resources(await fhir.history({ resourceType: 'Patient' })).length > 0);
  assert.ok(resources(await fhir.history()).length > 0);
});

await check('a conditional create finds the one that is there', async () => {
  const options = { headers: { 'If-None-Exist': `identifier=${identifier.system}|${identifier.value}` } };
  const body = { resourceType: 'Patient', identifier: [identifier] };
  const found = await fhir.create({ resourceType: 'Patient', body, options });
  assert.equal(response(found).status, 200);
  assert.equal(found.id, patient.id);
});

await check('a conditional update changes the one that matches', async () => {
  const searchParams = { identifier: `${identifier.system}|${identifier.value}` };
  const body = { resourceType: 'Patient', identifier: [identifier], active: true };
  const updated = await fhir.update({ resourceType: 'Patient', searchParams, body });
  assert.equal(updated.id, patient.id);
  assert.equal(updated.active, true);
});

await check('search by GET and by POST agree', async () => {
  const searchParams = { identifier: `${identifier.system}|${identifier.value}` };
  const get = await fhir.search({ resourceType: 'Patient', searchParams });
  const post = await fhir.search({ resourceType: 'Patient', searchParams, options: { postSearch: true } });
  assert.deepEqual(resources(get).map((r) => r.id), [patient.id]);
  assert.deepEqual(resources(post).map((r) => r.id), [patient.id]);
});

await check('pages follow each other without a gap', async () => {
  let page = await fhir.search({ resourceType: 'Practitioner', searchParams: { _count: 5, _sort: 'family' } });
  const seen = [];
  while (page) {
    seen.push(...resources(page).map((r) => r.id));
    page = await fhir.nextPage({ bundle: page });
  }
  assert.equal(new Set(seen).size, seen.length);
  assert.ok(seen.length >= 12, `${seen.length} practitioners`);
});

await check('a search includes what its matches refer to', async () => {
  const bundle = await fhir.search({
    resourceType: 'Schedule',
    searchParams: { actor: 'Practitioner/dr-okafor', _include: 'Schedule:actor' },
  });
  const modes = bundle.entry.map((e) => `${e.search.mode} ${e.resource.resourceType}`);
  assert.ok(modes.includes('match Schedule') && modes.includes('include Practitioner'), String(modes));
});

await check("a patient's compartment has their appointments", async () => {
  const bundle = await fhir.search({
    resourceType: 'Appointment',
    compartment: { resourceType: 'Patient', id: 'pat-001' },
  });
  for (const appointment of resources(bundle)) {
    assert.ok(JSON.stringify(appointment.participant).includes('Patient/pat-001'));
  }
});

await check('a reference is resolved', async () => {
  const slot = await freeSlot('sched-okafor');
  const schedule = await fhir.resolve({ reference: slot.schedule.reference });
  assert.equal(schedule.resourceType, 'Schedule');
});

await check('$validate says what is wrong and where', async () => {
  const body = { resourceType: 'Slot', status: 'open', start: '2026-02-30T09:00:00Z' };
  let outcome;
  try {
    outcome = await fhir.operation({ name: 'validate', resourceType: 'Slot', input: body });
  } catch (error) {
    outcome = error.response.data;
  }
  assert.equal(outcome.resourceType, 'OperationOutcome');
  assert.ok(outcome.issue.filter((i) => i.severity === 'error').length >= 3, JSON.stringify(outcome));
});

await check('a booking makes the slot busy, and a cancellation frees it', async () => {
  const slot = await freeSlot('sched-okafor');
  const appointment = await fhir.create({
    resourceType: 'Appointment',
    body: booking(slot, patient.id, 'dr-okafor'),
  });
  assert.equal((await fhir.read({ resourceType: 'Slot', id: slot.id })).status, 'busy');
  const jsonPatch = [{ op: 'replace', path: '/status', value: 'cancelled' }];
  await fhir.patch({ resourceType: 'Appointment', id: appointment.id, jsonPatch });
  assert.equal((await fhir.read({ resourceType: 'Slot', id: slot.id })).status, 'free');
});

await check('a double booking is refused with 409 naming slot and actor', async () => {
  const slot = await freeSlot('sched-okafor');
  await fhir.create({ resourceType: 'Appointment', body: booking(slot, 'pat-001', 'dr-okafor') });
  const outcome = await refused(
    409,
    fhir.create({ resourceType: 'Appointment', body: booking(slot, 'pat-002', 'dr-okafor') }),
  );
  assert.match(diagnostics(outcome), new RegExp(`Slot/${slot.id}`));
  assert.match(diagnostics(outcome), /Practitioner\/dr-okafor/);
});

await check('of many who want one slot at once, one gets it', async () => {
  const slot = await freeSlot('sched-okafor');
  const attempts = Array.from({ length: 20 }, (_, n) =>
    fhir.create({
      resourceType: 'Appointment',
      body: booking(slot, `pat-${String(n + 10).padStart(3, '0')}`, 'dr-okafor'),
    }),
  );
  const outcomes = await Promise.allSettled(attempts);
  const won = outcomes.filter((o) => o.status === 'fulfilled').length;
  const lost = outcomes.filter((o) => o.reason?.response?.status === 409).length;
  assert.deepEqual({ won, lost }, { won: 1, lost: 19 });
});

await check('a batch carries out each entry on its own', async () => {
  const body = {
    resourceType: 'Bundle',
    type: 'batch',
    entry: [
      { request: { method: 'GET', url: `Patient/${patient.id}` } },
      { request: { method: 'GET', url: 'Patient/nobody-of-this-name' } },
    ],
  };
  const bundle = await fhir.batch({ body });
  assert.equal(bundle.type, 'batch-response');
  assert.deepEqual(bundle.entry.map((e) => e.response.status.slice(0, 3)), ['200', '404']);
});

await check('a transaction resolves urn:uuid references', async () => {
  const slot = await freeSlot('sched-ramirez');
  const newcomer = 'urn:uuid:6a4fa0a5-3f0b-4c5e-9d5c-0f9a6e1d2c3b';
  const appointment = booking(slot, 'replaced', 'dr-ramirez');
  appointment.participant[0].actor.reference = newcomer;
  const body = {
    resourceType: 'Bundle',
    type: 'transaction',
    entry: [
      { request: { method: 'POST', url: 'Appointment' }, resource: appointment },
      {
        fullUrl: newcomer,
        request: { method: 'POST', url: 'Patient' },
        resource: { resourceType: 'Patient', name: [{ family: 'Newcomer' }] },
      },
    ],
  };
  const bundle = await fhir.transaction({ body });
  assert.equal(bundle.type, 'transaction-response');
  const [, id] = bundle.entry[0].response.location.match(/Appointment\/([^/]+)/);
  const stored = await fhir.read({ resourceType: 'Appointment', id });
  assert.match(stored.participant[0].actor.reference, /^Patient\//);
});

await check('a transaction with one bad entry leaves nothing behind', async () => {
  const value = `${run}-rolled-back`;
  const body = {
    resourceType: 'Bundle',
    type: 'transaction',
    entry: [
      {
        request: { method: 'POST', url: 'Patient' },
        resource: { resourceType: 'Patient', identifier: [{ system: identifier.system, value }] },
      },
      { request: { method: 'PUT', url: 'Slot/nonsense' }, resource: { resourceType: 'Slot', id: 'nonsense' } },
    ],
  };
  await assert.rejects(fhir.transaction({ body }));
  const found = await fhir.search({ resourceType: 'Patient', searchParams: { identifier: value } });
  assert.deepEqual(resources(found).filter((r) => r.resourceType === 'Patient'), []);
});

await check('a deleted resource is gone, and its history is not', async () => {
  await fhir.delete({ resourceType: 'Patient', id: patient.id }).catch(async (error) => {
    // Its cancelled appointment still refers to it; then it can't be deleted.
    assert.equal(error.response?.status, 409);
    patient = await fhir.create({ resourceType: 'Patient', body: { resourceType: 'Patient' } });
    await fhir.delete({ resourceType: 'Patient', id: patient.id });
  });
  await refused(410, fhir.read({ resourceType: 'Patient', id: patient.id }));
  const history = await fhir.history({ resourceType: 'Patient', id: patient.id });
  assert.equal(history.entry[0].request.method, 'DELETE');
});

await check('what does not exist is 404 with an OperationOutcome', async () => {
  await refused(404, fhir.read({ resourceType: 'Patient', id: 'nobody-of-this-name' }));
});

await check('a resource with several mistakes is refused with all of them', async () => {
  const body = { resourceType: 'Patient', gender: 'unknowable', birthDate: '1990-13-01' };
  let outcome;
  try {
    await fhir.create({ resourceType: 'Patient', body });
  } catch (error) {
    assert.ok([400, 422].includes(error.response?.status), String(error.response?.status));
    outcome = error.response.data;
  }
  const expressions = outcome.issue.flatMap((i) => i.expression ?? []).join(' ');
  assert.match(expressions, /Patient\.gender/);
  assert.match(expressions, /Patient\.birthDate/);
});

console.log(`client fhir-kit-client: ${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
