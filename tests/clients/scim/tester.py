"""Drives the SCIM endpoint with scim2-tester and scim2-client.

    tester.py SCIM_BASE TOKEN

The tester finds out what is served by itself, and tries every attribute of users. Values are random, which two
attributes can't take: their meaning is checked. Groups are roles, whose names are not random either; they are driven
with scim2-client below.
"""

import sys
import uuid

import httpx2
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_models import PatchOp, PatchOperation
from scim2_tester import Status, check_server

# What random text is refused for, as it should be: a resource that stands for the person.
MEANT = ["fhirUser", "urn:slotwright:params:scim:schemas:extension:fhir:2.0:User"]

passed = failed = 0


def check(name, problem=None):
    global passed, failed
    if problem:
        failed += 1
        print(f"FAILED client scim: {name}: {problem}")
    else:
        passed += 1


def run_tester(client):
    for result in check_server(client, resource_types=["User"]):
        if result.status == Status.SUCCESS:
            check(result.title)
        elif result.status in (Status.ERROR, Status.CRITICAL):
            meant = any(name in str(result.reason) for name in MEANT)
            check(result.title, None if meant else result.reason)


def run_groups(client):
    user = client.get_resource_model("User")
    group = client.get_resource_model("Group")
    names = [f"scim-{uuid.uuid4()}" for _ in range(2)]
    one, other = (client.create(user(user_name=name, display_name=name)) for name in names)
    made = client.create(group(display_name="clinician", members=[{"value": one.id}]))
    # Those whom an administrator gave the role stay members whatever a source says.
    others = {member.value for member in made.members} - {one.id}
    check("a group is made", None if one.id in {m.value for m in made.members} else made.members)
    add = PatchOperation(op=PatchOperation.Op.add, path="members", value=[{"value": other.id}])
    changed = client.modify(group, made.id, PatchOp[group](operations=[add]))
    members = {member.value for member in changed.members}
    check("a member is added", None if members == others | {one.id, other.id} else members)
    remove = PatchOperation(op=PatchOperation.Op.remove, path=f'members[value eq "{one.id}"]')
    changed = client.modify(group, made.id, PatchOp[group](operations=[remove]))
    members = {member.value for member in changed.members}
    check("a member is removed", None if members == others | {other.id} else members)
    found = client.query(user, other.id)
    check("a user has groups", None if [g.display for g in found.groups or []] == ["clinician"] else found.groups)
    listed = client.query(group, query_parameters={"filter": 'displayName eq "clinician"'})
    check("a group is found", None if listed.total_results == 1 else listed.total_results)
    client.delete(group, made.id)
    check("roles end with the group", None if not client.query(user, other.id).groups else "still there")
    for made in one, other:
        client.delete(user, made.id)


def main():
    base, token = sys.argv[1:]
    http = httpx2.Client(base_url=base, headers={"Authorization": f"Bearer {token}"}, trust_env=False)
    client = SyncSCIMClient(http)
    run_tester(client)
    run_groups(client)
    print(f"client scim: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
