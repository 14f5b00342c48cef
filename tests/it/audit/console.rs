//! The console for compliance officers: who gets in, what the filters show, and what is on the record of it.

use super::coverage::of_request;
use crate::pages::browser::{Browser, Page, account};
use crate::support::clinic::seed;
use crate::support::{Client, Engine, TestApp, both_engines, text};
use serde_json::{Value, json};
use slotwright::audit::terms::Terms;
use slotwright::auth::principal::Role;
use slotwright::store::audit::page::{List, statement};
use slotwright::store::audit::postings;
use std::collections::BTreeSet;

/// A compliance officer who is signed in, and the id of her account.
pub async fn officer(app: &TestApp) -> (Browser, String) {
    let id = account(app, "cora", &[Role::Compliance], None).await;
    let mut cora = Browser::new(app);
    cora.sign_in("cora").await;
    (cora, id)
}

/// Ids of the events that a page lists, in its order.
fn listed(page: &Page) -> Vec<String> {
    let links = page.html.split("href=\"/console/audit/events/").skip(1);
    links.map(|rest| rest.split('"').next().unwrap_or_default().to_owned()).collect()
}

/// Where the page's link to older events leads.
fn older(page: &Page) -> Option<String> {
    let link = page.html.split("rel=\"next\"").next().filter(|before| before.len() < page.html.len())?;
    let link = link.rsplit("href=\"").next()?.split('"').next()?;
    Some(link.replace("&#38;", "&").replace("&amp;", "&"))
}

/// All that a filter shows, read to its end.
async fn all(browser: &mut Browser, query: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut next = Some(format!("/console/audit?{query}"));
    while let Some(path) = next {
        let page = browser.get(&path).await.is(200);
        found.extend(listed(&page));
        next = older(&page);
    }
    found
}

async fn used(app: &TestApp) -> Client {
    seed(app).await;
    let reader = app.system("reader", "system/Patient.rs system/Slot.rs").await;
    for turn in 0..30 {
        let _ = reader.get(&format!("Patient/pat-{}", turn % 3 + 1)).await.is(200);
        let _ = reader.get("Appointment").await.is(403);
    }
    let _ = reader.get("Patient?_id=pat-1").await.is(200);
    let _ = app.delete("Patient/pat-3").await;
    let named = app.request(reqwest::Method::GET, "Patient/pat-2").header("x-request-id", "the-one");
    let _ = named.send().await.is(200);
    let mut pat = Browser::new(app);
    account(app, "pat", &[Role::Patient], Some("Patient/pat-1")).await;
    pat.sign_in("pat").await;
    reader
}

/// What a filter should show: the events that are so, the newest first.
fn expected(events: &[Value], query: &str) -> Vec<String> {
    let wanted: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let holds = |event: &&Value| {
        let terms = Terms::of(event.to_string().as_bytes());
        wanted.iter().all(|(name, value)| match name.as_str() {
            "type" => terms.kind == *value,
            "action" => terms.action == *value,
            "outcome" => terms.outcome.to_string() == *value,
            "subtype" => terms.words.contains(&format!("s:{value}")),
            "patient" => terms.words.contains(&format!("r:Patient/{value}")),
            "user" | "request" => terms.words.contains(&format!("i:{value}")),
            "address" => terms.words.contains(&format!("a:{value}")),
            "from" => text(event, "/recorded") >= value.as_str(),
            "until" => text(event, "/recorded") < value.as_str(),
            other => panic!("{other}"),
        })
    };
    events.iter().rev().filter(holds).map(|event| text(event, "/id").to_owned()).collect()
}

both_engines! {
    async fn every_filter_and_every_pair_of_them_shows_what_is_so(app: TestApp) {
        let _ = used(&app).await;
        let (mut cora, id) = officer(&app).await;
        let events = app.audit_events().await;
        let middle = text(&events[events.len() / 2], "/recorded").to_owned();
        // What the officer does while looking is not part of it.
        let last = text(events.last().unwrap(), "/recorded").to_owned();
        let end = format!("until={last}");
        let single = [
            "type=rest".to_owned(), "type=110114".to_owned(), "action=R".to_owned(), "action=D".to_owned(),
            "action=C".to_owned(), "outcome=0".to_owned(), "outcome=8".to_owned(), "outcome=12".to_owned(),
            "subtype=read".to_owned(), "subtype=110122".to_owned(), "patient=pat-1".to_owned(),
            "patient=nobody".to_owned(), "user=reader".to_owned(), format!("user={id}"), "address=127.0.0.1".to_owned(),
            "request=the-one".to_owned(), format!("from={middle}"),
        ];
        let mut seen = 0;
        for (place, one) in single.iter().enumerate() {
            for other in single.iter().skip(place) {
                let pair = if one == other { one.clone() } else { format!("{one}&{other}") };
                if one != other && one.split('=').next() == other.split('=').next() {
                    continue;
                }
                let query = format!("{pair}&{end}");
                let (shown, wanted) = (all(&mut cora, &query).await, expected(&events, &query));
                assert_eq!(shown, wanted, "{query}");
                seen += usize::from(!wanted.is_empty());
            }
        }
        assert!(seen > 40, "{seen} filters showed something");
        let page = cora.get(&format!("/console/audit?user=reader&{end}")).await.is(200);
        assert_eq!(listed(&page).len(), 50);
        // By the username, and by a page of one request.
        assert_eq!(all(&mut cora, &format!("user=pat&{end}")).await.len(), 1);
        let one = cora.get("/console/audit?request=the-one").await.is(200);
        assert_eq!(listed(&one).len(), 1);
        for told in ["pat-2", "Read", "Success", "127.0.0.1", ">tests<"] {
            assert!(one.says(told), "{told}: {}", one.html);
        }
        cora.get("/console/audit?from=yesterday").await.is(422);
    }

    async fn looking_is_on_the_record(app: TestApp) {
        seed(&app).await;
        let (mut cora, id) = officer(&app).await;
        app.sequence().await;
        let events = app.audit_events().await;
        let event = events.iter().find(|event| event.to_string().contains("Patient/pat-1")).unwrap();
        let event = text(event, "/id").to_owned();
        let looks = [
            ("list", "/console/audit?patient=pat-1".to_owned(), "110101"),
            ("event", format!("/console/audit/events/{event}"), "110101"),
            ("proof", format!("/console/audit/events/{event}/proof"), "110101"),
            ("reports", "/console/audit/reports".to_owned(), "110101"),
            ("reviews", "/console/audit/reviews".to_owned(), "110101"),
            ("account", "/console/audit/disclosures?patient=pat-1".to_owned(), "110101"),
            ("account-csv", "/console/audit/disclosures.csv?patient=pat-1".to_owned(), "110106"),
            ("findings-csv", "/console/audit/reports.csv".to_owned(), "110106"),
            ("findings-json", "/console/audit/reports.json".to_owned(), "110106"),
            ("recipients", "/console/audit/recipients".to_owned(), "110101"),
            ("checkpoint", "/console/audit/checkpoint".to_owned(), "110101"),
        ];
        for (name, path, _) in &looks {
            cora.headers = vec![("x-request-id", (*name).to_owned())];
            let page = cora.get(path).await.is(200);
            assert_eq!(page.header("cache-control"), "no-store", "{path}");
        }
        let events = app.audit_events().await;
        for (name, path, kind) in &looks {
            let [event] = of_request(&events, name)[..] else { panic!("{name}") };
            assert_eq!((text(event, "/type/code"), text(event, "/outcome")), (*kind, "0"), "{name}");
            assert!(event.to_string().contains(&id), "{name}: {event}");
            assert_eq!(event.to_string().contains("Patient/pat-1"), path.contains("patient=pat-1") || *name == "event", "{name}: {event}");
        }
    }

    async fn the_console_is_for_officers_alone(app: TestApp) {
        seed(&app).await;
        app.sequence().await;
        let paths = [
            "/console/audit", "/console/audit/events/x", "/console/audit/events/x/proof", "/console/audit/checkpoint",
            "/console/audit/reports", "/console/audit/reports.csv", "/console/audit/reports.json",
            "/console/audit/findings/x", "/console/audit/reviews", "/console/audit/disclosures?patient=pat-1",
            "/console/audit/disclosures.csv?patient=pat-1", "/console/audit/recipients",
        ];
        let posts = ["/console/audit/export", "/console/audit/reviews", "/console/audit/recipients"];
        let mut nobody = Browser::new(&app);
        for path in paths {
            let page = nobody.get(path).await.is(303);
            assert!(page.location().starts_with("/sign-in?return=%2Fconsole%2Faudit"), "{}", page.location());
        }
        for (username, role) in [("pia", Role::Patient), ("sam", Role::Scheduler), ("ada", Role::Administrator), ("dora", Role::Clinician)] {
            account(&app, username, &[role], None).await;
            let mut browser = Browser::new(&app);
            browser.sign_in(username).await;
            for path in paths {
                browser.get(path).await.is(403);
            }
            let (_, token) = browser.get("/account").await.hidden("/sign-out").swap_remove(0);
            for path in posts {
                let fields = [("token", token.as_str()), ("kind", "period"), ("from", "2020-01-01"), ("until", "2040-01-01"),
                    ("note", "x"), ("recipient", "client:tests")];
                browser.post(path, &fields).await.is(403);
            }
            assert!(!browser.get("/account").await.says("/console/audit"), "{username}");
        }
        // An officer's own browser, led by another site.
        let (mut cora, _) = officer(&app).await;
        assert!(cora.get("/account").await.says("/console/audit"));
        for path in posts {
            cora.post(path, &[("kind", "period"), ("from", "2020-01-01"), ("until", "2040-01-01"), ("note", "x")]).await.is(403);
        }
        assert_eq!(app.database().number("SELECT COUNT(*) FROM audit_review").await, 0);
    }

    async fn what_others_wrote_runs_nothing_and_hides_nothing(app: TestApp) {
        seed(&app).await;
        let evil = "<script>alert(1)</script><img src=x onerror=alert(1)>\u{202e}\"'";
        let ehr = app.system("ehr", "system/AuditEvent.c").await;
        let report = json!({
            "resourceType": "AuditEvent",
            "type": { "system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest" },
            "subtype": [{ "system": "urn:x", "code": "<b>sub" }], "outcomeDesc": evil,
            "recorded": "2031-02-28T10:00:00Z",
            "agent": [{ "who": { "display": evil }, "requestor": true, "name": evil,
                "network": { "address": "\"><script>alert(2)</script>" } }],
            "source": { "observer": { "display": evil } },
            "entity": [{ "what": { "reference": "Patient/pat-1" }, "description": evil,
                "detail": [{ "type": evil, "valueString": evil }] }]
        });
        let made = ehr.post("AuditEvent", &report).await.is(201);
        let query = form_urlencoded::byte_serialize(evil.as_bytes()).collect::<String>();
        let _ = app.request(reqwest::Method::GET, &format!("Patient?name={query}")).header("user-agent", evil)
            .header("x-request-id", "search").send().await;
        app.sequence().await;
        let (mut cora, _) = officer(&app).await;
        let pages = [
            format!("/console/audit?patient=pat-1&user={query}&address={query}&request={query}&from=2020-01-01"),
            "/console/audit?patient=pat-1".to_owned(),
            "/console/audit?subtype=%3Cb%3Esub".to_owned(),
            "/console/audit".to_owned(),
            format!("/console/audit/events/{}", made.id()),
            format!("/console/audit/disclosures?patient={query}"),
            format!("/console/audit/recipients?recipient=client%3A{query}"),
        ];
        for path in &pages {
            let page = cora.get(path).await;
            assert!(matches!(page.status, 200 | 422), "{path}: {}", page.status);
            for raw in ["<script>alert", "<img", "<b>sub", "\u{202e}"] {
                assert!(!page.html.contains(raw), "{path} has {raw}: {}", page.html);
            }
            let policy = page.header("content-security-policy");
            assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        }
        let event = cora.get(&pages[4]).await.is(200);
        assert!(event.says("&#60;script&#62;alert(1)"), "{}", event.html);
    }
}

both_engines! {
    async fn every_list_is_walked_by_an_index(engine: Engine) {
        let app = TestApp::start(engine).await;
        let database = app.database();
        let many = match engine {
            Engine::Sqlite => "WITH RECURSIVE s(n) AS (SELECT 1000 UNION ALL SELECT n + 1 FROM s WHERE n < 41000)",
            Engine::Postgres => "WITH s(n) AS (SELECT generate_series(1000, 41000))",
        };
        database.execute(&format!("INSERT INTO audit_index (seq, recorded_us, type, action, outcome) {many} \
            SELECT n, n * 1000, CASE WHEN n % 50 = 0 THEN '110114' ELSE 'rest' END, CASE WHEN n % 20 = 0 THEN 'D' ELSE 'R' END, \
            CASE WHEN n % 30 = 0 THEN 8 ELSE 0 END FROM s")).await;
        database.execute(&format!("INSERT INTO audit_term (term, recorded_us, seq) {many} SELECT 'i:u' || (n % 7), n * 1000, n FROM s")).await;
        database.execute(&format!("INSERT INTO audit_term (term, recorded_us, seq) {many} SELECT 's:read', n * 1000, n FROM s")).await;
        database.execute("ANALYZE").await;
        let lists = [
            (List::All, "audit_index_recorded", "bigint,bigint,bigint"),
            (List::Kind("110114".to_owned()), "audit_index_type", "bigint,bigint,bigint,text"),
            (List::Change("D".to_owned()), "audit_index_change", "bigint,bigint,bigint,text"),
            (List::Outcome(8), "audit_index_outcome", "bigint,bigint,bigint,bigint"),
        ];
        for (list, index, types) in lists {
            let sql = format!("{} LIMIT 51", statement(&list, 0, (i64::MAX, 0)).0);
            is_by(&app, &sql, index, types).await;
        }
        let by_term = match engine {
            Engine::Sqlite => "USING PRIMARY KEY (term=? AND ",
            Engine::Postgres => "audit_term_pkey",
        };
        let all = slotwright::store::statements(app.library().store.engine()).into_iter().map(|(_, sql)| sql);
        let one: Vec<&str> = all.filter(|sql| sql.contains("FROM audit_term WHERE term = $1")).collect();
        assert_eq!(one.len(), 3, "{one:?}");
        for sql in one {
            let types = if sql.contains("$4") { "text,bigint,bigint,bigint" } else { "text,bigint,bigint" };
            let limit = if sql.contains("ORDER BY") { " LIMIT 64" } else { "" };
            is_by(&app, &format!("{sql}{limit}"), by_term, types).await;
        }
        is_by(&app, &postings::statement(app.library().store.engine(), 256), by_term, &format!("text{}", ",bigint".repeat(256))).await;
    }
}

/// An engine goes about a statement by this index, and reads no table from one end to the other.
async fn is_by(app: &TestApp, sql: &str, index: &str, types: &str) {
    let plan = match app.database().engine {
        Engine::Sqlite => app.database().plan(&format!("EXPLAIN QUERY PLAN {sql}")).await,
        Engine::Postgres => {
            let value = |kind| if kind == "text" { "'i:u1'" } else { "8" };
            let values: Vec<&str> = types.split(',').map(value).collect();
            app.database().plan_prepared(types, sql, &values.join(",")).await
        }
    };
    let (start, _) = sql.split_at(sql.len().min(200));
    assert!(plan.contains(index), "{start}: {plan}");
    // A list's rows lie in the index; PostgreSQL would fetch each from a block of its own.
    let fetched = ["Index Scan using audit_term", "Index Scan Backward using audit_term", "Bitmap"];
    for scan in ["SCAN audit_term", "SCAN t", "Seq Scan", "TEMP B-TREE"].into_iter().chain(fetched) {
        assert!(!plan.contains(scan), "{start}: {plan}");
    }
}

#[test]
fn links_of_the_console_name_pages_that_are_there() {
    let known: BTreeSet<&str> = slotwright::http::routes().into_iter().map(|route| route.path).collect();
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let mut seen = 0;
    for file in std::fs::read_dir(dir).unwrap().flatten() {
        let html = std::fs::read_to_string(file.path()).unwrap();
        for link in html.split("=\"/console/audit").skip(1) {
            let path = link.split(['"', '?', '{']).next().unwrap_or_default();
            let path = format!("/console/audit{}", path.trim_end_matches('/'));
            assert!(
                known.iter().any(|route| *route == path || route.starts_with(&format!("{path}/{{"))),
                "{path}"
            );
            seen += 1;
        }
    }
    assert!(seen > 15, "{seen}");
}
