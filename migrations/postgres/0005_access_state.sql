-- `seq` rises with every change that may end or alter somebody's access. What is remembered of an access is
-- good as long as `seq` is what it was.
CREATE TABLE access_state (
    one BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    seq BIGINT NOT NULL
);
INSERT INTO access_state (one, seq) VALUES (1, 1);

CREATE FUNCTION raise_access_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE access_state SET seq = seq + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER oauth_client_access AFTER UPDATE OF disabled_us ON oauth_client
    FOR EACH STATEMENT EXECUTE FUNCTION raise_access_state();
CREATE TRIGGER oauth_grant_access AFTER UPDATE OF revoked_us ON oauth_grant
    FOR EACH STATEMENT EXECUTE FUNCTION raise_access_state();
CREATE TRIGGER oauth_revoked_access AFTER INSERT ON oauth_revoked
    FOR EACH STATEMENT EXECUTE FUNCTION raise_access_state();
CREATE TRIGGER account_access AFTER UPDATE OF disabled_us, fhir_user ON account
    FOR EACH ROW WHEN (OLD.disabled_us IS DISTINCT FROM NEW.disabled_us
        OR OLD.fhir_user IS DISTINCT FROM NEW.fhir_user)
    EXECUTE FUNCTION raise_access_state();
CREATE TRIGGER role_grant_given AFTER INSERT ON role_grant
    FOR EACH STATEMENT EXECUTE FUNCTION raise_access_state();
CREATE TRIGGER role_grant_changed AFTER UPDATE OF account, role, organization ON role_grant
    FOR EACH STATEMENT EXECUTE FUNCTION raise_access_state();
CREATE TRIGGER role_grant_taken AFTER DELETE ON role_grant
    FOR EACH STATEMENT EXECUTE FUNCTION raise_access_state();
