-- By which upstream provider (`auth.providers.id`) a session or half a sign-in began; NULL: by none.
ALTER TABLE session ADD COLUMN provider TEXT COLLATE "C";
ALTER TABLE sign_in_step ADD COLUMN provider TEXT COLLATE "C";

-- Whom an upstream provider knows under which name. Nothing else links an account to a provider.
CREATE TABLE upstream_identity (
    issuer   TEXT COLLATE "C" NOT NULL,
    subject  TEXT COLLATE "C" NOT NULL,
    account  TEXT COLLATE "C" NOT NULL REFERENCES account (id),
    since_us BIGINT NOT NULL,
    last_us  BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX upstream_identity_account ON upstream_identity (account);

-- Sign-ins that went to an upstream provider and did not come back yet. `hash` is made of the state and of the
-- browser's cookie, so another browser finds nothing; nonce and code verifier are made of the same two.
CREATE TABLE upstream_sign_in (
    hash       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    provider   TEXT COLLATE "C" NOT NULL,
    -- The page of ours to go on to.
    back       TEXT COLLATE "C" NOT NULL,
    -- The provider must have seen the person after this time.
    after_us   BIGINT,
    expires_us BIGINT NOT NULL
);
CREATE INDEX upstream_sign_in_expires ON upstream_sign_in (expires_us);

-- What authenticators know an account by: random, so that it says nothing.
CREATE TABLE passkey_user (
    account TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES account (id),
    handle  TEXT COLLATE "C" NOT NULL UNIQUE
);

-- Passkeys: public keys with their counters.
CREATE TABLE passkey (
    id            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account       TEXT COLLATE "C" NOT NULL REFERENCES account (id),
    -- What the authenticator calls it, base64url.
    credential_id TEXT COLLATE "C" NOT NULL UNIQUE,
    credential    TEXT COLLATE "C" NOT NULL,
    name          TEXT COLLATE "C" NOT NULL,
    made_us       BIGINT NOT NULL,
    last_used_us  BIGINT
);
CREATE INDEX passkey_account ON passkey (account);

-- Challenges that wait for an authenticator's answer, each good once. `hash` is the SHA-256 of the browser's
-- cookie; `kind` says what it is for.
CREATE TABLE passkey_ceremony (
    hash       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    kind       TEXT COLLATE "C" NOT NULL,
    -- Whose it is; NULL: whoever answers.
    account    TEXT COLLATE "C" REFERENCES account (id),
    state      TEXT COLLATE "C" NOT NULL,
    expires_us BIGINT NOT NULL
);
CREATE INDEX passkey_ceremony_expires ON passkey_ceremony (expires_us);
