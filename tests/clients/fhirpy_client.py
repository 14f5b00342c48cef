"""Drives a sandbox server with fhirpy (PyPI).

    python fhirpy_client.py http://127.0.0.1:8080/fhir

Every check is one function; the last line counts them.
"""

import datetime
import sys
import time
import traceback

import requests
from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import MultipleResourcesFound, OperationOutcome, ResourceNotFound

BASE = sys.argv[1]
RUN = f"py-{time.time_ns()}"
SYSTEM = "https://slotwright.org/tests/clients"
CHECKS = []

client = SyncFHIRClient(BASE)


def check(function):
    CHECKS.append(function)
    return function


def with_headers(**headers):
    """A client that sends these headers with every request (fhirpy has no per-request ones)."""
    return SyncFHIRClient(BASE, extra_headers={name.replace("_", "-"): value for name, value in headers.items()})


def refused(call):
    """The OperationOutcome that a refused call answers."""
    try:
        call()
    except OperationOutcome as error:
        return error.resource
    raise AssertionError("the request was not refused")


def free_slot(schedule, after_days=1):
    start = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=after_days)
    slots = client.resources("Slot").search(
        schedule=f"Schedule/{schedule}", status="free", start=f"ge{start:%Y-%m-%dT%H:%M:%SZ}"
    )
    return slots.sort("start").first()


def booking(slot, patient, practitioner):
    return client.resource(
        "Appointment",
        status="booked",
        slot=[{"reference": f"Slot/{slot['id']}"}],
        start=slot["start"],
        end=slot["end"],
        participant=[
            {"actor": {"reference": f"Patient/{patient}"}, "status": "accepted"},
            {"actor": {"reference": f"Practitioner/{practitioner}"}, "status": "accepted"},
        ],
    )


def new_patient(value, **more):
    return client.resource("Patient", identifier=[{"system": SYSTEM, "value": f"{RUN}-{value}"}], **more)


@check
def capability_statement():
    statement = client.execute("metadata", method="get")
    assert statement["resourceType"] == "CapabilityStatement" and statement["fhirVersion"] == "4.0.1"
    served = {resource["type"] for resource in statement["rest"][0]["resource"]}
    assert {"Slot", "Schedule", "Appointment", "Patient"} <= served, served


@check
def create_read_update_and_versions():
    patient = new_patient("crud", name=[{"family": "Py", "given": ["Blaise"]}])
    patient.save()
    assert patient.id and patient["meta"]["versionId"] == "1"
    read = client.reference("Patient", patient.id).to_resource()
    assert read.serialize() == patient.serialize()
    read["birthDate"] = "1962-06-19"
    read.save()
    assert read["meta"]["versionId"] == "2" and read["birthDate"] == "1962-06-19"
    first = client.execute(f"Patient/{patient.id}/_history/1", method="get")
    assert "birthDate" not in first


@check
def update_as_create_keeps_the_id():
    patient = client.resource("Patient", id=RUN, name=[{"family": "Chosen"}])
    patient.save()
    assert patient.id == RUN
    assert client.resources("Patient").search(_id=RUN).get()["name"][0]["family"] == "Chosen"


@check
def history_is_newest_first():
    patient = new_patient("history")
    patient.save()
    patient["active"] = False
    patient.save()
    bundle = client.execute(f"Patient/{patient.id}/_history", method="get")
    assert bundle["type"] == "history"
    assert [entry["resource"]["meta"]["versionId"] for entry in bundle["entry"]] == ["2", "1"]


@check
def fhirpath_patch():
    patient = new_patient("patch", active=True)
    patient.save()
    operation = {
        "name": "operation",
        "part": [
            {"name": "type", "valueCode": "replace"},
            {"name": "path", "valueString": "Patient.active"},
            {"name": "value", "valueBoolean": False},
        ],
    }
    body = {"resourceType": "Parameters", "parameter": [operation]}
    patching = with_headers(Content_Type="application/fhir+json")
    patched = patching.execute(f"Patient/{patient.id}", method="patch", data=body)
    assert patched["active"] is False and patched["meta"]["versionId"] == "2"


@check
def json_patch():
    patient = new_patient("json-patch")
    patient.save()
    patching = with_headers(Content_Type="application/json-patch+json")
    body = [{"op": "add", "path": "/gender", "value": "other"}]
    assert patching.execute(f"Patient/{patient.id}", method="patch", data=body)["gender"] == "other"


@check
def conditional_create():
    query = f"identifier={SYSTEM}|{RUN}-conditional"
    creating = with_headers(If_None_Exist=query)
    body = new_patient("conditional").serialize()
    first = creating.execute("Patient", method="post", data=body)
    second = creating.execute("Patient", method="post", data=body)
    assert first["id"] == second["id"] and second["meta"]["versionId"] == "1"


@check
def conditional_update():
    patients = client.resources("Patient").search(identifier=f"{SYSTEM}|{RUN}-upsert")
    created, was_created = patients.update(new_patient("upsert"))
    assert was_created
    updated, was_created = patients.update(new_patient("upsert", active=True))
    assert not was_created and updated.id == created.id and updated["active"] is True


@check
def a_condition_that_matches_several_is_412():
    for _ in range(2):
        new_patient("twins").save()
    try:
        client.resources("Patient").search(identifier=f"{SYSTEM}|{RUN}-twins").update(new_patient("twins"))
    except MultipleResourcesFound:
        return
    raise AssertionError("the condition matches two patients")


@check
def conditional_delete():
    patient = new_patient("delete-me")
    patient.save()
    client.resources("Patient").search(identifier=f"{SYSTEM}|{RUN}-delete-me").delete()
    gone(patient)


@check
def delete():
    patient = new_patient("delete")
    patient.save()
    patient.delete()
    gone(patient)


def gone(patient):
    try:
        client.reference("Patient", patient.id).to_resource()
    except ResourceNotFound:
        return
    raise AssertionError("the patient is still there")


@check
def search_counts_and_sorts():
    schedules = client.resources("Schedule").search(actor="Practitioner/dr-okafor")
    assert schedules.count() == 1
    slots = client.resources("Slot").search(schedule="Schedule/sched-okafor").sort("start").limit(30)
    starts = [slot["start"] for slot in slots.fetch()]
    parsed = [datetime.datetime.fromisoformat(start) for start in starts]
    assert len(parsed) == 30 and parsed == sorted(parsed)


@check
def all_pages_are_fetched():
    slots = client.resources("Slot").search(schedule="Schedule/sched-whitfield").limit(20).fetch_all()
    ids = [slot["id"] for slot in slots]
    assert len(ids) > 60 and len(ids) == len(set(ids))


@check
def chained_search():
    slots = client.resources("Slot").search(**{"schedule.actor": "Practitioner/dr-okafor"}).limit(3).fetch()
    assert len(slots) == 3 and all(s["schedule"]["reference"] == "Schedule/sched-okafor" for s in slots)


@check
def reverse_chained_search():
    patients = client.resources("Patient").search(**{"_has:Appointment:patient:_id": "appt-0001"})
    assert len(patients.fetch()) == 1


@check
def included_resources_come_along():
    bundle = client.resources("Appointment").search(_id="appt-0001").include("Appointment", "slot").fetch_raw()
    modes = {(entry["search"]["mode"], entry["resource"]["resourceType"]) for entry in bundle["entry"]}
    assert modes == {("match", "Appointment"), ("include", "Slot")}, modes


@check
def unknown_parameters_are_named():
    strict = with_headers(Prefer="handling=strict")
    outcome = refused(lambda: strict.resources("Slot").search(colour="blue").fetch())
    assert "colour" in outcome["issue"][0]["diagnostics"], outcome


@check
def mistakes_are_named_with_their_place():
    wrong = client.resource("Slot", status="open", start="2026-02-30T09:00:00Z", comments="x")
    outcome = refused(wrong.save)
    places = {place for issue in outcome["issue"] for place in issue.get("expression", [])}
    assert {"Slot.status", "Slot.start"} <= places, outcome


@check
def a_reference_to_nothing_is_refused():
    outcome = refused(lambda: new_patient("ref", managingOrganization={"reference": "Organization/nobody"}).save())
    assert "Organization/nobody" in str(outcome), outcome


@check
def a_double_booking_is_refused():
    slot = free_slot("sched-whitfield")
    first = booking(slot, "pat-001", "dr-whitfield")
    first.save()
    assert client.reference("Slot", slot["id"]).to_resource()["status"] == "busy"
    answer = requests.post(f"{BASE}/Appointment", json=booking(slot, "pat-002", "dr-whitfield").serialize())
    assert answer.status_code == 409, answer.text
    outcome = refused(booking(slot, "pat-002", "dr-whitfield").save)
    said = " ".join(issue["diagnostics"] for issue in outcome["issue"])
    assert f"Slot/{slot['id']}" in said and "Practitioner/dr-whitfield" in said, outcome
    first["status"] = "cancelled"
    first.save()
    assert client.reference("Slot", slot["id"]).to_resource()["status"] == "free"


@check
def a_group_slot_takes_as_many_as_it_has_seats():
    slot = free_slot("sched-diabetes-group", after_days=15)
    for seat in range(8):
        booking(slot, f"pat-{seat + 20:03}", "dr-nakamura").save()
    assert client.reference("Slot", slot["id"]).to_resource()["status"] == "busy"
    outcome = refused(booking(slot, "pat-040", "dr-nakamura").save)
    assert f"Slot/{slot['id']}" in str(outcome), outcome


@check
def a_booking_is_moved_by_an_update():
    slot = free_slot("sched-lindqvist")
    appointment = booking(slot, "pat-003", "dr-lindqvist")
    appointment.save()
    other = free_slot("sched-lindqvist")
    appointment["slot"] = [{"reference": f"Slot/{other['id']}"}]
    appointment["start"], appointment["end"] = other["start"], other["end"]
    appointment.save()
    assert client.reference("Slot", slot["id"]).to_resource()["status"] == "free"
    assert client.reference("Slot", other["id"]).to_resource()["status"] == "busy"


@check
def batch():
    entries = [
        {"request": {"method": "GET", "url": "Practitioner/dr-okafor"}},
        {"request": {"method": "GET", "url": "Practitioner/dr-nobody"}},
        {"request": {"method": "GET", "url": "Slot?schedule=Schedule/sched-okafor&_count=1"}},
    ]
    bundle = client.execute("", data={"resourceType": "Bundle", "type": "batch", "entry": entries})
    assert [entry["response"]["status"][:3] for entry in bundle["entry"]] == ["200", "404", "200"]


@check
def transaction():
    value = f"{RUN}-transaction"
    entries = [
        {
            "fullUrl": "urn:uuid:0b6c5f2e-6a0c-4d64-9b6e-6f5f3f1f0a01",
            "request": {"method": "POST", "url": "Patient"},
            "resource": new_patient("transaction").serialize(),
        },
        {
            "request": {"method": "POST", "url": "RelatedPerson"},
            "resource": {
                "resourceType": "RelatedPerson",
                "patient": {"reference": "urn:uuid:0b6c5f2e-6a0c-4d64-9b6e-6f5f3f1f0a01"},
            },
        },
    ]
    bundle = client.execute("", data={"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert bundle["type"] == "transaction-response"
    assert [entry["response"]["status"][:3] for entry in bundle["entry"]] == ["201", "201"]
    related = client.resources("RelatedPerson").search(**{"patient.identifier": f"{SYSTEM}|{value}"}).fetch()
    assert len(related) == 1


@check
def an_idempotency_key_books_once():
    slot = free_slot("sched-mensah")
    body = booking(slot, "pat-005", "dr-mensah").serialize()
    keyed = with_headers(Idempotency_Key=f'"{RUN}-key"')
    first = keyed.execute("Appointment", method="post", data=body)
    second = keyed.execute("Appointment", method="post", data=body)
    assert first["id"] == second["id"]


def main():
    failed = 0
    for function in CHECKS:
        try:
            function()
        except Exception:
            failed += 1
            print(f"FAILED fhirpy: {function.__name__.replace('_', ' ')}")
            traceback.print_exc(file=sys.stdout)
    print(f"client fhirpy: {len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
