-- Emergencies that clinicians declared: who reached whose record, why and until when. Rows are never removed, and of
-- what was declared nothing changes: an end and a review are added to it, once.
CREATE TABLE emergency (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account     TEXT COLLATE "C" NOT NULL REFERENCES account (id),
    -- Logical id of the one Patient.
    patient     TEXT COLLATE "C" NOT NULL,
    -- Code of v3-ActReason.
    purpose     TEXT COLLATE "C" NOT NULL CHECK (purpose IN ('BTG', 'ETREAT')),
    reason      TEXT COLLATE "C" NOT NULL,
    began_us    BIGINT NOT NULL,
    until_us    BIGINT NOT NULL CHECK (until_us > began_us AND until_us <= began_us + 3600000000),
    -- When it ended, and how: 'early', by 'another' of the same account, or at its 'time'. NULL: at its time.
    ended_us    BIGINT CHECK (ended_us <= until_us),
    ended_how   TEXT COLLATE "C" CHECK (ended_how IN ('early', 'another', 'time')),
    reviewed_us BIGINT,
    reviewed_by TEXT COLLATE "C" REFERENCES account (id) CHECK (reviewed_by <> account),
    finding     TEXT COLLATE "C" CHECK (finding IN ('justified', 'not-justified')),
    note        TEXT COLLATE "C",
    CHECK ((ended_us IS NULL) = (ended_how IS NULL)),
    CHECK ((reviewed_us IS NULL) = (reviewed_by IS NULL) AND (reviewed_us IS NULL) = (finding IS NULL))
);
-- One at a time for each account.
CREATE UNIQUE INDEX emergency_running ON emergency (account) WHERE ended_us IS NULL;
CREATE INDEX emergency_open ON emergency (began_us) WHERE reviewed_us IS NULL;
CREATE INDEX emergency_began ON emergency (began_us);

CREATE TRIGGER emergency_stays BEFORE DELETE OR TRUNCATE ON emergency
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('an emergency is never removed');
CREATE TRIGGER emergency_keeps BEFORE UPDATE ON emergency FOR EACH ROW
    WHEN ((NEW.id, NEW.account, NEW.patient, NEW.purpose, NEW.reason, NEW.began_us, NEW.until_us)
            IS DISTINCT FROM (OLD.id, OLD.account, OLD.patient, OLD.purpose, OLD.reason, OLD.began_us, OLD.until_us)
        OR (OLD.ended_us IS NOT NULL
            AND (NEW.ended_us, NEW.ended_how) IS DISTINCT FROM (OLD.ended_us, OLD.ended_how))
        OR (OLD.reviewed_us IS NOT NULL
            AND (NEW.reviewed_us, NEW.reviewed_by, NEW.finding, NEW.note)
                IS DISTINCT FROM (OLD.reviewed_us, OLD.reviewed_by, OLD.finding, OLD.note)))
    EXECUTE FUNCTION refuse_change('what was declared of an emergency stays');

CREATE TRIGGER emergency_begins_access AFTER INSERT ON emergency
    FOR EACH STATEMENT EXECUTE FUNCTION raise_access_state();
CREATE TRIGGER emergency_ends_access AFTER UPDATE OF ended_us ON emergency
    FOR EACH STATEMENT EXECUTE FUNCTION raise_access_state();

-- Messages to people, written by the transaction that they tell of and delivered by whoever comes first.
CREATE TABLE notice (
    id        TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- The emergency that it is about.
    emergency TEXT COLLATE "C" NOT NULL REFERENCES emergency (id),
    -- E-mail address.
    recipient TEXT COLLATE "C" NOT NULL,
    -- Where the recipient reads more: this server's origin.
    origin    TEXT COLLATE "C" NOT NULL,
    made_us   BIGINT NOT NULL,
    -- When it is tried next; whoever tries it puts this off, so that nobody else does.
    due_us    BIGINT NOT NULL,
    tries     BIGINT NOT NULL DEFAULT 0,
    sent_us   BIGINT
);
CREATE INDEX notice_due ON notice (due_us) WHERE sent_us IS NULL;
