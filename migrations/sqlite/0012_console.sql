-- What compliance officers work with: quick ways to the rarer facts, what the standing reports found, what was reviewed,
-- and who receives data.

-- Successful requests and reads are most of the log; whoever looks for them walks it by time and finds one at every step.
CREATE INDEX audit_index_type ON audit_index (type, recorded_us, seq) WHERE type <> 'rest';
CREATE INDEX audit_index_change ON audit_index (action, recorded_us, seq) WHERE action IN ('C', 'D', 'U');
CREATE INDEX audit_index_outcome ON audit_index (outcome, recorded_us, seq) WHERE outcome <> 0;

-- How far a reader of the log has come: every event below `seq` was taken in. One process reads, until its lease ends.
CREATE TABLE audit_follower (
    name     TEXT   NOT NULL PRIMARY KEY,
    seq      BIGINT NOT NULL,
    holder   TEXT   NOT NULL DEFAULT '',
    until_us BIGINT NOT NULL DEFAULT 0
);
INSERT INTO audit_follower (name, seq) VALUES ('reports', 0);

-- Marks of officers: that they looked at an event, a finding or a period, and what they say of it.
CREATE TABLE audit_review (
    id       TEXT   NOT NULL PRIMARY KEY,
    kind     TEXT   NOT NULL CHECK (kind IN ('event', 'finding', 'period')),
    subject  TEXT   NOT NULL DEFAULT '',
    from_us  BIGINT,
    until_us BIGINT,
    account  TEXT   NOT NULL REFERENCES account (id),
    at_us    BIGINT NOT NULL,
    note     TEXT   NOT NULL
);
CREATE INDEX audit_review_at ON audit_review (at_us, id);
CREATE INDEX audit_review_subject ON audit_review (subject, at_us, id) WHERE subject <> '';

-- What a standing report found. It grows until it is reviewed; `patient` is empty where it is about nobody alone.
-- `count` is what the report counts: accesses, patients or denials. `review` is the mark that closed it.
CREATE TABLE audit_finding (
    id        TEXT   NOT NULL PRIMARY KEY,
    kind      TEXT   NOT NULL,
    who       TEXT   NOT NULL,
    patient   TEXT   NOT NULL DEFAULT '',
    first_seq BIGINT NOT NULL,
    last_seq  BIGINT NOT NULL,
    first_us  BIGINT NOT NULL,
    last_us   BIGINT NOT NULL,
    count     BIGINT NOT NULL,
    review    TEXT   REFERENCES audit_review (id)
);
CREATE INDEX audit_finding_first ON audit_finding (first_us, id);
CREATE INDEX audit_finding_kind ON audit_finding (kind, first_us, id);
CREATE INDEX audit_finding_open ON audit_finding (first_us, id) WHERE review IS NULL;
CREATE INDEX audit_finding_kind_open ON audit_finding (kind, first_us, id) WHERE review IS NULL;
CREATE INDEX audit_finding_done ON audit_finding (first_us, id) WHERE review IS NOT NULL;
CREATE INDEX audit_finding_kind_done ON audit_finding (kind, first_us, id) WHERE review IS NOT NULL;
CREATE INDEX audit_finding_growing ON audit_finding (kind, who, patient, last_us) WHERE review IS NULL;

-- Who receives data: clients that act for themselves ('client:ID') and organisations that vouch for their own people
-- ('issuer:URL'). `counts` is 1 where what they receive is a disclosure to account for.
CREATE TABLE audit_recipient (
    recipient  TEXT   NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    address    TEXT   NOT NULL,
    purpose    TEXT   NOT NULL,
    counts     BIGINT NOT NULL CHECK (counts IN (0, 1)),
    changed_us BIGINT NOT NULL,
    changed_by TEXT   NOT NULL REFERENCES account (id)
);

CREATE TRIGGER audit_finding_keeps_rows BEFORE DELETE ON audit_finding BEGIN
    SELECT RAISE(ABORT, 'findings are kept');
END;
CREATE TRIGGER audit_finding_keeps_reviewed BEFORE UPDATE ON audit_finding WHEN OLD.review IS NOT NULL BEGIN
    SELECT RAISE(ABORT, 'a reviewed finding is kept as it is');
END;
CREATE TRIGGER audit_review_keeps_content BEFORE UPDATE ON audit_review BEGIN
    SELECT RAISE(ABORT, 'audit_review is append-only');
END;
CREATE TRIGGER audit_review_keeps_rows BEFORE DELETE ON audit_review BEGIN
    SELECT RAISE(ABORT, 'audit_review is append-only');
END;
