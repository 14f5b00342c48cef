-- Which Consents changed when, so that whoever keeps them in memory reads what is new: `seq` is that of
-- `access_state` at the last change. Its row is locked until the end of the transaction, so that changes are seen
-- in the order of their numbers.
CREATE TABLE consent_rule (
    rid BIGINT PRIMARY KEY,
    seq BIGINT NOT NULL
);
CREATE INDEX consent_rule_seq ON consent_rule (seq);
INSERT INTO consent_rule (rid, seq)
    SELECT rid, (SELECT seq FROM access_state) FROM resource WHERE type = 'Consent';

CREATE FUNCTION note_consent() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    change BIGINT;
BEGIN
    UPDATE access_state SET seq = seq + 1 RETURNING seq INTO change;
    INSERT INTO consent_rule (rid, seq) VALUES (NEW.rid, change)
        ON CONFLICT (rid) DO UPDATE SET seq = excluded.seq;
    RETURN NULL;
END $$;
CREATE TRIGGER consent_made AFTER INSERT ON resource
    FOR EACH ROW WHEN (NEW.type = 'Consent') EXECUTE FUNCTION note_consent();
CREATE TRIGGER consent_changed AFTER UPDATE ON resource
    FOR EACH ROW WHEN (NEW.type = 'Consent') EXECUTE FUNCTION note_consent();
