// Prepares a sandbox for the SMART clients: accounts, registered applications, their keys, all by the command line.
//
//   node register.mjs BINARY http://127.0.0.1:8080 OUT.json
//
// The environment names the sandbox's database and keys as settings do. OUT.json is what the drivers read.

import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';

const [binary, origin, out] = process.argv.slice(2);

/** Runs the binary and gives its output. */
function slotwright(args, input = '') {
  return execFileSync(binary, args, { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'inherit'] });
}

/** A port that nobody listens on. */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** A key pair as JWKs. */
function keyPair(alg) {
  const pair =
    alg === 'ES384'
      ? generateKeyPairSync('ec', { namedCurve: 'P-384' })
      : generateKeyPairSync('rsa', { modulusLength: 2048 });
  const named = { alg, kid: `${alg}-${randomUUID()}` };
  return {
    publicJwk: { ...pair.publicKey.export({ format: 'jwk' }), ...named, use: 'sig' },
    privateJwk: { ...pair.privateKey.export({ format: 'jwk' }), ...named },
  };
}

/** The file of a key set, for the command line. */
function keyFile(jwk) {
  const file = path.join(path.dirname(out), `${jwk.kid}.json`);
  writeFileSync(file, JSON.stringify({ keys: [jwk] }));
  return file;
}

function account(username, name, role, fhirUser) {
  const password = `quiet harbor ${randomUUID()}`;
  const args = ['user', 'add', username, '--name', name, '--role', role, '--fhir-user', fhirUser, '--password-stdin'];
  slotwright(args, password);
  return { username, password, name, role, fhirUser };
}

function client(name, scope, { auth = 'none', alg, system = false, redirects = [], launchUri, flags = [] } = {}) {
  const args = ['client', 'add', '--name', name, '--scope', scope, '--auth', auth, ...flags];
  if (system) args.push('--system');
  for (const uri of redirects) args.push('--redirect-uri', uri);
  if (launchUri) args.push('--launch-uri', launchUri);
  const keys = auth === 'key' ? keyPair(alg) : undefined;
  const file = keys && keyFile(keys.publicJwk);
  if (file) args.push('--jwks', file);
  const printed = slotwright(args);
  if (file) rmSync(file);
  const line = (label) => printed.match(new RegExp(`^${label}: (.+)$`, 'm'))?.[1];
  const made = { id: line('client_id'), secret: line('client_secret'), name, scope, ...keys };
  if (!made.id || (auth === 'secret') !== Boolean(made.secret)) throw new Error(`client add printed ${printed}`);
  return { ...made, redirectUri: redirects[0] };
}

const run = randomUUID().slice(0, 8);
const app = `http://127.0.0.1:${await freePort()}`;
const forPatients =
  'openid fhirUser launch/patient offline_access online_access patient/Patient.rs patient/Appointment.crus ' +
  'patient/Slot.rs patient/Schedule.rs patient/Practitioner.rs';
const forStaff =
  'openid fhirUser launch launch/patient offline_access user/Patient.rs user/Appointment.crus user/Slot.rs ' +
  'user/Schedule.rs user/Practitioner.rs';
const forSystems = 'system/Appointment.crus system/Slot.rs system/Patient.rs';
const at = (name) => ({ redirects: [`${app}/${name}/`], launchUri: `${app}/${name}/launch` });

const config = {
  origin,
  base: `${origin}/fhir`,
  app,
  run,
  accounts: {
    patient: account(`patient-${run}`, 'Pat Ient', 'patient', 'Patient/pat-007'),
    staff: account(`desk-${run}`, 'Front Desk', 'scheduler', 'Practitioner/dr-okafor'),
  },
  clients: {
    public: client('Public test app', forPatients, at('public')),
    secret: client('Secret test app', forPatients, { auth: 'secret', ...at('secret') }),
    key: client('Key test app', forPatients, { auth: 'key', alg: 'ES384', ...at('key') }),
    ehr: client('EHR-launched test app', forStaff, at('ehr')),
    system: client('System test client', forSystems, {
      auth: 'key',
      alg: 'RS384',
      system: true,
      flags: ['--may-introspect', '--may-launch'],
    }),
  },
  invitation: slotwright(['client', 'invite', '--scope', forPatients]).trim(),
};
writeFileSync(out, JSON.stringify(config, null, 2), { mode: 0o600 });
