"""Drives a sandbox with Authlib (PyPI) on requests.

    python authlib_client.py smart.json

Every check is one function; they run in order and the last line counts them.
"""

import os
import time

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from support import ACCOUNTS, BASE, CLIENTS, ORIGIN, Person, booking, check, free_slots
from support import is_alive, is_dead, main, same_scopes

SCOPE = "openid fhirUser offline_access launch/patient patient/Patient.rs patient/Slot.rs patient/Appointment.crus"
METADATA = requests.get(f"{ORIGIN}/.well-known/openid-configuration").json()
OWN = ACCOUNTS["patient"]["fhirUser"].removeprefix("Patient/")
patient = Person(ACCOUNTS["patient"])


class Proof(PrivateKeyJWT):
    """The library's assertion, with an expiry that SMART allows and an id of its own each time."""

    def __init__(self, jwk, lifetime=240):
        super().__init__(alg=jwk["alg"])
        self.kid, self.lifetime = jwk["kid"], lifetime

    def sign(self, auth, token_endpoint):
        self.headers = {"kid": self.kid}
        self.claims = {"exp": int(time.time()) + self.lifetime}
        return super().sign(auth, token_endpoint)


def session(name, scope=SCOPE, lifetime=240, **more):
    """The library's client for a registered application."""
    registered = CLIENTS[name]
    common = {"client_id": registered["id"], "scope": scope, "code_challenge_method": "S256", **more}
    if registered.get("redirectUri"):
        common["redirect_uri"] = registered["redirectUri"]
    jwk = registered.get("privateJwk")
    if jwk is None:
        return OAuth2Session(client_secret=registered.get("secret"), **common)
    made = OAuth2Session(
        client_secret=(ECKey if jwk["kty"] == "EC" else RSAKey).import_key(jwk),
        token_endpoint_auth_method="private_key_jwt",
        revocation_endpoint_auth_method="private_key_jwt",
        **common,
    )
    made.register_client_auth_method(Proof(jwk, lifetime))
    return made


def authorized(app, verifier, nonce):
    """Where the application is sent back to, and the state that it must come with."""
    url, state = app.create_authorization_url(
        METADATA["authorization_endpoint"], code_verifier=verifier, aud=BASE, nonce=nonce
    )
    return patient.authorize(url), state


def launch(app):
    """A launch: its token, with the id_token validated against the published keys."""
    verifier, nonce = generate_token(48), generate_token(24)
    arrived, state = authorized(app, verifier, nonce)
    token = app.fetch_token(
        METADATA["token_endpoint"], authorization_response=arrived, state=state, code_verifier=verifier
    )
    keys = KeySet.import_key_set(requests.get(METADATA["jwks_uri"]).json())
    decoded = jwt.decode(token["id_token"], keys, algorithms=["RS256"])
    options = {
        "iss": {"essential": True, "value": METADATA["issuer"]},
        "aud": {"essential": True, "value": app.client_id},
        "fhirUser": {"essential": True, "value": f"{BASE}/Patient/{OWN}"},
    }
    claims = CodeIDToken(decoded.claims, decoded.header, options, {"nonce": nonce, "client_id": app.client_id})
    claims.validate()
    assert claims["nonce"] == nonce
    return token


def book(app, who, practitioner):
    """Books with the library's session."""
    slots = app.get(f"{BASE}/Slot", params=free_slots(practitioner))
    slot = slots.json()["entry"][0]["resource"]
    assert slot["status"] == "free"
    made = app.post(f"{BASE}/Appointment", json=booking(slot, who, practitioner))
    assert made.status_code == 201 and made.json()["status"] == "booked", made.text
    assert app.get(f"{BASE}/Slot/{slot['id']}").json()["status"] == "busy"
    again = app.post(f"{BASE}/Appointment", json=booking(slot, who, practitioner))
    assert again.status_code == 409, again.text


def refused(call, error):
    try:
        call()
    except OAuthError as caught:
        assert caught.error == error, caught
        return
    raise AssertionError("the request was not refused")


def for_each_kind(function):
    """A check for each kind of client for people."""
    for name in ("public", "secret", "key"):

        def of_kind(name=name):
            function(name)

        of_kind.__name__ = f"{name}: {function.__name__}"
        check(of_kind)


apps = {}


@for_each_kind
def is_launched_with_a_valid_id_token(name):
    app = apps[name] = session(name)
    token = launch(app)
    same_scopes(token["scope"], SCOPE)
    assert token["patient"] == OWN
    assert app.get(f"{BASE}/Patient/{OWN}").json()["id"] == OWN


@for_each_kind
def books_and_the_slot_is_busy(name):
    book(apps[name], OWN, "dr-chaudhary")


@for_each_kind
def what_was_not_granted_is_refused(name):
    assert apps[name].get(f"{BASE}/Encounter", params={"_count": 1}).status_code == 403
    assert apps[name].get(f"{BASE}/Patient/pat-008").status_code == 404


@for_each_kind
def refreshes_and_a_refresh_token_used_again_ends_its_family(name):
    app = apps[name]
    first = dict(app.token)
    second = dict(app.refresh_token(METADATA["token_endpoint"]))
    assert second["access_token"] != first["access_token"]
    assert second["refresh_token"] != first["refresh_token"]
    same_scopes(second["scope"], SCOPE)
    is_alive(second["access_token"])
    refused(lambda: app.refresh_token(METADATA["token_endpoint"], first["refresh_token"]), "invalid_grant")
    refused(lambda: app.refresh_token(METADATA["token_endpoint"], second["refresh_token"]), "invalid_grant")
    is_dead(first["access_token"])
    is_dead(second["access_token"])


@for_each_kind
def gives_its_tokens_back(name):
    app = session(name)
    token = launch(app)
    is_alive(token["access_token"])
    answer = app.revoke_token(METADATA["revocation_endpoint"], token["access_token"], "access_token")
    assert answer.status_code == 200, answer.text
    is_dead(token["access_token"])
    refreshed = app.refresh_token(METADATA["token_endpoint"], token["refresh_token"])
    is_alive(refreshed["access_token"])
    answer = app.revoke_token(METADATA["revocation_endpoint"], refreshed["refresh_token"], "refresh_token")
    assert answer.status_code == 200, answer.text
    is_dead(refreshed["access_token"])
    refused(lambda: app.refresh_token(METADATA["token_endpoint"], refreshed["refresh_token"]), "invalid_grant")


@for_each_kind
def a_code_without_its_verifier_is_good_for_nothing(name):
    app = session(name)
    arrived, state = authorized(app, generate_token(48), generate_token(24))
    answer = {"authorization_response": arrived, "state": state}
    endpoint = METADATA["token_endpoint"]
    refused(lambda: app.fetch_token(endpoint, code_verifier=generate_token(48), **answer), "invalid_grant")


@check
def a_code_without_a_challenge_is_not_given():
    app = session("secret")
    url, _ = app.create_authorization_url(METADATA["authorization_endpoint"], aud=BASE)
    assert "error=invalid_request" in patient.authorize(url)


@check
def a_confidential_client_asks_what_its_own_token_means():
    app = session("secret")
    token = launch(app)
    told = app.introspect_token(METADATA["introspection_endpoint"], token["access_token"]).json()
    assert told["active"] is True and told["patient"] == OWN and told["client_id"] == app.client_id
    app.revoke_token(METADATA["revocation_endpoint"], token["refresh_token"])
    told = app.introspect_token(METADATA["introspection_endpoint"], token["access_token"]).json()
    assert told == {"active": False}, told


def system(scope=CLIENTS["system"]["scope"], **more):
    app = session("system", scope=scope, **more)
    return app, lambda: app.fetch_token(METADATA["token_endpoint"], grant_type="client_credentials", scope=scope)


@check
def a_system_client_gets_a_short_token_by_its_key_and_books():
    app, fetch = system()
    token = fetch()
    same_scopes(token["scope"], CLIENTS["system"]["scope"])
    assert 0 < token["expires_in"] <= 300 and "refresh_token" not in token
    book(app, "pat-015", "dr-chaudhary")
    told = app.introspect_token(METADATA["introspection_endpoint"], token["access_token"]).json()
    assert told["active"] is True and told["sub"] == CLIENTS["system"]["id"]
    assert app.revoke_token(METADATA["revocation_endpoint"], token["access_token"]).status_code == 200
    is_dead(token["access_token"])


@check
def an_assertion_that_lasts_an_hour_is_refused():
    _, fetch = system(lifetime=3600)
    refused(fetch, "invalid_client")


@check
def a_system_client_gets_no_more_than_it_is_registered_for():
    _, fetch = system(scope="system/Encounter.rs")
    refused(fetch, "invalid_scope")


main("authlib")
