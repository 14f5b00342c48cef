-- Long-lived tokens of provisioning sources (SCIM) that can't fetch tokens themselves: good for /scim alone, kept as
-- hashes. last_used_us is not put forward more than once a minute.
CREATE TABLE scim_token (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    hash         TEXT COLLATE "C" NOT NULL UNIQUE,
    client       TEXT COLLATE "C" NOT NULL REFERENCES oauth_client (id),
    made_us      BIGINT NOT NULL,
    made_by      TEXT COLLATE "C" NOT NULL,
    expires_us   BIGINT NOT NULL,
    last_used_us BIGINT,
    revoked_us   BIGINT,
    revoked_by   TEXT COLLATE "C"
);
CREATE INDEX scim_token_client ON scim_token (client);

-- What an invitation is called by those who may not know it.
ALTER TABLE oauth_invitation ADD COLUMN id TEXT COLLATE "C";
UPDATE oauth_invitation SET id = substr(hash, 1, 22);
CREATE UNIQUE INDEX oauth_invitation_id ON oauth_invitation (id);
