"""What the drivers of SMART clients in Python share: counting checks, a person at a small browser, booking."""

import datetime
import html.parser
import json
import sys
import traceback
import urllib.parse

import requests

with open(sys.argv[1], encoding="utf-8") as file:
    CONFIG = json.load(file)
ORIGIN, BASE, APP = CONFIG["origin"], CONFIG["base"], CONFIG["app"]
CLIENTS, ACCOUNTS = CONFIG["clients"], CONFIG["accounts"]
CHECKS = []


def check(function):
    """One check; its name is its sentence."""
    CHECKS.append(function)
    return function


def main(name):
    """Runs the checks in their order and prints the count."""
    failed = 0
    for function in CHECKS:
        try:
            function()
        except Exception:
            failed += 1
            print(f"FAILED {name}: {function.__name__.replace('_', ' ')}")
            traceback.print_exc(file=sys.stdout)
    print(f"client {name}: {len(CHECKS) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


class Forms(html.parser.HTMLParser):
    """The forms of a page with what a browser would send, and its links."""

    def __init__(self, text):
        super().__init__()
        self.forms, self.links, self.inside = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag == "form":
            self.inside = True
            self.forms.append({"action": attributes.get("action"), "fields": []})
        elif tag == "a":
            self.links.append(attributes.get("href", ""))
        elif tag == "input" and self.inside:
            box = attributes.get("type") == "checkbox"
            if "name" in attributes and (not box or "checked" in attributes):
                self.forms[-1]["fields"].append((attributes["name"], attributes.get("value") or ""))

    def handle_endtag(self, tag):
        if tag == "form":
            self.inside = False

    def to(self, prefix):
        """The form that goes to a path that begins so."""
        for form in self.forms:
            if (form["action"] or "").startswith(prefix):
                return form
        raise AssertionError(f"no form goes to {prefix}: {self.forms}")


class Person:
    """Somebody with an account and a browser without scripts, which our pages do not need."""

    def __init__(self, account):
        self.account = account
        self.browser = requests.Session()

    def submit(self, page, prefix, **fields):
        form = Forms(page.text).to(prefix)
        kept = [(name, value) for name, value in form["fields"] if name not in fields]
        url = urllib.parse.urljoin(page.url, form["action"])
        return self.browser.post(url, data=kept + list(fields.items()), allow_redirects=False)

    def authorize(self, url, family=None, patient=None, deny=False):
        """Goes through the pages and answers them; gives the URL that the application is sent."""
        page = self.browser.get(url, allow_redirects=False)
        for _ in range(12):
            if page.is_redirect:
                target = urllib.parse.urljoin(page.url, page.headers["location"])
                if target.startswith(f"{APP}/"):
                    return target
                page = self.browser.get(target, allow_redirects=False)
                continue
            assert page.status_code == 200, f"{page.status_code} {page.text}"
            path = urllib.parse.urlsplit(page.url).path
            if path == "/sign-in":
                known = {name: self.account[name] for name in ("username", "password")}
                page = self.submit(page, "/sign-in", **known)
            elif path.startswith("/pick-patient/"):
                links = [link for link in Forms(page.text).links if f"patient={patient}" in link]
                if links:
                    page = self.browser.get(urllib.parse.urljoin(page.url, links[0]), allow_redirects=False)
                else:
                    assert patient and family, "a patient must be picked"
                    page = self.submit(page, "/pick-patient/", name=family)
            else:
                assert path.startswith("/consent/"), path
                page = self.submit(page, "/consent/", decision="deny" if deny else "approve")
        raise AssertionError("the pages lead nowhere")


def free_slots(practitioner):
    """What the next free slot is searched by, from a day ahead."""
    start = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
    schedule = practitioner.replace("dr-", "Schedule/sched-")
    return {
        "schedule": schedule,
        "status": "free",
        "start": f"ge{start:%Y-%m-%dT%H:%M:%SZ}",
        "_sort": "start",
        "_count": "1",
    }


def booking(slot, patient, practitioner):
    return {
        "resourceType": "Appointment",
        "status": "booked",
        "slot": [{"reference": f"Slot/{slot['id']}"}],
        "start": slot["start"],
        "end": slot["end"],
        "participant": [
            {"actor": {"reference": f"Patient/{patient}"}, "status": "accepted"},
            {"actor": {"reference": f"Practitioner/{practitioner}"}, "status": "accepted"},
        ],
    }


def status(token, target="Slot?_count=1"):
    """What a read with an access token answers."""
    answer = requests.get(f"{BASE}/{target}", headers={"Authorization": f"Bearer {token}"})
    return answer.status_code


def is_alive(token):
    assert status(token) == 200


def is_dead(token):
    assert status(token) == 401


def same_scopes(given, wanted):
    assert sorted(given.split()) == sorted(wanted.split()), given
