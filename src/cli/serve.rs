//! `slotwright serve`.

use super::Failure;
use crate::app::audit::Sequencer;
use crate::app::{self, App};
use crate::audit::act::Act;
use crate::clock::Clock;
use crate::config::Config;
use crate::{http, notify, telemetry, worker};
use std::sync::Arc;

/// Why `serve` does not start: every reason.
#[derive(Debug, thiserror::Error)]
#[error("not fit to serve patients:\n  {}", .0.join("\n  "))]
struct Unfit(Vec<String>);

pub(super) async fn serve(config: Config) -> Result<(), Failure> {
    telemetry::start(&config.log)?;
    let mut reasons = config.unfit_to_serve();
    reasons.extend(http::tls::problem(&config.tls));
    reasons.extend(notify::Mailer::new(&config.notify.email, &config.outbound).err());
    let app = match App::start(Arc::new(config), Clock::system()).await {
        Ok(app) => app,
        Err(error) => {
            reasons.push(error.to_string());
            return Err(Unfit(reasons).into());
        }
    };
    reasons.extend(app.keys.check().err().map(|error| error.to_string()));
    let signers = app::audit::keys::load(&app.config);
    reasons.extend(signers.as_ref().err().map(ToString::to_string));
    reasons.extend(app::audit::push::listeners(&app.config).err());
    reasons.extend(app::events::stream::problems(&app));
    reasons.extend(app::unfit::reasons(&app).await?);
    if !reasons.is_empty() {
        app.store.close().await;
        return Err(Unfit(reasons).into());
    }
    let listener = http::bind(app.config.server.listen).await?;
    let scheme = if app.config.tls.files().is_some() { "https" } else { "http" };
    tracing::info!("listening on {scheme}://{}/fhir", listener.local_addr()?);
    let sequencer = Sequencer::new(app.clone(), signers?);
    let worker = tokio::spawn(worker::run(app.clone(), sequencer));
    app.note(app.event(Act::Started)).await?;
    let stopping = {
        let app = app.clone();
        async move {
            http::interrupted().await;
            if let Err(error) = app.note(app.event(Act::Stopped)).await {
                tracing::error!(%error, "that the server stops could not be put on the record");
            }
        }
    };
    let served = http::serve(app, listener, stopping).await;
    worker.abort();
    Ok(served?)
}
