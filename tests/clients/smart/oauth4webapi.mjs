// Drives a sandbox with oauth4webapi (npm), which is strict about what servers answer.
//
//   TEST_NODE_MODULES=… node oauth4webapi.mjs smart.json

import assert from 'node:assert/strict';
import { assertion } from './backend.mjs';
import * as support from './support.mjs';

const { config } = support;
const { check, finish } = support.checks('oauth4webapi');
const oauth = await support.loadModule('oauth4webapi', 'build', 'index.js');
const { clients, accounts } = config;
const insecure = { [oauth.allowInsecureRequests]: true };
const issuer = new URL(config.origin);
const scope =
  'openid fhirUser offline_access launch/patient patient/Patient.rs patient/Slot.rs patient/Appointment.crus';

const server = await support.serveCallback();
const chromium = await support.browser();
const patient = await support.Person.at(chromium, accounts.patient);

/** A private JWK as the library takes it. */
async function privateKey({ privateJwk }) {
  const { alg, kid } = privateJwk;
  const kind =
    alg === 'ES384'
      ? { name: 'ECDSA', namedCurve: 'P-384' }
      : { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-384' };
  return { kid, key: await crypto.subtle.importKey('jwk', privateJwk, kind, false, ['sign']) };
}

let as;
await check('the server is discovered as an OpenID provider', async () => {
  const response = await oauth.discoveryRequest(issuer, { algorithm: 'oidc', ...insecure });
  as = await oauth.processDiscoveryResponse(issuer, response);
  assert.ok(as.code_challenge_methods_supported.includes('S256'));
});
await check('SMART and OpenID discovery agree', async () => {
  const response = await fetch(`${config.base}/.well-known/smart-configuration`);
  assert.equal(response.status, 200);
  const configuration = await response.json();
  for (const name of ['issuer', 'jwks_uri', 'authorization_endpoint', 'token_endpoint', 'revocation_endpoint']) {
    assert.equal(configuration[name], as[name], name);
  }
});

/** An authorization code, by the library's checks of the answer. */
async function code(client, { answers, wanted = scope } = {}) {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const nonce = oauth.generateRandomNonce();
  const url = new URL(as.authorization_endpoint);
  url.search = new URLSearchParams({
    client_id: client.id,
    redirect_uri: client.redirectUri,
    response_type: 'code',
    scope: wanted,
    aud: config.base,
    state,
    nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  });
  const arrived = await patient.authorize(url, answers);
  const parameters = oauth.validateAuthResponse(as, { client_id: client.id }, arrived, state);
  return { parameters, verifier, nonce };
}
const answered = async (client, proof, given, verifier = given.verifier) =>
  oauth.authorizationCodeGrantRequest(
    as,
    { client_id: client.id },
    proof,
    given.parameters,
    client.redirectUri,
    verifier,
    insecure,
  );
/** Tokens for a code; the library validates the id_token against discovery. */
async function tokens(client, proof, given) {
  const response = await answered(client, proof, given);
  const result = await oauth.processAuthorizationCodeResponse(as, { client_id: client.id }, response, {
    expectedNonce: given.nonce,
    requireIdToken: true,
  });
  await oauth.validateApplicationLevelSignature(as, response, insecure);
  return { ...result, claims: oauth.getValidatedIdTokenClaims(result) };
}
async function refreshed(client, proof, token, additionalParameters) {
  const own = { client_id: client.id };
  const options = { ...insecure, additionalParameters };
  const response = await oauth.refreshTokenGrantRequest(as, own, proof, token, options);
  return oauth.processRefreshTokenResponse(as, own, response);
}
async function revoke(client, proof, token) {
  const response = await oauth.revocationRequest(as, { client_id: client.id }, proof, token, insecure);
  await oauth.processRevocationResponse(response);
}
async function introspect(client, proof, token) {
  const own = { client_id: client.id };
  const response = await oauth.introspectionRequest(as, own, proof, token, insecure);
  return oauth.processIntrospectionResponse(as, own, response);
}
/** Insists that the server answers with an OAuth error. */
async function refused(status, error, call) {
  const caught = await call().then(() => assert.fail('the request was not refused'), (reason) => reason);
  // The library does not read the body of an answer that has a challenge.
  const told = caught instanceof oauth.WWWAuthenticateChallengeError ? await caught.response.json() : caught;
  assert.equal(told.error, error, caught.stack);
  assert.equal(caught.status, status);
}

const systemProof = oauth.PrivateKeyJwt(await privateKey(clients.system));
const proofs = {
  public: oauth.None(),
  secret: oauth.ClientSecretBasic(clients.secret.secret),
  key: oauth.PrivateKeyJwt(await privateKey(clients.key)),
};
for (const [name, proof] of Object.entries(proofs)) {
  const client = clients[name];
  let granted;
  await check(`${name}: a code becomes tokens with a valid id_token`, async () => {
    const started = Math.floor(Date.now() / 1000);
    granted = await tokens(client, proof, await code(client));
    support.sameScopes(granted.scope, scope);
    assert.equal(`Patient/${granted.patient}`, accounts.patient.fhirUser);
    assert.equal(granted.claims.iss, config.origin);
    assert.equal(granted.claims.aud, client.id);
    assert.equal(granted.claims.fhirUser, `${config.base}/${accounts.patient.fhirUser}`);
    assert.ok(granted.claims.auth_time <= started + 60);
  });
  await check(`${name}: books, and the slot is busy`, async () => {
    await support.book(granted.access_token, granted.patient, 'dr-whitfield');
  });
  await check(`${name}: refreshes, with fewer scopes if it wants`, async () => {
    const all = await refreshed(client, proof, granted.refresh_token);
    assert.notEqual(all.refresh_token, granted.refresh_token);
    support.sameScopes(all.scope, scope);
    const fewer = await refreshed(client, proof, all.refresh_token, { scope: 'patient/Patient.rs offline_access' });
    support.sameScopes(fewer.scope, 'patient/Patient.rs offline_access');
    assert.equal((await support.fhir(fewer.access_token, accounts.patient.fhirUser)).status, 200);
    assert.equal((await support.fhir(fewer.access_token, 'Slot?_count=1')).status, 403);
    granted = { ...granted, spent: granted.refresh_token, ...fewer };
  });
  await check(`${name}: does not refresh into more than was granted`, async () => {
    const more = { scope: `${scope} patient/Encounter.rs` };
    await refused(400, 'invalid_scope', () => refreshed(client, proof, granted.refresh_token, more));
  });
  await check(`${name}: what a token means is told until it is revoked`, async () => {
    const told = await introspect(clients.system, systemProof, granted.access_token);
    assert.equal(told.active, true);
    assert.equal(told.client_id, client.id);
    assert.equal(told.patient, granted.patient);
    await revoke(client, proof, granted.access_token);
    assert.deepEqual({ ...(await introspect(clients.system, systemProof, granted.access_token)) }, { active: false });
    await support.isDead(granted.access_token);
  });
  await check(`${name}: a refresh token that is used again ends its family`, async () => {
    const last = await refreshed(client, proof, granted.refresh_token);
    await support.fhir(last.access_token, accounts.patient.fhirUser).then(({ status }) => assert.equal(status, 200));
    await refused(400, 'invalid_grant', () => refreshed(client, proof, granted.spent));
    await support.isDead(last.access_token);
    await refused(400, 'invalid_grant', () => refreshed(client, proof, last.refresh_token));
  });
  await check(`${name}: a code is good once, and its second use ends what came of its first`, async () => {
    const given = await code(client);
    const got = await tokens(client, proof, given);
    await support.isAlive(got.access_token);
    const again = await answered(client, proof, given);
    assert.equal(again.status, 400);
    assert.equal((await again.json()).error, 'invalid_grant');
    await support.isDead(got.access_token);
  });
  await check(`${name}: a code without its verifier is good for nothing`, async () => {
    const other = oauth.generateRandomCodeVerifier();
    const response = await answered(client, proof, await code(client), other);
    assert.equal(response.status, 400);
    assert.equal((await response.json()).error, 'invalid_grant');
  });
}

await check('a person who says no is told to the application', async () => {
  await assert.rejects(code(clients.public, { answers: { deny: true } }), (caught) => {
    assert.equal(caught.code, 'OAUTH_AUTHORIZATION_RESPONSE_ERROR');
    assert.equal(caught.error, 'access_denied');
    return true;
  });
});
await check('the tokens of one client are of no use to another', async () => {
  const granted = await tokens(clients.public, proofs.public, await code(clients.public));
  await refused(400, 'invalid_grant', () => refreshed(clients.secret, proofs.secret, granted.refresh_token));
  assert.deepEqual({ ...(await introspect(clients.secret, proofs.secret, granted.access_token)) }, { active: false });
  await support.isAlive(granted.access_token);
  await revoke(clients.public, proofs.public, granted.refresh_token);
  await support.isDead(granted.access_token);
});

// --- Backend Services ---------------------------------------------------------------------------------------

async function clientCredentials(proof, wanted) {
  const own = { client_id: clients.system.id };
  const parameters = new URLSearchParams({ scope: wanted });
  const response = await oauth.clientCredentialsGrantRequest(as, own, proof, parameters, insecure);
  return oauth.processClientCredentialsResponse(as, own, response);
}
let system;
await check('a system client gets a short token by its key, and no refresh token', async () => {
  system = await clientCredentials(systemProof, clients.system.scope);
  support.sameScopes(system.scope, clients.system.scope);
  assert.ok(system.expires_in > 0 && system.expires_in <= 300);
  assert.equal(system.refresh_token, undefined);
  assert.equal(system.patient, undefined);
});
await check('the audience of an assertion may be the token endpoint, as SMART has it', async () => {
  const key = await privateKey(clients.system);
  const proof = oauth.PrivateKeyJwt(key, {
    [oauth.modifyAssertion](_header, payload) {
      payload.aud = as.token_endpoint;
    },
  });
  await support.isAlive((await clientCredentials(proof, 'system/Slot.rs')).access_token);
});
await check('a system client books, and the slot is busy', async () => {
  await support.book(system.access_token, 'pat-011', 'dr-whitfield');
});
await check('a system client gets no more than it is registered for', async () => {
  const some = await clientCredentials(systemProof, 'system/Slot.rs system/Encounter.rs');
  support.sameScopes(some.scope, 'system/Slot.rs');
  assert.equal((await support.fhir(some.access_token, 'Appointment?_count=1')).status, 403);
  await refused(400, 'invalid_scope', () => clientCredentials(systemProof, 'system/Encounter.rs'));
});
await check('a system client gives its token back', async () => {
  await support.isAlive(system.access_token);
  await revoke(clients.system, systemProof, system.access_token);
  await support.isDead(system.access_token);
});
await check('an assertion is good once', async () => {
  const jwt = assertion(clients.system);
  const once = (_as, _client, body) => {
    body.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer');
    body.set('client_assertion', jwt);
  };
  await clientCredentials(once, 'system/Slot.rs');
  await refused(401, 'invalid_client', () => clientCredentials(once, 'system/Slot.rs'));
});
await check('a key that was not registered proves nothing', async () => {
  const { privateKey: stranger } = await oauth.generateKeyPair('ES384');
  const proof = oauth.PrivateKeyJwt({ key: stranger, kid: clients.system.privateJwk.kid });
  await refused(401, 'invalid_client', () => clientCredentials(proof, 'system/Slot.rs'));
});

await chromium.close();
server.close();
finish();
