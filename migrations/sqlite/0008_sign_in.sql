-- By which upstream provider (`auth.providers.id`) a session or half a sign-in began; NULL: by none.
ALTER TABLE session ADD COLUMN provider TEXT;
ALTER TABLE sign_in_step ADD COLUMN provider TEXT;

-- Whom an upstream provider knows under which name. Nothing else links an account to a provider.
CREATE TABLE upstream_identity (
    issuer   TEXT NOT NULL,
    subject  TEXT NOT NULL,
    account  TEXT NOT NULL REFERENCES account (id),
    since_us BIGINT NOT NULL,
    last_us  BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX upstream_identity_account ON upstream_identity (account);

-- Sign-ins that went to an upstream provider and did not come back yet. `hash` is made of the state and of the
-- browser's cookie, so another browser finds nothing; nonce and code verifier are made of the same two.
CREATE TABLE upstream_sign_in (
    hash       TEXT NOT NULL PRIMARY KEY,
    provider   TEXT NOT NULL,
    -- The page of ours to go on to.
    back       TEXT NOT NULL,
    -- The provider must have seen the person after this time.
    after_us   BIGINT,
    expires_us BIGINT NOT NULL
);
CREATE INDEX upstream_sign_in_expires ON upstream_sign_in (expires_us);

-- What authenticators know an account by: random, so that it says nothing.
CREATE TABLE passkey_user (
    account TEXT NOT NULL PRIMARY KEY REFERENCES account (id),
    handle  TEXT NOT NULL UNIQUE
);

-- Passkeys: public keys with their counters.
CREATE TABLE passkey (
    id            TEXT NOT NULL PRIMARY KEY,
    account       TEXT NOT NULL REFERENCES account (id),
    -- What the authenticator calls it, base64url.
    credential_id TEXT NOT NULL UNIQUE,
    credential    TEXT NOT NULL,
    name          TEXT NOT NULL,
    made_us       BIGINT NOT NULL,
    last_used_us  BIGINT
);
CREATE INDEX passkey_account ON passkey (account);

-- Challenges that wait for an authenticator's answer, each good once. `hash` is the SHA-256 of the browser's
-- cookie; `kind` says what it is for.
CREATE TABLE passkey_ceremony (
    hash       TEXT NOT NULL PRIMARY KEY,
    kind       TEXT NOT NULL,
    -- Whose it is; NULL: whoever answers.
    account    TEXT REFERENCES account (id),
    state      TEXT NOT NULL,
    expires_us BIGINT NOT NULL
);
CREATE INDEX passkey_ceremony_expires ON passkey_ceremony (expires_us);
