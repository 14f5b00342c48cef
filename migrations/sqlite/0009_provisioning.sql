-- 1: may keep accounts and roles (SCIM). Who changed a client last, and when.
ALTER TABLE oauth_client ADD COLUMN may_provision BIGINT NOT NULL DEFAULT 0;
ALTER TABLE oauth_client ADD COLUMN changed_us BIGINT;
ALTER TABLE oauth_client ADD COLUMN changed_by TEXT;

-- Who made a secret or an invitation: an account's id, or a place such as 'command line'.
ALTER TABLE oauth_secret ADD COLUMN made_by TEXT;
ALTER TABLE oauth_invitation ADD COLUMN made_by TEXT;
