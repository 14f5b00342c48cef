"""Subscribes at a sandbox server and verifies what comes with standardwebhooks (PyPI).

    python receive.py http://127.0.0.1:8080/fhir

Every check is one function; the last line counts them.
"""

import datetime
import http.cookiejar
import http.server
import json
import re
import sys
import threading
import time
import traceback
import urllib.parse
import urllib.request

from standardwebhooks import Webhook, WebhookVerificationError

BASE = sys.argv[1]
BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition"
HEARD = []
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        HEARD.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def ask(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{BASE}/{path}", data=data, method=method)
    if data is not None:
        request.add_header("content-type", "application/fhir+json")
    with urllib.request.urlopen(request) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def until(enough):
    for _ in range(600):
        if enough():
            return
        time.sleep(0.05)
    raise AssertionError(f"only {len(HEARD)} came")


def events():
    return [one for one in HEARD if b'"appointment-booked"' in one[1]]


def secret(subscription):
    answer = ask("POST", f"Subscription/{subscription}/$rotate-secret", {
        "resourceType": "Parameters", "parameter": [{"name": "kind", "valueCode": "hmac"}],
    })
    return next(one["valueString"] for one in answer["parameter"] if one["name"] == "key")


def book(place):
    tomorrow = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
    found = ask("GET", f"Slot?status=free&start=ge{tomorrow:%Y-%m-%dT%H:%M:%SZ}&_sort=-start&_count=20"
                       "&schedule=Schedule/sched-okafor")
    slot = found["entry"][place]["resource"]
    return ask("POST", "Appointment", {
        "resourceType": "Appointment", "status": "booked", "slot": [{"reference": f"Slot/{slot['id']}"}],
        "start": slot["start"], "end": slot["end"],
        "participant": [
            {"actor": {"reference": "Patient/pat-002"}, "status": "accepted"},
            {"actor": {"reference": "Practitioner/dr-okafor"}, "status": "accepted"},
        ],
    })


class State:
    id = None
    secret = None


@check
def a_handshake_comes_first():
    made = ask("POST", "Subscription", {
        "resourceType": "Subscription", "status": "requested", "reason": "test",
        "criteria": "https://slotwright.org/fhir/SubscriptionTopic/appointment-booked",
        "channel": {
            "type": "rest-hook", "endpoint": f"http://127.0.0.1:{server.server_port}/hook", "payload": "application/json",
            "_payload": {"extension": [{"url": f"{BACKPORT}/backport-payload-content", "valueCode": "id-only"}]},
        },
    })
    State.id = made["id"]
    until(lambda: HEARD)
    assert json.loads(HEARD[0][1])["type"] == "handshake"
    State.secret = secret(State.id)


@check
def bookings_are_verified_one_by_one():
    booked = [book(0)["id"], book(0)["id"]]
    until(lambda: len(events()) >= 2)
    for number, ((headers, body), appointment) in enumerate(zip(events(), booked), 1):
        told = Webhook(State.secret).verify(body, headers)
        assert told["type"] == "appointment-booked", told
        assert told["data"]["number"] == number and told["data"]["resource"].endswith(f"/Appointment/{appointment}"), told
        assert len(body) < 20_000
    assert len({headers["webhook-id"] for headers, _ in HEARD}) == len(HEARD)


@check
def what_was_changed_is_not_verified():
    headers, body = events()[0]
    for wrong in [
        (body.replace(b"booked", b"booted"), headers, State.secret),
        (body, {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}, State.secret),
        (body, headers, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ]:
        try:
            Webhook(wrong[2]).verify(wrong[0], wrong[1])
        except WebhookVerificationError:
            continue
        raise AssertionError(f"verified: {wrong}")


def administrator():
    """A browser in which the sandbox's administrator is signed in."""
    origin = BASE.removesuffix("/fhir")
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    page = browser.open(f"{origin}/sign-in").read().decode()
    hidden = re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', page[page.index('action="/sign-in"'):])
    fields = {**dict(reversed(hidden)), "username": "administrator", "password": "quiet harbor lantern"}
    browser.open(f"{origin}/sign-in", urllib.parse.urlencode(fields).encode())

    def call(method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{origin}/admin/{path}", data=data, method=method)
        request.add_header("content-type", "application/json")
        with browser.open(request) as answer:
            return json.loads(answer.read() or "null")

    return call


@check
def a_webhook_of_an_administrator_is_verified_from_its_handshake_on():
    admin = administrator()
    before = len(HEARD)
    made = admin("POST", "webhooks", {
        "url": f"http://127.0.0.1:{server.server_port}/plain", "event": "appointment-booked",
        "client_id": "sandbox-system", "description": "Reminders",
    })
    webhook = Webhook(made["secret"])

    def told():
        return [one for one in HEARD[before:] if made["id"].encode() in one[1]]

    until(lambda: told())
    assert webhook.verify(told()[0][1], told()[0][0])["type"] == "handshake"
    for _ in range(600):
        if admin("GET", f"webhooks/{made['id']}")["status"] == "active":
            break
        time.sleep(0.05)
    booked = book(0)["id"]
    until(lambda: len(told()) >= 2)
    headers, body = told()[1]
    event = webhook.verify(body, headers)
    assert event["type"] == "appointment-booked" and event["data"]["resource"].endswith(booked), event
    assert "secret" not in admin("GET", "webhooks")["webhooks"][0]
    admin("DELETE", f"webhooks/{made['id']}")
    assert admin("GET", "webhooks")["webhooks"] == []


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
failed = 0
for one in CHECKS:
    try:
        one()
    except Exception:
        failed += 1
        print(f"FAILED standardwebhooks (PyPI): {one.__name__}")
        traceback.print_exc(file=sys.stdout)
if State.id:
    ask("DELETE", f"Subscription/{State.id}")
print(f"client standardwebhooks-pypi: {len(CHECKS) - failed} passed, {failed} failed")
sys.exit(1 if failed else 0)
