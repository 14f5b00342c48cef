-- Which Consents changed when, so that whoever keeps them in memory reads what is new: `seq` is that of
-- `access_state` at the last change.
CREATE TABLE consent_rule (
    rid INTEGER PRIMARY KEY,
    seq BIGINT NOT NULL
);
CREATE INDEX consent_rule_seq ON consent_rule (seq);
INSERT INTO consent_rule (rid, seq)
    SELECT rid, (SELECT seq FROM access_state) FROM resource WHERE type = 'Consent';

CREATE TRIGGER consent_made AFTER INSERT ON resource WHEN NEW.type = 'Consent' BEGIN
    UPDATE access_state SET seq = seq + 1;
    INSERT INTO consent_rule (rid, seq) VALUES (NEW.rid, (SELECT seq FROM access_state));
END;
CREATE TRIGGER consent_changed AFTER UPDATE ON resource WHEN NEW.type = 'Consent' BEGIN
    UPDATE access_state SET seq = seq + 1;
    UPDATE consent_rule SET seq = (SELECT seq FROM access_state) WHERE rid = NEW.rid;
END;
