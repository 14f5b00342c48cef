//! What keeps a database from being served to patients.

use super::App;
use crate::store::StoreError;
use crate::store::sandbox::{MARK, is_marked};

/// Why `slotwright serve` may not serve what is in the database: every reason, each with what to do.
///
/// # Errors
/// When the database does not answer.
pub async fn reasons(app: &App) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    let mut reader = app.store.reader().await?;
    if is_marked(&mut reader, MARK).await? {
        found.push(
            "database.url: this is a sandbox's database; its made-up patients, clients and users must not be \
             served as real ones. Name another database"
                .to_owned(),
        );
    }
    Ok(found)
}
