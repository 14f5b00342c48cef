//! People's accounts, their roles, sessions and failed attempts.

mod guard;
mod person;
mod role;
mod session;

pub use guard::{
    any_old, count_failure, failures, forget_devices, forget_old, forgive, is_device_of, keep_recovery_codes,
    know_device, recovery_codes_left, spend_recovery_code, spend_totp_step, start_step, step_account,
    take_back, take_step,
};
pub use person::{
    Account, Credentials, by_id, by_username, credentials, disable, enable, insert, list, set_locale,
    set_password, set_totp, signed_in, update,
};
pub use role::{Grant, add as add_role, grants, remove as remove_role, review, used as role_used};
pub use session::{Session, end, end_all, find, insert as insert_session, move_grants, of_account, seen};

/// Every static statement of this folder, by name.
pub(crate) fn statements() -> Vec<(&'static str, &'static str)> {
    [guard::STATEMENTS, person::STATEMENTS, role::STATEMENTS, session::STATEMENTS].concat()
}
