-- One row for the events that were recorded within a moment and share a term: `recorded_us` and `seq` are those of the
-- last, `others` has, from each to the one before it, how much earlier and how many places before it is.
ALTER TABLE audit_term ADD COLUMN others TEXT NOT NULL DEFAULT '';
