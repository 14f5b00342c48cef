// SMART Backend Services for drivers that need a token of the system client beside what they test.

import assert from 'node:assert/strict';
import { createPrivateKey, randomUUID, sign } from 'node:crypto';
import { config } from './support.mjs';

const encoded = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A client assertion of a registered client, for an audience. `claims` and `header` replace what is usual. */
export function assertion({ id, privateJwk }, { audience, claims = {}, header = {} } = {}) {
  const now = Math.floor(Date.now() / 1000);
  const usual = { iss: id, sub: id, aud: audience ?? `${config.origin}/oauth/token`, jti: randomUUID(), exp: now + 240 };
  const signed = `${encoded({ typ: 'JWT', alg: privateJwk.alg, kid: privateJwk.kid, ...header })}.${encoded({ ...usual, ...claims })}`;
  const key = { key: createPrivateKey({ key: privateJwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' };
  return `${signed}.${sign('sha384', signed, key).toString('base64url')}`;
}

/** A token answer for the system client. */
export async function systemToken(scope) {
  const response = await fetch(`${config.origin}/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      scope,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion(config.clients.system),
    }),
  });
  const body = await response.json();
  assert.equal(response.status, 200, JSON.stringify(body));
  return body;
}
