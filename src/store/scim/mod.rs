//! Accounts and roles as a provisioning source sees them (SCIM).

mod condition;
mod group;
mod token;
mod user;

pub use condition::{Column, Comparison, Condition};
pub use group::{
    Group, Member, by_role, delete as delete_group, find as group, groups, groups_of, insert as insert_group,
    members, role_of, touch_group, withdraw,
};
pub use token::{Token, good_token, insert_token, revoke_token, token_used, tokens_of};
pub use user::{
    Order, User, by_external_id, count, delete, find, is_administrator, list, set, set_disabled_by, touch,
};

/// Every static statement of this folder, by name.
pub(crate) fn statements() -> Vec<(&'static str, &'static str)> {
    [group::STATEMENTS, token::STATEMENTS, user::STATEMENTS].concat()
}
