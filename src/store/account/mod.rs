//! People's accounts, their roles, sessions and failed attempts.

mod guard;
mod passkey;
mod person;
mod role;
mod session;
mod upstream;

pub use guard::{
    Step, any_old, count_failure, failures, forget_devices, forget_old, forgive, is_device_of,
    keep_recovery_codes, know_device, recovery_codes_left, spend_recovery_code, spend_totp_step, start_step,
    step, take_back, take_step,
};
pub use passkey::{
    StoredPasskey, account_of_handle, begin_ceremony, handle_of, insert_passkey, passkey_by_credential,
    passkey_used, passkeys, remove_passkey, take_ceremony,
};
pub use person::{
    Account, Credentials, by_id, by_username, credentials, disable, enable, insert, list, set_locale,
    set_password, set_totp, signed_in, update,
};
pub use role::{Grant, add as add_role, grants, remove as remove_role, review, used as role_used};
pub use session::{Session, end, end_all, find, insert as insert_session, move_grants, of_account, seen};
pub use upstream::{
    UpstreamSignIn, begin_upstream, identity, link, provisioned, seen_upstream, take_upstream, upstream_waits,
};

/// Every static statement of this folder, by name.
pub(crate) fn statements() -> Vec<(&'static str, &'static str)> {
    [
        guard::STATEMENTS,
        passkey::STATEMENTS,
        person::STATEMENTS,
        role::STATEMENTS,
        session::STATEMENTS,
        upstream::STATEMENTS,
    ]
    .concat()
}
