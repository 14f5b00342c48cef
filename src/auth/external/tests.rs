use super::*;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;

const NOW: i64 = 1_900_000_000;
const ISSUER: &str = "https://sso.example/realms/clinic";
const BASES: &[&str] = &["https://clinic.example/fhir"];

/// A key pair of an issuer.
struct Pair {
    key: EncodingKey,
    algorithm: Algorithm,
    jwk: Value,
}

fn pair(algorithm: Algorithm, kid: &str) -> Pair {
    use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256};
    let made = |kind| KeyPair::generate_for(kind).unwrap();
    let (key, jwk) = match algorithm {
        Algorithm::ES256 => (EncodingKey::from_ec_der(&made(&PKCS_ECDSA_P256_SHA256).serialize_der()), None),
        Algorithm::ES384 => (EncodingKey::from_ec_der(&made(&PKCS_ECDSA_P384_SHA384).serialize_der()), None),
        Algorithm::EdDSA => {
            let pair = made(&PKCS_ED25519);
            let x = crate::auth::jws::base64url(rcgen::PublicKeyData::der_bytes(&pair));
            let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": x, "alg": "EdDSA"});
            (EncodingKey::from_ed_pem(pair.serialize_pem().as_bytes()).unwrap(), Some(jwk))
        }
        _ => (EncodingKey::from_rsa_pem(made(&PKCS_RSA_SHA256).serialize_pem().as_bytes()).unwrap(), None),
    };
    let mut jwk = jwk
        .unwrap_or_else(|| serde_json::to_value(Jwk::from_encoding_key(&key, algorithm).unwrap()).unwrap());
    jwk["kid"] = kid.into();
    Pair { key, algorithm, jwk }
}

fn set(keys: &[&Value]) -> Value {
    json!({ "keys": keys })
}

fn trusted() -> Trusted {
    let grant =
        |role, organization: Option<&str>| RoleGrant { role, organization: organization.map(str::to_owned) };
    Trusted {
        issuer: ISSUER.to_owned(),
        audience: "slotwright".to_owned(),
        jwks_uri: None,
        roles_claim: "realm_access.roles".to_owned(),
        roles: vec![
            ("Front-Desk".to_owned(), grant(Role::Scheduler, Some("org-1"))),
            ("physician".to_owned(), grant(Role::Clinician, None)),
            ("machine".to_owned(), grant(Role::System, None)),
        ],
        fhir_user_claim: "fhirUser".to_owned(),
        patient_claim: "patient".to_owned(),
        max_scopes: Scopes::parse("user/Slot.rs user/Appointment.cruds patient/*.rs system/Slot.rs"),
        assumed_scopes: Scopes::parse("user/Slot.rs"),
    }
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": ["account", "slotwright"], "sub": "f3a1", "azp": "portal", "jti": "j-1",
        "exp": NOW + 300, "iat": NOW, "typ": "Bearer",
        "scope": "openid user/Appointment.cruds user/Patient.rs",
        "realm_access": { "roles": ["Front-Desk", "unheard-of"] },
        "fhirUser": "Practitioner/dr-1",
    })
}

/// The claims with others in place of some; `null` takes one away.
fn with(changes: Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

fn signed(pair: &Pair, claims: &Value) -> String {
    let kid = pair.jwk["kid"].as_str().map(str::to_owned);
    encode(&Header { kid, ..Header::new(pair.algorithm) }, claims, &pair.key).unwrap()
}

fn bring(token: &str, set: &Value) -> Result<Principal, Refused> {
    let trusted = trusted();
    let unproved = check(token, &trusted, NOW)?;
    let key = unproved.key(set).ok_or(Refused::Unknown)?;
    unproved.principal(&key, &trusted, BASES)
}

fn principal(changes: Value) -> Principal {
    let pair = pair(Algorithm::ES256, "k1");
    bring(&signed(&pair, &with(changes)), &set(&[&pair.jwk])).unwrap()
}

#[test]
fn every_asymmetric_algorithm_is_taken() {
    for algorithm in [
        Algorithm::RS256,
        Algorithm::RS384,
        Algorithm::RS512,
        Algorithm::PS256,
        Algorithm::PS384,
        Algorithm::PS512,
        Algorithm::ES256,
        Algorithm::ES384,
        Algorithm::EdDSA,
    ] {
        let pair = pair(algorithm, "k1");
        assert!(bring(&signed(&pair, &claims()), &set(&[&pair.jwk])).is_ok(), "{algorithm:?}");
    }
}

#[test]
fn a_bearer_is_what_the_list_makes_of_the_claims() {
    let found = principal(json!({}));
    assert_eq!(found.who, Who::Account(format!("{ISSUER}|f3a1")));
    assert_eq!(found.client, Some(format!("{ISSUER}|portal")));
    assert_eq!(found.roles, [RoleGrant { role: Role::Scheduler, organization: Some("org-1".to_owned()) }]);
    assert_eq!(found.fhir_user, Some(("Practitioner".to_owned(), "dr-1".to_owned())));
    assert_eq!(found.patient, None);
    assert_eq!(found.scopes.unwrap().to_string(), "user/Appointment.cruds");
    assert_eq!(found.token.as_deref(), Some("j-1"));
}

#[test]
fn scopes_are_never_more_than_the_issuer_may_give() {
    let of = |changes| principal(changes).scopes.unwrap().to_string();
    assert_eq!(of(json!({"scope": "user/*.cruds system/*.cruds patient/*.cruds"})), {
        "user/Slot.rs user/Appointment.cruds patient/*.rs"
    });
    assert_eq!(of(json!({"scope": "profile email"})), "user/Slot.rs", "assumed");
    assert_eq!(of(json!({"scope": null})), "user/Slot.rs", "assumed");
    assert_eq!(of(json!({"scope": "user/Patient.rs"})), "", "said, so not assumed");
}

#[test]
fn a_machine_is_no_person() {
    let roles = json!({ "roles": ["machine", "physician"] });
    let scope = "system/Slot.cruds user/Slot.rs";
    let found = principal(json!({"realm_access": roles, "scope": scope}));
    assert_eq!(found.who, Who::Client);
    assert_eq!(found.roles, [RoleGrant { role: Role::System, organization: None }]);
    assert_eq!(found.scopes.unwrap().to_string(), "system/Slot.rs");
    assert_eq!(found.fhir_user, None);
}

#[test]
fn roles_come_from_the_named_claim_alone() {
    let none = |changes| assert_eq!(principal(changes).roles, []);
    none(json!({"realm_access": null}));
    none(json!({"realm_access": {"roles": ["front-desk", "scheduler", "system"]}}));
    none(json!({"realm_access": null, "roles": ["physician"]}));
    none(json!({"realm_access": {"roles": [{"name": "physician"}]}}));
    none(json!({"realm_access": "physician"}));
    assert_eq!(principal(json!({"realm_access": {"roles": "physician"}})).roles.len(), 1);
    let dotted = json!({"realm_access": null, "realm_access.roles": ["physician"]});
    assert_eq!(principal(dotted).roles.len(), 1);
}

#[test]
fn people_and_patients_are_ours_or_nobody() {
    let user = |text: &str| principal(json!({"fhirUser": text})).fhir_user;
    assert!(user("https://clinic.example/fhir/Practitioner/dr-1").is_some());
    for bad in [
        "https://elsewhere.example/fhir/Practitioner/dr-1",
        "https://clinic.example/fhir-evil/Practitioner/dr-1",
        "Device/d",
        "Practitioner/",
        "Practitioner/a/b",
        "Practitioner/../x",
        "Practitioner/a b",
        "dr-1",
    ] {
        assert_eq!(user(bad), None, "{bad}");
    }
    let patient = |text: &str| principal(json!({"patient": text})).patient;
    for good in ["pat-1", "Patient/pat-1", "https://clinic.example/fhir/Patient/pat-1"] {
        assert_eq!(patient(good).as_deref(), Some("pat-1"), "{good}");
    }
    for bad in ["Practitioner/pat-1", "https://elsewhere.example/fhir/Patient/pat-1", "a/b/c", "", "a b", "*"]
    {
        assert_eq!(patient(bad), None, "{bad}");
    }
    let own = principal(json!({"fhirUser": "Patient/pat-7"}));
    assert_eq!(own.patient.as_deref(), Some("pat-7"));
}

#[test]
fn claims_that_are_not_in_order_are_refused() {
    let pair = pair(Algorithm::ES256, "k1");
    let refused = |changes: Value| bring(&signed(&pair, &with(changes.clone())), &set(&[&pair.jwk])).err();
    for (changes, reason) in [
        (json!({"iss": "https://sso.example/realms/clinic/"}), Refused::Elsewhere),
        (json!({"iss": "https://sso.example/realms/clinic2"}), Refused::Elsewhere),
        (json!({"iss": "https://sso.example/realms/Clinic"}), Refused::Elsewhere),
        (json!({"iss": null}), Refused::Elsewhere),
        (json!({"aud": "slotwright2"}), Refused::Elsewhere),
        (json!({"aud": ["account"]}), Refused::Elsewhere),
        (json!({"aud": null}), Refused::Elsewhere),
        (json!({"exp": NOW}), Refused::Expired),
        (json!({"exp": null}), Refused::Unknown),
        (json!({"exp": "never"}), Refused::Unknown),
        (json!({"nbf": NOW + 60}), Refused::Expired),
        (json!({"nbf": "soon"}), Refused::Expired),
        (json!({"iat": NOW + 60}), Refused::Expired),
        (json!({"sub": null}), Refused::Unknown),
        (json!({"sub": ""}), Refused::Unknown),
        (json!({"sub": "x".repeat(256)}), Refused::Unknown),
        (json!({"nonce": "n"}), Refused::Unknown),
        (json!({"at_hash": "h"}), Refused::Unknown),
        (json!({"typ": "ID"}), Refused::Unknown),
        (json!({"typ": "Refresh"}), Refused::Unknown),
        (json!({"cnf": {"jkt": "x"}}), Refused::Unknown),
    ] {
        assert_eq!(refused(changes.clone()), Some(reason), "{changes}");
    }
    assert_eq!(refused(json!({"nbf": NOW + 10, "aud": "slotwright", "typ": null})), None);
}

#[test]
fn signatures_and_keys_that_do_not_fit_are_refused() {
    let (ours, other) = (pair(Algorithm::ES256, "k1"), pair(Algorithm::ES256, "k1"));
    let rsa = pair(Algorithm::RS256, "k1");
    let token = signed(&ours, &claims());
    let refused = |token: &str, set: &Value, why: &str| assert!(bring(token, set).is_err(), "{why}");
    refused(&token, &set(&[&other.jwk]), "another key of this name");
    refused(&token, &set(&[]), "no key");
    refused(&token, &json!({}), "no set");
    refused(&token, &set(&[&ours.jwk, &other.jwk]), "two keys of one name");
    refused(&token, &set(&[&rsa.jwk]), "a key of another kind");
    let changed = |name: &str, value: Value| {
        let mut jwk = ours.jwk.clone();
        jwk[name] = value;
        set(&[&jwk])
    };
    refused(&token, &changed("kid", "k2".into()), "another name");
    refused(&token, &changed("use", "enc".into()), "a key to encrypt with");
    refused(&token, &changed("key_ops", json!(["sign"])), "not to verify with");
    refused(&token, &changed("alg", "ES384".into()), "for another algorithm");
    let (head, rest) = token.split_once('.').unwrap();
    let (body, signature) = rest.split_once('.').unwrap();
    let forged = crate::auth::jws::base64url(with(json!({"sub": "admin"})).to_string().as_bytes());
    refused(&format!("{head}.{forged}.{signature}"), &set(&[&ours.jwk]), "other claims");
    for header in [
        json!({"alg": "none"}),
        json!({"alg": "HS256", "kid": "k1"}),
        json!({"alg": "ES256", "kid": "../../k1"}),
        json!({"alg": "ES256", "kid": "k1", "crit": ["b64"]}),
        json!({"alg": "ES256", "kid": "k1", "typ": "logout+jwt"}),
        json!({"kid": "k1"}),
    ] {
        let head = crate::auth::jws::base64url(header.to_string().as_bytes());
        refused(&format!("{head}.{body}.{signature}"), &set(&[&ours.jwk]), &header.to_string());
    }
    // The public key as a shared secret.
    let secret = rsa.jwk["n"].as_str().unwrap();
    let shared = EncodingKey::from_secret(secret.as_bytes());
    let header = Header { kid: Some("k1".to_owned()), ..Header::new(Algorithm::HS256) };
    let confused = encode(&header, &claims(), &shared).unwrap();
    refused(&confused, &set(&[&rsa.jwk]), "HS256");
    let oct = json!({"kty": "oct", "kid": "k1", "k": crate::auth::jws::base64url(secret.as_bytes())});
    refused(&confused, &set(&[&oct]), "HS256 with a symmetric key in the set");
}

#[test]
fn a_set_may_hold_keys_that_nobody_here_knows() {
    let pair = pair(Algorithm::ES256, "k1");
    let strange = json!({"kty": "AKP", "kid": "pq", "alg": "ML-DSA-65", "pub": "AAAA"});
    let encryption =
        json!({"kty": "RSA", "kid": "e", "use": "enc", "alg": "RSA-OAEP", "n": "AQAB", "e": "AQAB"});
    assert!(bring(&signed(&pair, &claims()), &set(&[&strange, &encryption, &pair.jwk])).is_ok());
    let mut nameless = pair.jwk.clone();
    nameless.as_object_mut().unwrap().remove("kid");
    let token = encode(&Header::new(pair.algorithm), &claims(), &pair.key).unwrap();
    assert!(bring(&token, &set(&[&nameless])).is_ok(), "one key needs no name");
}
