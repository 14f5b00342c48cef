# The audit log for compliance officers.
nav-console = Audit log
console-nav = Audit
console-title = Audit log
console-filter = Filter
console-any = Any
console-from = From
console-until = Until
console-time-hint = A day such as 2031-03-01, or a time such as 2031-03-01T08:00; in UTC
console-time-wrong = Give a day such as 2031-03-01, or a time such as 2031-03-01T08:00
console-outcome-wrong = Choose an outcome from the list
console-user = Person or application
console-user-hint = A username, the id of an account or an application, or a reference such as Practitioner/123
console-patient = Patient
console-patient-wrong = Give the id of a patient
console-type = Type
console-subtype = What happened
console-action = Action
console-outcome = Outcome
console-address = Network address
console-request = Request id
console-show = Show
console-reset = Clear the filter
console-none = No events were found.
console-events = Events
console-shown = { $count ->
    [one] One event
   *[other] { $count } events
}, the newest first
console-short = Only part of the log was looked at so far: older events may follow.
console-pages = Pages
console-newest = Newest
console-older = Older
console-at = Recorded
console-what = What
console-who = Who
console-through = through
console-person = { $name } ({ $username })
console-unknown = Not known
console-purged-short = Content purged

console-download = Download with proofs
console-download-period = Every event of the chosen period, with its proof; the other filters play no part.
console-download-patient = Every event of the chosen period about the patient { $patient }, with its proof; the other filters play no part.
console-download-check = Unpack it, and check it with “slotwright audit verify” or verify_audit.py.
console-download-button = Download
console-checkpoint = Newest checkpoint
console-checkpoint-hint = Keep it elsewhere: it shows any later change to the events that it covers.
console-checkpoint-keep = Download the checkpoint
console-size = Events covered
console-signed = Signed
console-root = Root of the tree
console-note-text = The signed note

console-event = Event
console-observer = Observed by
console-purpose = Purpose
console-agents = Who took part
console-role = Role
console-token = Token
console-entities = What it was about
console-asked = Asked
console-json = The event as FHIR JSON
console-purged = The content of this event was deleted after the time for which it had to be kept. Its place in the log stays and is proved below.
console-purges = Show the deletions
console-missing = The content of this event is missing, although nothing permits its deletion. Verify the log.
console-proof = Proof
console-proof-hint = The proof leads from this event to the newest checkpoint of the log.
console-proof-file = Download the proof
console-proof-server = What this server found
console-proof-browser = What your browser found
console-proof-no-script = Your browser runs no scripts here. Above is what the server found; to check it without the server, download the events with their proofs.
console-proof-no-crypto = Your browser can't check it on this connection.
console-proof-valid = The proof is valid.
console-proof-invalid = The proof is not valid.
console-proof-content-good = The content is what was logged.
console-proof-content-bad = The content is not what was logged.
console-proof-content-none = The content is not there any more.
console-proof-place-good = The event is at its place in the tree of the checkpoint.
console-proof-place-bad = The event is not at its place in the tree of the checkpoint.
console-proof-signature-good = The checkpoint is signed by a key of the log.
console-proof-signature-bad = The checkpoint is not signed by a key of the log.
console-proof-signature-none = The signature was not checked: this server has no key at hand.
console-proof-signature-unknown = The signature was not checked: your browser or this server lacks what it takes.
console-tree = Place in the tree
console-seq = Place
console-leaf = Leaf
console-path = Path from the leaf to the root

console-review = Review
console-reviews = Reviews
console-review-period = Mark a period as reviewed
console-marks = Marks
console-no-marks = There are no marks yet.
console-mark = Mark as reviewed
console-marked = The mark was kept.
console-mark-event = An event
console-mark-finding = A finding
console-mark-period = { $from } to { $until }
console-note = Note
console-note-hint = What you looked at, and what you found; up to 1000 characters
console-note-missing = Say what you looked at, and what you found
console-closed = This finding was reviewed already
console-own = Nobody reviews what they did themselves
console-period-wrong = A period must begin before it ends

console-reports = Standing reports
console-reports-lead = What the reports found in the log, the newest first. A finding grows until somebody reviews it.
console-report = Report
console-state = State
console-state-open = To be reviewed
console-state-reviewed = Reviewed
console-no-findings = There is nothing of the kind.
console-count = How much
console-when = When
console-csv = Download as CSV
console-as-json = Download as JSON
console-finding-of = { $report }: { $who }, { $time }
console-finding-events = Show its events
console-report-break-glass = Emergency access
console-report-same-surname = Same surname
console-report-own-record = Own record
console-report-bulk-reads = Many patients
console-report-after-hours = After hours
console-report-denials = Many denials
console-meaning-break-glass = Somebody declared an emergency and reached the record of a patient by it.
console-meaning-same-surname = A member of staff reached the record of a patient with the same surname.
console-meaning-own-record = A member of staff reached their own record.
console-meaning-bulk-reads = One person saw the data of many patients within an hour.
console-meaning-after-hours = A member of staff reached records outside the opening hours.
console-meaning-denials = One person, application or address was denied again and again within a short time.
console-count-break-glass = { $count ->
    [one] one access
   *[other] { $count } accesses
}
console-count-same-surname = { $count ->
    [one] one access
   *[other] { $count } accesses
}
console-count-own-record = { $count ->
    [one] one access
   *[other] { $count } accesses
}
console-count-bulk-reads = { $count ->
    [one] one patient
   *[other] { $count } patients
}
console-count-after-hours = { $count ->
    [one] one access
   *[other] { $count } accesses
}
console-count-denials = { $count ->
    [one] one denial
   *[other] { $count } denials
}

console-disclosures = Accounting of disclosures
console-years-hint = Left empty: the last six years until now. A day, or a time, in UTC
console-account-of = Disclosures of the data of patient { $patient }
console-account-made = Made
console-account-rule = Listed are disclosures that were reported, and what applications of others and people of other organisations read. Not listed are treatment, payment and operations, and what the patient read.
console-account-purged = { $count ->
    [one] One event
   *[other] { $count } events
} can't be judged any more: the content was purged.
console-account-cut = There are too many events to look at; older ones were not looked at. The account begins at
console-no-disclosures = No disclosures are on the record.
console-recipient = Recipient
console-recipient-name = Name
console-recipient-address = Address
console-recipient-unknown = Not known (exported by hand)
console-not-known = Not known
console-not-said = Not said
console-disclosed = What
console-disclosed-for = What for
console-times = { $count ->
    [one] once
   *[other] { $count } times, until
}
console-told-by = Reported by { $observer }
console-print = Print this page with your browser.
console-recipients = Recipients
console-recipients-lead = Say who is behind an application that acts for itself, or behind an organisation whose people come here. What they receive is a disclosure to account for, unless you say that it is not.
console-recipient-missing = Choose a recipient from the list
console-recipient-kept = It was kept.
console-say = Say who receives it
console-say-of = Say who receives it: { $recipient }
console-counts = Is it a disclosure to account for?
console-counts-yes = Yes
console-counts-no = No: it belongs to us, or it is for treatment, payment or operations
console-yes = Yes
console-no = No

console-type-rest = FHIR request
console-type-110100 = Server
console-type-110101 = Use of the audit log
console-type-110106 = Export
console-type-110113 = Security
console-type-110114 = Sign-in
console-type-transmit = Transmission
console-subtype-read = Read
console-subtype-vread = Version read
console-subtype-search = Searched
console-subtype-history = History read
console-subtype-create = Created
console-subtype-update = Changed
console-subtype-patch = Changed in part
console-subtype-delete = Deleted
console-subtype-batch = Several requests
console-subtype-transaction = Several requests together
console-subtype-operation = Operation
console-subtype-capabilities = Capabilities read
console-subtype-110122 = Signed in
console-subtype-110123 = Signed out
console-subtype-sign-in-begun = Sign-in begun
console-subtype-access-requested = Access asked for
console-subtype-authorized = Access allowed
console-subtype-ITI-71 = Token issued
console-subtype-ITI-102 = Token inspected
console-subtype-token-revoked = Token withdrawn
console-subtype-AuthZ-Consent = Consent decided
console-subtype-110127 = Emergency declared
console-subtype-110138 = Emergency ended
console-subtype-110129 = Administration
console-subtype-audit-read = Audit log read
console-subtype-export = Exported
console-subtype-disclose = Disclosed
console-subtype-purge = Purged
console-subtype-review = Reviewed
console-subtype-notification = Notified
console-subtype-110120 = Server started
console-subtype-110121 = Server stopped
console-subtype-limited = Too many requests
console-action-C = Create
console-action-R = Read
console-action-U = Update
console-action-D = Delete
console-action-E = Execute
console-outcome-0 = Success
console-outcome-4 = Refused
console-outcome-8 = Denied
console-outcome-12 = Failed
console-purpose-BTG = Emergency: another reason
console-purpose-ETREAT = Emergency: treatment
console-agent-110150 = application
console-agent-110152 = received the data
console-agent-110153 = sent the data
console-agent-AUT = person who wrote
console-agent-IRCP = person who asked
console-agent-custodian = keeper of the record
console-agent-AuthzOauthService = authorization server
console-agent-authserver = authorization server
console-role-patient = Patient
console-role-scheduler = Scheduler
console-role-clinician = Clinician
console-role-compliance = Compliance officer
console-role-system = System
console-role-administrator = Administrator
console-entity-1 = Person
console-entity-2 = Data
console-entity-4 = Details
console-entity-Consent = Consent
console-entity-XrequestId = Request
