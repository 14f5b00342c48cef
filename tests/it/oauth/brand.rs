//! Who runs this server, and what developers are told (SMART User-access Brands; 387, 388, 439; g10 11.07, 11.09,
//! 11.14).

use super::flow::browser;
use crate::support::{Database, Engine, TestApp, both_engines, text};
use serde_json::{Value, json};
use slotwright::clock::Clock;

const SETTINGS: &str = "[brand]\nname = \"Harbour Clinic\"\nwebsite = \"https://harbour.example\"\n\
    logo = \"https://harbour.example/logo.svg\"\nportal_name = \"My Harbour\"\n\
    [[fhir.associated_endpoints]]\nurl = \"https://imaging.example/fhir\"\ncapabilities = [\"permission-v2\"]\n";

async fn branded(engine: Engine) -> TestApp {
    let database = Database::create(engine).await;
    let file = database.dir().join("brand.toml");
    std::fs::write(&file, SETTINGS).expect("a file");
    let settings = [("SLOTWRIGHT_CONFIG", file.to_str().expect("a path"))];
    TestApp::start_with(database, Clock::system(), &settings).await
}

async fn configuration(app: &TestApp) -> Value {
    let url = format!("{}/.well-known/smart-configuration", app.base());
    browser().get(url).send().await.expect("an answer").json().await.expect("JSON")
}

both_engines! {
    async fn a_brand_bundle_names_the_organisation_and_its_endpoint(engine: Engine) {
        let app = branded(engine).await;
        let said = configuration(&app).await;
        let url = text(&said, "/user_access_brand_bundle");
        assert_eq!(url, format!("{}/brands.json", app.root()));
        assert_eq!(said["associated_endpoints"],
            json!([{ "url": "https://imaging.example/fhir", "capabilities": ["permission-v2"] }]));
        // From a page of any origin, without a token.
        let get = || browser().get(url).header("origin", "https://anywhere.example");
        let reply = get().send().await.expect("an answer");
        assert_eq!(reply.status(), 200);
        assert_eq!(reply.headers()["access-control-allow-origin"], "*");
        assert_eq!(reply.headers()["content-type"], "application/fhir+json");
        let tag = reply.headers()["etag"].to_str().expect("a tag").to_owned();
        let bundle: Value = reply.json().await.expect("JSON");
        is_sound(&bundle);
        let [organization, endpoint] = ["/entry/0", "/entry/1"].map(|at| bundle.pointer(at).expect("an entry"));
        assert_eq!(text(organization, "/resource/name"), "Harbour Clinic");
        assert_eq!(said["user_access_brand_identifier"], organization["resource"]["identifier"][0]);
        assert_eq!(text(organization, "/resource/endpoint/0/reference"), text(endpoint, "/fullUrl"));
        assert_eq!(text(endpoint, "/resource/address"), app.base());
        for part in ["My Harbour", "https://harbour.example/logo.svg", "/sign-in"] {
            assert!(bundle.to_string().contains(part), "{part}: {bundle}");
        }
        let again = get().header("if-none-match", &tag).send().await.expect("an answer");
        assert_eq!(again.status(), 304);
        assert_eq!(get().header("if-none-match", "\"other\"").send().await.expect("an answer").status(), 200);
    }

    async fn a_server_without_a_brand_names_none(app: TestApp) {
        let said = configuration(&app).await;
        for name in ["user_access_brand_bundle", "user_access_brand_identifier", "associated_endpoints"] {
            assert!(said[name].is_null(), "{said}");
        }
        let reply = browser().get(format!("{}/brands.json", app.root())).send().await.expect("an answer");
        assert_eq!(reply.status(), 404);
    }

    async fn developers_find_the_whole_documentation_without_an_account(app: TestApp) {
        let said = configuration(&app).await;
        let url = text(&said, "/service_documentation");
        let page = browser().get(url).send().await.expect("an answer");
        assert_eq!(page.status(), 200);
        let page = page.text().await.expect("a page");
        let description: Value = browser().get(format!("{}/openapi.json", app.root())).send().await
            .expect("an answer").json().await.expect("JSON");
        // Nothing that is served is left out: every route, every type, and every parameter of each.
        for route in slotwright::http::routes().iter().filter(|route| !route.is_fhir && !route.methods.is_empty()) {
            assert!(description["paths"][route.path].is_object(), "{}", route.path);
            assert!(page.contains(route.path), "{}", route.path);
        }
        for rtype in slotwright::fhir::registry::TYPES {
            let search = &description["paths"][format!("/fhir/{}", rtype.name)]["get"]["parameters"];
            for param in rtype.params {
                let wanted = format!("{}.{}", rtype.name, param.code);
                assert!(search.to_string().contains(&wanted), "{wanted}: {search}");
            }
        }
    }

    async fn app_state_is_not_half_there(app: TestApp) {
        let said = configuration(&app).await;
        let capabilities = said["capabilities"].as_array().expect("a list");
        assert!(!capabilities.contains(&json!("smart-app-state")), "{capabilities:?}");
        assert!(said["smart_app_state_endpoint"].is_null() && !said["scopes_supported"].to_string().contains("state"));
    }
}

/// Checks that a Bundle and its Organization are what R4 and the brand profiles ask for.
fn is_sound(bundle: &Value) {
    for entry in bundle["entry"].as_array().expect("entries") {
        let rtype = text(entry, "/resource/resourceType");
        assert!(matches!(rtype, "Organization" | "Endpoint"), "{entry}");
        if rtype == "Organization" {
            let validator = slotwright::fhir::validate::Validator::new().expect("a validator");
            let issues = validator.validate(rtype, &entry["resource"]);
            assert!(!issues.iter().any(slotwright::fhir::outcome::Issue::is_error), "{issues:?}");
        }
        assert!(text(entry, "/fullUrl").starts_with("http"), "{entry}");
    }
    assert!(bundle["type"] == "collection" && bundle["timestamp"].is_string(), "{bundle}");
}
