# Giving an app access.
consent-title = Give access to { $app }?
consent-who = { $app } asks for access. It will send you back to { $address }.
consent-patient = The patient is { $patient }.
consent-another-patient = Choose another patient
consent-list = What the app may do
consent-hint = Take the tick away from whatever you don't want to allow.
consent-narrow = Allow only a part of it
consent-narrow-hint = Nothing ticked here: all of it.
consent-encounter = Which visit is it about?
consent-encounter-hint = The app is told about this visit only.
consent-encounter-none = None of them
consent-offline = This app may keep its access while you are away, until you take it back on the page “Apps with access”.
consent-approve = Allow
consent-deny = Don't allow
consent-none = Tick at least one thing, or choose “Don't allow”
consent-other-account = The app was opened for another person. Sign in as that person, or go back to the app.
consent-other-sign-in = Sign in as somebody else

# What a scope allows.
scope-yours = Your { $what }: { $rights }
scope-patients = { $what } of { $patient }: { $rights }
scope-this-patient = { $what } of the patient: { $rights }
scope-users = All { $what } that you may use yourself: { $rights }
scope-only = only where { $name } is { $value }
right-see = see
right-find = look for
right-add = add
right-change = change
right-delete = delete
scope-openid = Know that it is you who signed in
scope-fhir-user = Know which entry in our records is you
scope-profile = Know which entry in our records is you
scope-launch = Know from where you opened the app
scope-launch-patient = Know which patient is chosen
scope-launch-encounter = Know which visit is chosen
scope-launch-other = Know what you had open
scope-offline = Keep its access while you are not using it
scope-online = Keep its access as long as you are signed in here
scope-other = { $scope }

# Types of records.
type-all = records of every kind
type-AllergyIntolerance = allergies
type-Appointment = appointments
type-AppointmentResponse = answers to invitations to appointments
type-CarePlan = care plans
type-CareTeam = care teams
type-Communication = messages
type-Condition = health problems and diagnoses
type-Consent = decisions about who may see records
type-Coverage = insurance
type-Device = devices
type-DiagnosticReport = reports of tests
type-DocumentReference = documents and notes
type-Encounter = visits
type-Goal = goals of treatment
type-Group = groups of patients
type-HealthcareService = services on offer
type-Immunization = vaccinations
type-Location = rooms and addresses
type-MedicationDispense = medicines that were handed out
type-MedicationRequest = prescriptions
type-Observation = results and measurements
type-Organization = organisations
type-Patient = personal details
type-Practitioner = entries of doctors and staff
type-PractitionerRole = roles of doctors and staff
type-Procedure = operations and treatments
type-Provenance = notes on who changed a record
type-RelatedPerson = relatives and carers
type-Schedule = calendars
type-ServiceRequest = referrals and orders
type-Slot = free times
type-Subscription = notifications that are set up

# Parts of a type.
param-category = the kind
param-status = the state
value-Appointment-proposed = Proposed
value-Appointment-pending = On hold
value-Appointment-booked = Booked
value-Appointment-fulfilled = Kept
value-Appointment-cancelled = Cancelled
value-Appointment-waitlist = On the waiting list
value-Encounter-planned = Planned
value-Encounter-in-progress = Going on now
value-Encounter-finished = Finished
value-ServiceRequest-active = Still open
value-ServiceRequest-completed = Completed
value-Communication-completed = Sent
value-Communication-in-progress = Being prepared
value-Condition-encounter-diagnosis = Diagnoses of a visit
value-Condition-problem-list-item = On the list of health problems
value-Condition-health-concern = Health concerns
value-Observation-laboratory = Laboratory results
value-Observation-vital-signs = Vital signs
value-Observation-social-history = Way of life
value-Observation-survey = Answers to questionnaires
value-Observation-clinical-test = Clinical tests
value-Observation-sdoh = Living conditions

# Choosing a patient.
pick-title = Choose a patient
pick-hint = { $app } works with one patient at a time.
pick-name = Name
pick-name-hint = The beginning of a first or last name
pick-birth-date = Date of birth
pick-search = Search
pick-empty = Enter a name or a date of birth
pick-none = Nobody was found.
pick-found = { $count ->
    [one] One patient was found
   *[other] { $count } patients were found
}
pick-more = There are more. Enter more of the name, or the date of birth.
pick-choose = Choose { $patient }
pick-born = born { $date }
pick-cancel = Back to the app without choosing

# Apps with access.
apps = Apps with access
apps-none = No app has access.
apps-what = What it may do
apps-since = Access since
apps-last-used = Last used
apps-patient = Patient
apps-revoke = Take the access back
apps-revoke-app = Take the access back: { $app }
apps-revoked = The access was taken back. It ended at once.
