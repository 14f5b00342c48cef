//! FHIR date, dateTime and instant as intervals of microseconds.
