# Declaring an emergency.
nav-emergency = Emergency
emergency = Emergency access
emergency-lead = In an emergency you can reach the record of one patient whom you do not treat, or who has not consented.
emergency-watched = You give a reason, compliance officers are told at once, and every emergency is reviewed. It lasts { $count ->
    [one] one minute
   *[other] { $count } minutes
} at most, for this patient alone, and only for reading.
emergency-running = An emergency is running
emergency-running-patient = Patient
emergency-running-until = Until
emergency-running-another = To declare another one ends this one.
emergency-end = End it now
emergency-ended = The emergency has ended.
emergency-declared = The emergency was declared.
emergency-declare = Declare an emergency
emergency-patient = Patient
emergency-patient-hint = The record number, exactly, or the id of the patient in this system
emergency-patient-missing = Say which patient it is about
emergency-patient-unknown = There is no such patient
emergency-patient-several = Several patients have this number; put the system of the number and | in front of it
emergency-purpose = What is it for?
emergency-purpose-missing = Say what it is for
emergency-purpose-ETREAT = Treatment in an emergency
emergency-purpose-BTG = Another reason that can not wait
emergency-reason = Reason
emergency-reason-hint = In 10 to 500 characters. Whoever reviews it reads this.
emergency-reason-wrong = Give a reason of 10 to 500 characters
emergency-password-wrong = The password is not right
emergency-proof = Show once more that it is you.
emergency-button = Declare the emergency

# Reviewing emergencies.
nav-emergencies = Emergencies
emergencies = Declared emergencies
emergencies-none = There is nothing to review.
emergencies-open = To be reviewed
emergencies-closed = Reviewed
emergencies-reviewed = The review was kept.
emergencies-who = { $name } ({ $username })
emergencies-state = State
emergencies-state-overdue = Overdue: over for more than three days without a review
emergencies-state-waiting = Waits for a review
emergencies-state-running = Still running
emergencies-state-reviewed = Reviewed
emergencies-patient = Patient
emergencies-purpose = What for
emergencies-reason = Reason given
emergencies-began = Began
emergencies-over = Ended
emergencies-until = Ends
emergencies-how-early = by the clinician
emergencies-how-another = because another was declared
emergencies-how-time = because its time was over
emergencies-finding = Finding
emergencies-finding-missing = Say whether it was justified
emergencies-finding-justified = Justified
emergencies-finding-not-justified = Not justified
emergencies-note = Note
emergencies-note-hint = Up to 1000 characters
emergencies-review = Keep the review
emergencies-review-of = Keep the review of the emergency that { $name } declared at { $time }
emergencies-by = Reviewed by
emergencies-gone = This emergency was reviewed already, or is not there
emergencies-running = An emergency can be reviewed once it is over
emergencies-own = Nobody reviews an emergency of their own
