-- Applications that may ask for access.
CREATE TABLE oauth_client (
    id            TEXT NOT NULL PRIMARY KEY,
    name          TEXT NOT NULL,
    -- How it proves who it is: 'none' (public), 'secret', 'key' (private_key_jwt).
    auth          TEXT NOT NULL CHECK (auth IN ('none', 'secret', 'key')),
    -- 1: acts for itself (client_credentials); 0: for people (authorization_code).
    system        BIGINT NOT NULL,
    -- The most that it may be given.
    scope         TEXT NOT NULL,
    -- JSON array of texts, compared exactly.
    redirect_uris TEXT NOT NULL,
    launch_uri    TEXT,
    -- Its public keys: a JWK Set by value, or where it publishes one.
    jwks          TEXT,
    jwks_uri      TEXT,
    -- 1: may ask what any token means; 1: may make launch contexts.
    may_introspect BIGINT NOT NULL DEFAULT 0,
    may_launch     BIGINT NOT NULL DEFAULT 0,
    created_us    BIGINT NOT NULL,
    created_by    TEXT NOT NULL,
    disabled_us   BIGINT
);

-- SHA-256 of client secrets. Two are good at once while one replaces the other.
CREATE TABLE oauth_secret (
    hash     TEXT NOT NULL PRIMARY KEY,
    client   TEXT NOT NULL REFERENCES oauth_client (id),
    made_us  BIGINT NOT NULL,
    until_us BIGINT
);
CREATE INDEX oauth_secret_client ON oauth_secret (client);

-- Authorization requests that wait for a person: signing in, choosing a patient, consenting.
CREATE TABLE oauth_request (
    id             TEXT NOT NULL PRIMARY KEY,
    client         TEXT NOT NULL REFERENCES oauth_client (id),
    base           TEXT NOT NULL,
    redirect_uri   TEXT NOT NULL,
    scope          TEXT NOT NULL,
    state          TEXT NOT NULL,
    challenge      TEXT NOT NULL,
    nonce          TEXT,
    prompt         TEXT,
    max_age        BIGINT,
    login_hint     TEXT,
    -- JSON of the launch that the request came from, and the account that it was made for.
    launch         TEXT,
    launch_account TEXT,
    made_us        BIGINT NOT NULL,
    expires_us     BIGINT NOT NULL,
    done_us        BIGINT
);
CREATE INDEX oauth_request_expires ON oauth_request (expires_us);

-- Launch contexts that an EHR made, by SHA-256 of the launch value.
CREATE TABLE oauth_launch (
    hash       TEXT NOT NULL PRIMARY KEY,
    client     TEXT NOT NULL REFERENCES oauth_client (id),
    account    TEXT,
    context    TEXT NOT NULL,
    made_by    TEXT NOT NULL,
    expires_us BIGINT NOT NULL,
    used_us    BIGINT
);
CREATE INDEX oauth_launch_expires ON oauth_launch (expires_us);

-- What a person allowed a client. Every code and token of it ends with it.
CREATE TABLE oauth_grant (
    id           TEXT NOT NULL PRIMARY KEY,
    client       TEXT NOT NULL REFERENCES oauth_client (id),
    account      TEXT NOT NULL,
    -- The FHIR base that its tokens are for.
    base         TEXT NOT NULL,
    -- SHA-256 of the session's cookie; access ends with it where only online_access was granted.
    session      TEXT,
    scope        TEXT NOT NULL,
    patient      TEXT,
    encounter    TEXT,
    -- JSON of the rest of the launch context.
    launch       TEXT,
    nonce        TEXT,
    auth_time_us BIGINT NOT NULL,
    made_us      BIGINT NOT NULL,
    last_used_us BIGINT NOT NULL,
    revoked_us   BIGINT
);
CREATE INDEX oauth_grant_account ON oauth_grant (account, client);

-- Authorization codes, by SHA-256.
CREATE TABLE oauth_code (
    hash         TEXT NOT NULL PRIMARY KEY,
    grant_id     TEXT NOT NULL REFERENCES oauth_grant (id),
    redirect_uri TEXT NOT NULL,
    challenge    TEXT NOT NULL,
    expires_us   BIGINT NOT NULL,
    used_us      BIGINT
);
CREATE INDEX oauth_code_expires ON oauth_code (expires_us);

-- Refresh tokens, by SHA-256. One that was used stays, so that its second use is noticed.
CREATE TABLE oauth_refresh (
    hash       TEXT NOT NULL PRIMARY KEY,
    grant_id   TEXT NOT NULL REFERENCES oauth_grant (id),
    made_us    BIGINT NOT NULL,
    expires_us BIGINT NOT NULL,
    used_us    BIGINT
);
CREATE INDEX oauth_refresh_grant ON oauth_refresh (grant_id);
CREATE INDEX oauth_refresh_expires ON oauth_refresh (expires_us);

-- Access tokens that were revoked one by one, until they would have expired anyway.
CREATE TABLE oauth_revoked (
    jti      TEXT NOT NULL PRIMARY KEY,
    until_us BIGINT NOT NULL
);
CREATE INDEX oauth_revoked_until ON oauth_revoked (until_us);

-- Client assertions that were used, until they would have expired anyway.
CREATE TABLE oauth_assertion (
    client   TEXT NOT NULL,
    jti      TEXT NOT NULL,
    until_us BIGINT NOT NULL,
    PRIMARY KEY (client, jti)
);
CREATE INDEX oauth_assertion_until ON oauth_assertion (until_us);

-- Initial access tokens: who has one may register a client (RFC 7591).
CREATE TABLE oauth_invitation (
    hash       TEXT NOT NULL PRIMARY KEY,
    -- The most that a client registered with it may be given.
    scope      TEXT NOT NULL,
    system     BIGINT NOT NULL,
    uses_left  BIGINT NOT NULL,
    made_us    BIGINT NOT NULL,
    expires_us BIGINT NOT NULL
);
