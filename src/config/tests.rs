use super::*;

fn load(file: &str, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("slotwright.toml");
    std::fs::write(&path, file).unwrap();
    Config::load(Some(&path), env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
}

fn problems(file: &str, env: &[(&str, &str)]) -> Vec<String> {
    load(file, env).unwrap_err().problems
}

#[test]
fn the_embedded_defaults_fit_the_types() {
    let config = Config::defaults().unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.body_limit, Size::bytes(4 << 20));
    assert_eq!(config.booking.hold, Duration::from_mins(5));
    assert_eq!(config.server.public_base_url, None);
    assert_eq!(config.database.engine(), Some(Engine::Sqlite));
}

#[test]
fn environment_wins_over_file_and_file_over_defaults() {
    let config = load(
        "[server]\nlisten = \"127.0.0.1:1\"\ndrain = \"1s\"\n[fhir]\nmax_count = 77\n",
        &[
            ("SLOTWRIGHT_SERVER__LISTEN", "127.0.0.1:2"),
            ("SLOTWRIGHT_REFERENCES__UNCHECKED_TYPES", "Provenance, Consent"),
            ("SLOTWRIGHT_REFERENCES__MUST_EXIST", "false"),
            ("SLOTWRIGHT_SERVER__METRICS_LISTEN", ""),
            ("SLOTWRIGHT_SERVER__BODY_LIMIT", "2048"),
            ("SLOTWRIGHT_DATABASE__MAX_CONNECTIONS", "3"),
            ("PATH", "/bin"),
        ],
    )
    .unwrap();
    assert_eq!(config.server.listen.port(), 2);
    assert_eq!(config.server.drain, Duration::from_secs(1));
    assert_eq!(config.server.metrics_listen, None);
    assert_eq!(config.server.body_limit.get(), 2048);
    assert_eq!(config.fhir.max_count, 77);
    assert_eq!(config.references.unchecked_types, ["Provenance", "Consent"]);
    assert!(!config.references.must_exist);
    assert_eq!(config.database.max_connections, 3);
}

#[test]
fn every_unknown_key_is_named() {
    let found = problems(
        "[server]\nlistn = \"x\"\n[colour]\nred = 1\n",
        &[("SLOTWRIGHT_SERVER_LISTEN", "127.0.0.1:1"), ("SLOTWRIGHT_FHIR__MAX", "1")],
    );
    for expected in [
        "server.listn: unknown setting",
        "colour.red: unknown setting",
        "SLOTWRIGHT_SERVER_LISTEN: unknown setting",
        "SLOTWRIGHT_FHIR__MAX: unknown setting",
    ] {
        assert!(found.iter().any(|problem| problem == expected), "{expected} in {found:?}");
    }
}

#[test]
fn every_broken_rule_is_named() {
    let found = problems(
        "[server]\nmetrics_listen = \"0.0.0.0:8080\"\nurl_limit = \"1MiB\"\npublic_base_url = \"ftp://x\"\n\
         [booking]\nhold = \"1h\"\n[log]\nlevel = \"loud\"\n[tls]\ncertificate = \"c\"\n",
        &[("SLOTWRIGHT_DATABASE__URL", "mysql://root:hunter2@x/y")],
    );
    for setting in [
        "server.metrics_listen",
        "tls.certificate",
        "server.url_limit",
        "server.public_base_url",
        "booking.hold",
        "log.level",
        "database.url",
    ] {
        assert!(
            found.iter().any(|problem| problem.starts_with(&format!("{setting}: "))),
            "{setting} in {found:?}"
        );
    }
    assert!(!format!("{found:?}").contains("hunter2"));
}

#[test]
fn a_value_of_the_wrong_kind_names_its_setting() {
    let found = problems("[server]\ndrain = \"soon\"\n[fhir]\nmax_count = \"many\"\n", &[]);
    assert!(found.iter().any(|problem| problem.starts_with("server.drain: ")), "{found:?}");
}

#[test]
fn debug_output_hides_the_password() {
    let config = load("[database]\nurl = \"postgres://u:hunter2@h/d\"\n", &[]).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn a_file_that_is_not_toml_is_named_without_quoting_it() {
    let found = problems("[database]\nurl = \"postgres://u:hunter2@h/d\n", &[]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("line 2"), "{found:?}");
    assert!(!found[0].contains("hunter2"), "{found:?}");
}

#[test]
fn a_network_that_is_none_names_its_setting() {
    let found = problems("[server]\ntrusted_proxies = [\"10.0.0.1\", \"10.0.0.0/33\"]\n", &[]);
    assert!(found.iter().any(|problem| problem.starts_with("server.trusted_proxies[1]: ")), "{found:?}");
}

#[test]
fn what_keeps_serve_from_starting_is_named_all_at_once() {
    let unfit = |file: &str| load(file, &[]).unwrap().unfit_to_serve();
    let found = unfit("[server]\nlisten = \"0.0.0.0:80\"\n");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("tls.terminated_upstream = true"), "{found:?}");
    assert!(found[1].contains("server.public_base_url"), "{found:?}");
    let plain = "[server]\nlisten = \"0.0.0.0:80\"\npublic_base_url = \"http://clinic.example\"\n";
    let found = unfit(&format!("{plain}[tls]\nterminated_upstream = true\n"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("https://"), "{found:?}");
    assert_eq!(unfit(""), unfit("[tls]\nterminated_upstream = false\n"));
    assert_eq!(unfit("").len(), 1, "loopback is no exception");
    for fit in [
        "[tls]\nterminated_upstream = true\n",
        "[server]\nlisten = \"0.0.0.0:80\"\npublic_base_url = \"https://clinic.example\"\n[tls]\nterminated_upstream = true\n",
        "[server]\nlisten = \"[::]:443\"\npublic_base_url = \"https://clinic.example\"\n[tls]\ncertificate = \"c\"\nkey = \"k\"\n",
    ] {
        assert_eq!(unfit(fit), Vec::<String>::new(), "{fit}");
    }
    let found = unfit("[tls]\nterminated_upstream = true\n[database]\nurl = \"postgres://u:changeme@h/d\"\n");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("database.url: ") && !found[0].contains("changeme"), "{found:?}");
}

#[test]
fn issuers_are_read_from_a_file_and_their_mistakes_are_named() {
    let good =
        "[[auth.issuers]]\nissuer = \"https://sso.example\"\naudience = \"a\"\nmax_scopes = \"user/*.rs\"\n";
    let roles = "roles = [{ name = \"Front-Desk\", role = \"scheduler\", organization = \"org-1\" }]\n";
    let config = load(&format!("{good}{roles}"), &[]).unwrap();
    let issuer = &config.auth.issuers[0];
    assert_eq!((issuer.issuer.as_str(), issuer.roles_claim.as_str()), ("https://sso.example", "roles"));
    assert_eq!((issuer.fhir_user_claim.as_str(), issuer.jwks_uri.as_deref()), ("fhirUser", None));
    assert_eq!(issuer.roles[0].name, "Front-Desk");
    let found = problems(&format!("{good}colour = \"red\"\n"), &[]);
    assert!(found[0].starts_with("auth.issuers[0].") && found[0].contains("colour"), "{found:?}");
    let found = problems("[[auth.issuers]]\nissuer = \"https://sso.example\"\n", &[]);
    assert!(found[0].contains("auth.issuers[0]"), "{found:?}");
}

#[test]
fn kafka_is_reached_encrypted_or_on_this_machine_and_its_mistakes_are_named() {
    let kafka = |text: &str| load(&format!("[stream.kafka]\n{text}\n"), &[]);
    assert!(load("", &[]).unwrap().stream.kafka.brokers.is_empty());
    for good in [
        "brokers = [\"kafka-1.example:9093\", \"kafka-2.example:9093\"]",
        "brokers = [\"127.0.0.1:9092\", \"localhost:9092\", \"[::1]:9092\"]\ntls = false",
        "sasl = \"SCRAM-SHA-512\"\nusername = \"u\"\npassword = \"hunter2\"",
        "certificate = \"c\"\nkey = \"k\"",
    ] {
        let config = kafka(good).unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
    }
    for (bad, setting) in [
        ("brokers = [\"kafka.example\"]", "brokers"),
        ("brokers = [\"kafka.example:0\"]", "brokers"),
        ("brokers = [\"https://kafka.example:9093\"]", "brokers"),
        ("brokers = [\"[::1]:9093\"]", "brokers"),
        ("brokers = [\"kafka.example:9092\"]\ntls = false", "tls"),
        ("tls = false\nroots = \"r\"", "tls"),
        ("topic = \"\"", "topic"),
        ("topic = \"a b\"", "topic"),
        ("topic = \"..\"", "topic"),
        ("certificate = \"c\"", "certificate"),
        ("sasl = \"GSSAPI\"", "sasl"),
        ("sasl = \"PLAIN\"\nusername = \"u\"", "sasl"),
        ("password = \"hunter2\"", "sasl"),
    ] {
        let found = kafka(bad).unwrap_err().problems;
        let named = format!("stream.kafka.{setting}: ");
        assert!(found.len() == 1 && found[0].starts_with(&named), "{bad}: {found:?}");
        assert!(!found[0].contains("hunter2"), "{found:?}");
    }
    let env = [("SLOTWRIGHT_STREAM__KAFKA__BROKERS", "a.example:1, b.example:2")];
    assert_eq!(load("", &env).unwrap().stream.kafka.brokers, ["a.example:1", "b.example:2"]);
}
