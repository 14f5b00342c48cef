-- 1: may keep accounts and roles (SCIM). Who changed a client last, and when.
ALTER TABLE oauth_client ADD COLUMN may_provision BIGINT NOT NULL DEFAULT 0;
ALTER TABLE oauth_client ADD COLUMN changed_us BIGINT;
ALTER TABLE oauth_client ADD COLUMN changed_by TEXT COLLATE "C";

-- Who made a secret or an invitation: an account's id, or a place such as 'command line'.
ALTER TABLE oauth_secret ADD COLUMN made_by TEXT COLLATE "C";
ALTER TABLE oauth_invitation ADD COLUMN made_by TEXT COLLATE "C";

-- Accounts as a provisioning source keeps them (SCIM). external_id: the source's own id. profile: JSON of name and
-- emails as the source sent them. modified_us: the last change of anything it sees; NULL: since it was made.
-- disabled_by: 'scim:' and the client, when a source took the account out of use, which then may take it back.
-- deleted_us: a source deleted it; the account stays for the record, under a username that nobody can type.
ALTER TABLE account ADD COLUMN external_id TEXT COLLATE "C";
ALTER TABLE account ADD COLUMN profile TEXT COLLATE "C";
ALTER TABLE account ADD COLUMN modified_us BIGINT;
ALTER TABLE account ADD COLUMN provisioned_by TEXT COLLATE "C";
ALTER TABLE account ADD COLUMN disabled_by TEXT COLLATE "C";
ALTER TABLE account ADD COLUMN former_username TEXT COLLATE "C";
ALTER TABLE account ADD COLUMN deleted_us BIGINT;
CREATE UNIQUE INDEX account_external_id ON account (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX account_name ON account (lower(name));
CREATE INDEX account_modified ON account (modified_us);
CREATE INDEX role_grant_role ON role_grant (role, organization);

-- A provisioning source's handle on a role in one organisation or ('') in all; its members are who has the role.
CREATE TABLE scim_group (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    role         TEXT COLLATE "C" NOT NULL,
    organization TEXT COLLATE "C" NOT NULL DEFAULT '',
    external_id  TEXT COLLATE "C",
    made_by      TEXT COLLATE "C" NOT NULL,
    created_us   BIGINT NOT NULL,
    modified_us  BIGINT NOT NULL,
    UNIQUE (role, organization)
);
