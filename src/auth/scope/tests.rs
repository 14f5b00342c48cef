use super::*;
use proptest::prelude::*;

#[test]
fn scopes_are_understood_or_ignored_never_widened() {
    let same = [
        "patient/Appointment.rs",
        "user/*.cruds",
        "system/Slot.s",
        "patient/Appointment.rs?status=booked",
        "patient/Appointment.read",
        "user/Patient.write",
        "patient/*.*",
        "openid fhirUser launch launch/patient offline_access online_access",
        "launch/location?role=https://example.org/role",
    ];
    for text in same {
        assert_eq!(Scopes::parse(text).to_string(), text);
    }
    let ignored = [
        "patient/Appointment.dus",
        "patient/Appointment.sr",
        "patient/Appointment.",
        "patient/Appointment.x",
        "patient/Appointment.rr",
        "patient/appointment.r",
        "patient/Appointment",
        "patient/Appointment.rs?",
        "patient/Appointment.rs?status",
        "patient/Appointment.rs?status=",
        "patient/Appointment.rs?code:in=x",
        "patient/Appointment.rs?slot.status=free",
        "patient/Appointment.rs?_filter=x",
        "patient/Appointment.read?status=booked",
        "other/Appointment.rs",
        "patient/**.rs",
        "launch/",
        "launch/Patient",
        "nonsense",
    ];
    for text in ignored {
        assert!(Scopes::parse(text).is_empty(), "{text}");
    }
}

#[test]
fn scopes_of_the_first_version_mean_those_of_the_second() {
    let of = |text: &str| Scopes::parse(text).resources().map(|s| s.rights.to_string()).collect::<String>();
    assert_eq!(of("patient/Slot.read"), "rs");
    assert_eq!(of("patient/Slot.write"), "cud");
    assert_eq!(of("patient/Slot.*"), "cruds");
}

#[test]
fn filters_are_decoded_and_kept() {
    let scopes = Scopes::parse("patient/Appointment.rs?status=booked&service-type=urn%3Ax%7Cy");
    let filter = scopes.resources().next().map(|scope| scope.filter.clone()).unwrap();
    assert_eq!(filter[1], ("service-type".to_owned(), "urn:x|y".to_owned()));
    assert_eq!(Scopes::parse(&scopes.to_string()), scopes);
}

#[test]
fn narrowing_keeps_what_both_allow() {
    let narrow =
        |asked: &str, allowed: &str| Scopes::parse(asked).narrowed_to(&Scopes::parse(allowed)).to_string();
    assert_eq!(
        narrow("patient/*.cruds", "patient/Slot.rs patient/Patient.r"),
        "patient/Slot.rs patient/Patient.r"
    );
    assert_eq!(narrow("patient/Slot.rs", "user/Slot.rs"), "");
    assert_eq!(narrow("patient/Slot.*", "patient/*.read"), "patient/Slot.read");
    assert_eq!(narrow("patient/Slot.*", "patient/*.r"), "patient/Slot.r");
    assert_eq!(narrow("user/Slot.rs", "user/Slot.rs?status=free"), "user/Slot.rs?status=free");
    assert_eq!(narrow("openid launch", "openid"), "openid");
}

fn scopes() -> impl Strategy<Value = Scopes> {
    let scope = (0..3_usize, 0..4_usize, 1_u8..32, 0..3_usize).prop_map(|(level, rtype, rights, filter)| {
        let level = [Level::Patient, Level::User, Level::System][level];
        let rtype = [None, Some("Slot"), Some("Patient"), Some("Appointment")][rtype].map(str::to_owned);
        let filter = [vec![], vec![("status", "free")], vec![("status", "free"), ("start", "ge2026")]]
            [filter]
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Scope::Resource(ResourceScope { level, rtype, rights: Rights(rights), filter, v1: false })
    });
    proptest::collection::vec(scope, 0..6).prop_map(|all| all.into_iter().collect())
}

proptest! {
    #[test]
    fn the_algebra_never_widens(asked in scopes(), allowed in scopes()) {
        let given = asked.narrowed_to(&allowed);
        prop_assert!(given.is_within(&asked));
        prop_assert!(given.is_within(&allowed));
        prop_assert_eq!(given.narrowed_to(&allowed).narrowed_to(&asked), given.clone());
        prop_assert_eq!(Scopes::parse(&given.to_string()), given);
    }

    #[test]
    fn no_text_breaks_the_parser(text in "\\PC{0,80}") {
        let scopes = Scopes::parse(&text);
        prop_assert_eq!(Scopes::parse(&scopes.to_string()), scopes);
    }
}
