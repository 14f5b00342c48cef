"""Drives a sandbox with fhirclient (PyPI).

    python fhirclient_pypi.py smart.json

Every check is one function; they run in order and the last line counts them.
"""

import logging
import time
import uuid

import requests
from fhirclient import client as smart
from fhirclient.models.appointment import Appointment
from fhirclient.models.patient import Patient
from fhirclient.models.slot import Slot
from fhirclient.server import FHIRPermissionDeniedException, FHIRUnauthorizedException
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from support import ACCOUNTS, BASE, CLIENTS, ORIGIN, Person, booking, check, free_slots
from support import is_alive, is_dead, main, same_scopes

# It warns of every id_token that it does not use.
logging.getLogger("fhirclient").setLevel(logging.ERROR)

RESOURCES = "openid fhirUser offline_access patient/Patient.rs patient/Slot.rs patient/Appointment.crus"
# The library asks for this one itself.
SCOPE = f"launch/patient {RESOURCES}"
OWN = ACCOUNTS["patient"]["fhirUser"].removeprefix("Patient/")
patient = Person(ACCOUNTS["patient"])
staff = Person(ACCOUNTS["staff"])


def settings(name, **more):
    registered = CLIENTS[name]
    return {
        "app_id": registered["id"],
        "app_secret": registered.get("secret"),
        "redirect_uri": registered.get("redirectUri"),
        "api_base": BASE,
        "scope": RESOURCES,
        **more,
    }


def launch(name):
    app = smart.FHIRClient(settings=settings(name))
    assert not app.prepare(), "the library takes the server for an open one"
    app.handle_callback(patient.authorize(app.authorize_url))
    assert app.ready
    return app


def book(app, who, practitioner):
    """Books by the library's models; the slot after it."""
    slot = Slot.where(struct=free_slots(practitioner)).perform_resources(app.server)[0]
    assert slot.status == "free"
    appointment = Appointment(booking(slot.as_json(), who, practitioner))
    made = appointment.create(app.server)
    assert made["status"] == "booked" and made["id"], made
    try:
        Appointment(booking(slot.as_json(), who, practitioner)).create(app.server)
    except requests.HTTPError as error:
        assert error.response.status_code == 409, error.response.text
    else:
        raise AssertionError("the slot was sold twice")
    return Slot.read(slot.id, app.server)


def refused(call, status, error):
    """Insists on an OAuth error; the library has no words for most of them."""
    try:
        call()
    except FHIRUnauthorizedException as caught:
        answer = caught.response
    except requests.HTTPError as caught:
        answer = caught.response
    else:
        raise AssertionError("the request was not refused")
    assert answer.status_code == status and answer.json()["error"] == error, answer.text


def revoke(app, token):
    """The library can't revoke: what an application does by itself."""
    auth = (app.app_id, app.app_secret) if app.app_secret else None
    answer = requests.post(f"{ORIGIN}/oauth/revoke", data={"client_id": app.app_id, "token": token}, auth=auth)
    assert answer.status_code == 200, answer.text


def for_each_kind(function):
    """A check for a public client and for one with a secret."""
    for name in ("public", "secret"):

        def of_kind(name=name):
            function(name)

        of_kind.__name__ = f"{name}: {function.__name__}"
        check(of_kind)


apps = {}


@for_each_kind
def is_launched_by_itself(name):
    app = apps[name] = launch(name)
    same_scopes(app.launch_context["scope"], SCOPE)
    assert app.patient_id == OWN and app.patient.id == OWN


@for_each_kind
def books_and_the_slot_is_busy(name):
    assert book(apps[name], OWN, "dr-ramirez").status == "busy"


@for_each_kind
def what_was_not_granted_is_refused(name):
    try:
        apps[name].server.request_json("Encounter?_count=1")
    except FHIRPermissionDeniedException:
        return
    raise AssertionError("the application has no scope for encounters")


@for_each_kind
def refreshes_and_a_refresh_token_used_again_ends_its_family(name):
    app = apps[name]
    auth = app.server.auth
    first = (auth.access_token, auth.refresh_token)
    assert app.reauthorize()
    second = (auth.access_token, auth.refresh_token)
    assert second[0] != first[0] and second[1] != first[1]
    same_scopes(app.launch_context["scope"], SCOPE)
    assert Patient.read(OWN, app.server).id == OWN
    auth.refresh_token = first[1]
    refused(app.reauthorize, 400, "invalid_grant")
    auth.refresh_token = second[1]
    refused(app.reauthorize, 400, "invalid_grant")
    is_dead(first[0])
    is_dead(second[0])


@for_each_kind
def gives_its_tokens_back(name):
    app = launch(name)
    auth = app.server.auth
    is_alive(auth.access_token)
    revoke(app, auth.refresh_token)
    is_dead(auth.access_token)
    refused(app.reauthorize, 400, "invalid_grant")


@check
def a_wrong_secret_gets_no_token():
    app = smart.FHIRClient(settings=settings("secret", app_secret="guessed"))
    app.prepare()
    arrived = patient.authorize(app.authorize_url)
    refused(lambda: app.handle_callback(arrived), 401, "invalid_client")


@check
def a_code_is_good_once():
    app = smart.FHIRClient(settings=settings("public"))
    app.prepare()
    arrived = patient.authorize(app.authorize_url)
    app.handle_callback(arrived)
    token = app.server.auth.access_token
    is_alive(token)
    refused(lambda: app.handle_callback(arrived), 400, "invalid_grant")
    is_dead(token)


@check
def who_says_no_is_heard():
    app = smart.FHIRClient(settings=settings("public"))
    app.prepare()
    arrived = patient.authorize(app.authorize_url, deny=True)
    assert "error=access_denied" in arrived
    try:
        app.handle_callback(arrived)
    except Exception:
        assert not app.ready
        return
    raise AssertionError("the library took a refusal for a code")


def assertion(**claims):
    """A client assertion, which the library leaves to the application to make."""
    registered = CLIENTS["system"]
    jwk = registered["privateJwk"]
    key = (ECKey if jwk["kty"] == "EC" else RSAKey).import_key(jwk)
    usual = {
        "iss": registered["id"],
        "sub": registered["id"],
        "aud": f"{ORIGIN}/oauth/token",
        "jti": str(uuid.uuid4()),
        "exp": int(time.time()) + 240,
    }
    header = {"alg": jwk["alg"], "kid": jwk["kid"], "typ": "JWT"}
    return jwt.encode(header, {**usual, **claims}, key, algorithms=[jwk["alg"]])


def system_app(token):
    registered = CLIENTS["system"]
    app = smart.FHIRClient(settings=settings("system", scope=registered["scope"], jwt_token=token))
    app.wants_patient = False
    app.prepare()
    return app


@check
def a_system_client_authorizes_by_its_key_and_books():
    app = system_app(assertion())
    app.authorize()
    assert app.server.auth.refresh_token is None
    same_scopes(app.launch_context["scope"], CLIENTS["system"]["scope"])
    assert book(app, "pat-013", "dr-ramirez").status == "busy"


@check
def an_assertion_for_another_server_is_refused():
    app = system_app(assertion(aud="https://elsewhere.example/oauth/token"))
    refused(app.authorize, 401, "invalid_client")


@check
def staff_pick_the_patient_of_an_application():
    app = smart.FHIRClient(settings=settings("ehr", scope="openid fhirUser user/Patient.rs user/Slot.rs"))
    app.prepare()
    family = requests.get(f"{BASE}/Patient/pat-014").json()["name"][0]["family"]
    app.handle_callback(staff.authorize(app.authorize_url, family=family, patient="pat-014"))
    assert app.patient_id == "pat-014" and app.patient.id == "pat-014"
    revoke(app, app.server.auth.access_token)
    is_dead(app.server.auth.access_token)


main("fhirclient-pypi")
