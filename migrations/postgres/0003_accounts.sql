-- People who sign in here. `username` is folded (Unicode NFKC, lower case).
CREATE TABLE account (
    id              TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    username        TEXT COLLATE "C" NOT NULL UNIQUE,
    name            TEXT COLLATE "C" NOT NULL,
    -- The resource that stands for the person, such as 'Practitioner/dr-a'.
    fhir_user       TEXT COLLATE "C",
    locale          TEXT COLLATE "C",
    -- argon2id as a PHC string; NULL: no password, so no sign-in by one.
    password_hash   TEXT COLLATE "C",
    -- Base32; of the authenticator app. It counts once `totp_since_us` is set.
    totp_secret     TEXT COLLATE "C",
    totp_since_us   BIGINT,
    -- The last time step whose code was used: a code is good once.
    totp_step       BIGINT NOT NULL DEFAULT 0,
    created_us      BIGINT NOT NULL,
    disabled_us     BIGINT,
    last_sign_in_us BIGINT
);

-- Who has which role, in one organisation or ('') in all.
CREATE TABLE role_grant (
    account      TEXT COLLATE "C" NOT NULL REFERENCES account (id),
    role         TEXT COLLATE "C" NOT NULL,
    organization TEXT COLLATE "C" NOT NULL DEFAULT '',
    since_us     BIGINT NOT NULL,
    last_used_us BIGINT,
    granted_by   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (account, role, organization)
);

-- Signed-in browsers. `hash` is the SHA-256 of the cookie. A session lives while `ended_us` is NULL and
-- `expires_us` is ahead; use moves `expires_us` on, up to `ends_us`.
CREATE TABLE session (
    hash             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account          TEXT COLLATE "C" NOT NULL REFERENCES account (id),
    created_us       BIGINT NOT NULL,
    authenticated_us BIGINT NOT NULL,
    second_factor    BIGINT NOT NULL,
    seen_us          BIGINT NOT NULL,
    expires_us       BIGINT NOT NULL,
    ends_us          BIGINT NOT NULL,
    ended_us         BIGINT
);
CREATE INDEX session_account ON session (account);
CREATE INDEX session_ends ON session (ends_us);

-- Sign-ins that wait for their second factor.
CREATE TABLE sign_in_step (
    hash       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account    TEXT COLLATE "C" NOT NULL REFERENCES account (id),
    expires_us BIGINT NOT NULL
);

-- One-time codes for whoever lost the authenticator app, as SHA-256.
CREATE TABLE recovery_code (
    account TEXT COLLATE "C" NOT NULL REFERENCES account (id),
    hash    TEXT COLLATE "C" NOT NULL,
    used_us BIGINT,
    PRIMARY KEY (account, hash)
);

-- Browsers from which a person signed in before, by the SHA-256 of a cookie.
CREATE TABLE known_device (
    hash     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account  TEXT COLLATE "C" NOT NULL REFERENCES account (id),
    since_us BIGINT NOT NULL
);
CREATE INDEX known_device_account ON known_device (account);

-- Attempts since the last success. `subject` is the SHA-256 of what was typed as a username, whether or not
-- there is such an account; `origin` an address, a known device, or '' for all of them.
CREATE TABLE sign_in_failure (
    subject TEXT COLLATE "C" NOT NULL,
    origin  TEXT COLLATE "C" NOT NULL,
    count   BIGINT NOT NULL,
    last_us BIGINT NOT NULL,
    PRIMARY KEY (subject, origin)
);
CREATE INDEX sign_in_failure_last ON sign_in_failure (last_us);
