// Drives a sandbox with openid-client (npm): discovery, dynamic registration, launch, booking, refresh, revocation.
//
//   TEST_NODE_MODULES=… node openid_client.mjs smart.json

import assert from 'node:assert/strict';
import * as support from './support.mjs';

const { config } = support;
const { check, finish } = support.checks('openid-client');
const openid = await support.loadModule('openid-client', 'build', 'index.js');
const { clients, accounts } = config;
const issuer = new URL(config.origin);
const discovery = { execute: [openid.allowInsecureRequests] };
const scope =
  'openid fhirUser offline_access launch/patient patient/Patient.rs patient/Slot.rs patient/Appointment.crus';

const server = await support.serveCallback();
const chromium = await support.browser();
const patient = await support.Person.at(chromium, accounts.patient);

async function privateKey({ privateJwk }) {
  const { alg, kid } = privateJwk;
  const kind =
    alg === 'ES384'
      ? { name: 'ECDSA', namedCurve: 'P-384' }
      : { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-384' };
  return { kid, key: await crypto.subtle.importKey('jwk', privateJwk, kind, false, ['sign']) };
}

/** A launch of the application: its tokens, as the library validated them. */
async function launch(client, redirectUri, { wanted = scope, ...answers } = {}) {
  const pkceCodeVerifier = openid.randomPKCECodeVerifier();
  const expectedState = openid.randomState();
  const expectedNonce = openid.randomNonce();
  const url = openid.buildAuthorizationUrl(client, {
    redirect_uri: redirectUri,
    scope: wanted,
    aud: config.base,
    state: expectedState,
    nonce: expectedNonce,
    code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
  });
  const arrived = await patient.authorize(url, answers);
  const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true };
  return openid.authorizationCodeGrant(client, arrived, checks);
}
async function refused(status, error, call) {
  await assert.rejects(call, (caught) => {
    assert.equal(caught.error, error, caught.stack);
    assert.equal(caught.status, status);
    return true;
  });
}

/** Everything that an application for people does, with its registration. */
async function wholeLife(name, client, redirectUri) {
  let granted;
  await check(`${name}: is launched, with a valid id_token`, async () => {
    // The signature too, which the library takes on trust when it comes straight from the token endpoint.
    openid.enableNonRepudiationChecks(client);
    granted = await launch(client, redirectUri);
    support.sameScopes(granted.scope, scope);
    assert.equal(`Patient/${granted.patient}`, accounts.patient.fhirUser);
    assert.equal(granted.claims().fhirUser, `${config.base}/${accounts.patient.fhirUser}`);
    assert.equal(granted.claims().aud, client.clientMetadata().client_id);
  });
  await check(`${name}: books, and the slot is busy`, async () => {
    await support.book(granted.access_token, granted.patient, 'dr-lindqvist');
  });
  await check(`${name}: reads the patient through the library`, async () => {
    const url = new URL(`${config.base}/${accounts.patient.fhirUser}`);
    const answer = await openid.fetchProtectedResource(client, granted.access_token, url, 'GET');
    assert.equal(answer.status, 200);
    assert.equal((await answer.json()).id, granted.patient);
  });
  await check(`${name}: refreshes, and a refresh token that is used again ends its family`, async () => {
    const next = await openid.refreshTokenGrant(client, granted.refresh_token);
    assert.notEqual(next.refresh_token, granted.refresh_token);
    await support.isAlive(next.access_token);
    await refused(400, 'invalid_grant', () => openid.refreshTokenGrant(client, granted.refresh_token));
    await refused(400, 'invalid_grant', () => openid.refreshTokenGrant(client, next.refresh_token));
    await support.isDead(next.access_token);
    await support.isDead(granted.access_token);
  });
  await check(`${name}: gives its tokens back`, async () => {
    const again = await launch(client, redirectUri);
    await support.isAlive(again.access_token);
    await openid.tokenRevocation(client, again.refresh_token);
    await support.isDead(again.access_token);
    await refused(400, 'invalid_grant', () => openid.refreshTokenGrant(client, again.refresh_token));
  });
}

const { public: open, secret, key } = clients;
const kinds = {
  public: [open, undefined, openid.None()],
  'secret in a header': [secret, secret.secret, openid.ClientSecretBasic(secret.secret)],
  'secret in the form': [secret, secret.secret, openid.ClientSecretPost(secret.secret)],
  key: [key, undefined, openid.PrivateKeyJwt(await privateKey(key))],
};
for (const [name, [client, metadata, proof]] of Object.entries(kinds)) {
  const discovered = await openid.discovery(issuer, client.id, metadata, proof, discovery);
  await wholeLife(name, discovered, client.redirectUri);
}

// --- registration -------------------------------------------------------------------------------------------

const redirectUri = `${config.app}/registered/`;
const metadata = {
  client_name: 'Self-registered test app',
  redirect_uris: [redirectUri],
  token_endpoint_auth_method: 'client_secret_basic',
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
};
const uninvited = (wanted, options) =>
  assert.rejects(openid.dynamicClientRegistration(issuer, wanted, undefined, options), (caught) => {
    assert.equal(caught.status, 401, caught.stack);
    return true;
  });
await check('nobody registers an application without an invitation', async () => {
  for (const initialAccessToken of [undefined, 'guessed']) {
    await uninvited({ ...metadata, scope }, { ...discovery, initialAccessToken });
  }
});
const invited = { ...discovery, initialAccessToken: config.invitation };
let registered;
await check('whoever is invited registers an application, for no more than the invitation says', async () => {
  const wanted = { ...metadata, scope: `${scope} user/Patient.rs` };
  registered = await openid.dynamicClientRegistration(issuer, wanted, undefined, invited);
  const made = registered.clientMetadata();
  assert.ok(made.client_secret);
  support.sameScopes(made.scope, scope);
});
await check('an invitation is good once', async () => {
  await uninvited({ ...metadata, scope }, invited);
});
if (registered) await wholeLife('self-registered', registered, redirectUri);

// --- Backend Services ---------------------------------------------------------------------------------------

const proof = openid.PrivateKeyJwt(await privateKey(clients.system));
const system = await openid.discovery(issuer, clients.system.id, undefined, proof, discovery);
let token;
await check('a system client gets a token by its key and books', async () => {
  token = await openid.clientCredentialsGrant(system, { scope: clients.system.scope });
  support.sameScopes(token.scope, clients.system.scope);
  assert.equal(token.refresh_token, undefined);
  await support.book(token.access_token, 'pat-012', 'dr-lindqvist');
});
await check('a system client asks what its token means, and gives it back', async () => {
  const told = await openid.tokenIntrospection(system, token.access_token);
  assert.equal(told.active, true);
  assert.equal(told.sub, clients.system.id);
  await openid.tokenRevocation(system, token.access_token);
  assert.equal((await openid.tokenIntrospection(system, token.access_token)).active, false);
  await support.isDead(token.access_token);
});
await check('a client for people gets no token for itself', async () => {
  const own = await openid.discovery(issuer, key.id, undefined, kinds.key[2], discovery);
  await refused(400, 'unauthorized_client', () => openid.clientCredentialsGrant(own, { scope: 'system/Slot.rs' }));
});

await chromium.close();
server.close();
finish();
