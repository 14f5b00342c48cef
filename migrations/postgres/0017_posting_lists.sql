-- A list is read from its index alone: the rows of a term lie wherever the log was when they were written, so each would
-- be fetched from a block of its own. An entry of an index has at most a third of a block, see `audit/posting.rs`.
ALTER TABLE audit_term DROP CONSTRAINT audit_term_pkey;
ALTER TABLE audit_term ADD PRIMARY KEY (term, recorded_us, seq) INCLUDE (others);
