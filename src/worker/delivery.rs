//! Sends notifications to endpoints.

use crate::app::App;
use crate::app::delivery::Courier;

/// Delivers until the task is dropped.
pub(super) async fn run(app: App) {
    Courier::new(app).run().await;
}
